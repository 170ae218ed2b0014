"""Events travel as CloudEvents in binary mode, with the trace they belong to."""

from __future__ import annotations

import pytest
from opentelemetry.trace import SpanKind, get_current_span

from services.core import topics
from services.core.bus import Record
from services.core.envelope import MAX_VALUE_BYTES, Malformed, seal, trace_of, unseal
from services.core.events import AudienceEvent, Chat, Turn
from services.core.telemetry import Telemetry

EVENT = AudienceEvent(event_id="e1", room_id="room1", chat=Chat(text="你好"))


def sealed() -> Record:
    return seal(topics.AUDIENCE, EVENT, event_id="e1", room_id="room1", source="gateway", now_ms=1_767_225_600_007)


def test_an_event_becomes_a_cloud_event() -> None:
    record = sealed()
    assert (record.topic, record.key) == ("lydia.audience", "room1")
    assert record.value == EVENT.SerializeToString()
    assert dict(record.headers) == {
        "ce_specversion": "1.0",
        "ce_id": "e1",
        "ce_source": "/lydia/gateway",
        "ce_type": "lydia.v1.AudienceEvent",
        "ce_time": "2026-01-01T00:00:00.007Z",
        "content-type": "application/protobuf",
    }


def test_an_event_comes_out_as_it_went_in() -> None:
    assert unseal(sealed(), AudienceEvent) == EVENT


def test_the_same_event_is_sealed_to_the_same_bytes() -> None:
    assert sealed() == sealed()


def test_the_current_trace_goes_with_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", "none")  # what goes over the bus does not depend on it
    with Telemetry("test").root("push", kind=SpanKind.SERVER) as span:
        record = sealed()
    ours = span.get_span_context()
    assert record.headers["traceparent"] == f"00-{ours.trace_id:032x}-{ours.span_id:016x}-{ours.trace_flags:02x}"
    found = get_current_span(trace_of(record.headers)).get_span_context()
    assert (found.trace_id, found.span_id, found.is_remote) == (ours.trace_id, ours.span_id, True)


def test_a_record_without_a_trace_begins_none() -> None:
    for headers in ({}, {"traceparent": "nonsense"}):
        assert not get_current_span(trace_of(headers)).get_span_context().is_valid


def test_an_event_that_is_too_large_is_refused() -> None:
    event = AudienceEvent(chat=Chat(text="x" * MAX_VALUE_BYTES))
    with pytest.raises(ValueError, match=r"lydia\.v1\.AudienceEvent of 10000\d\d bytes is over the 1000000 allowed"):
        seal(topics.AUDIENCE, event, event_id="e1", room_id="room1", source="test", now_ms=0)


def test_another_type_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"holds lydia\.v1\.AudienceEvent, not lydia\.v1\.Turn"):
        unseal(sealed(), Turn)


@pytest.mark.parametrize("value", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", EVENT.SerializeToString()[:-1]])
def test_bytes_that_are_no_event_are_malformed(value: bytes) -> None:
    with pytest.raises(Malformed, match=r"is no lydia\.v1\.AudienceEvent"):
        unseal(Record(topics.AUDIENCE, "room1", value), AudienceEvent)


def test_a_record_without_headers_is_taken_for_what_its_topic_carries() -> None:
    assert unseal(Record(topics.AUDIENCE, "room1", EVENT.SerializeToString()), AudienceEvent) == EVENT


def test_fields_of_a_later_version_are_ignored() -> None:
    value = EVENT.SerializeToString() + b"\xfa\x07\x03new"  # field 127, a string
    assert unseal(Record(topics.AUDIENCE, "room1", value), AudienceEvent).event_id == "e1"
