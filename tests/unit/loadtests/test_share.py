"""What is made of the spans of a run, and what is wanted of it."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from deploy.local.spans import Seen, Spans
from loadtests.share import LAST, STEPS, Found, reached, take_steps


def span(service: str, name: str, at_s: float, message: str = "") -> Seen:
    """A span that began then."""
    attributes = [KeyValue(key="messaging.message.id", value=AnyValue(string_value=message))] if message else []
    made = Span(name=name, start_time_unix_nano=round(at_s * 1e9), attributes=attributes)
    return Seen(f"lydia-{service}", made)


def way(*at_s: float, message: str) -> list[Seen]:
    """The trace of a message that passed the steps then."""
    places = zip(STEPS, at_s, strict=False)
    return [span(service, name, at, message if service == "audience" else "") for (_, service, name), at in places]


def test_each_step_is_counted_from_the_one_before_and_the_first_from_when_the_message_was_to_be_sent() -> None:
    found = Found()
    take_steps([way(10.002, 10.005, 10.011, 10.020, 10.032, message="m")], {"m": 10.0}, {"m": 10.040}, found)
    assert [round(times[0]) for times in found.steps.values()] == [2, 3, 6, 9, 12, 8]
    assert list(found.steps)[-1] == LAST
    assert [round(time) for time in found.whole] == [32]


def test_of_a_step_that_is_done_again_the_first_time_counts() -> None:
    found = Found()
    again = span("stage", "process lydia.voice", 11.0)
    take_steps([[again, *way(10.0, 10.1, 10.2, 10.3, 10.4, message="m"), again]], {"m": 10.0}, {"m": 10.5}, found)
    assert [round(time) for time in found.whole] == [400]


@pytest.mark.parametrize(
    ("trace", "heard"),
    [
        (way(10.0, 10.1, 10.2, 10.3, message="m"), {"m": 10.5}),
        (way(10.0, 10.1, 10.2, 10.3, 10.4, message="m"), {}),
        (way(10.0, 10.1, 10.2, 10.3, 10.4, message="another"), {"m": 10.5}),
    ],
    ids=["a step is missing", "nobody heard it", "it is not of the run"],
)
def test_what_cannot_be_followed_to_its_end_is_left_out(trace: list[Seen], heard: dict[str, float]) -> None:
    found = Found()
    take_steps([trace], {"m": 10.0}, heard, found)
    assert found.whole == []
    assert all(times == [] for times in found.steps.values())


def test_the_collector_keeps_as_many_traces_as_it_is_told_and_the_newest_ones() -> None:
    spans = Spans("http://127.0.0.1", most=2)
    for number in (b"1", b"2", b"3"):
        scope = ScopeSpans(spans=[Span(trace_id=number)])
        spans.take(ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])]))
    assert list(spans.traces) == [b"2", b"3"]


@pytest.mark.parametrize(
    ("whole_ms", "bare_ms", "unanswered", "well"),
    [(30.0, 20.0, 0, True), (31.0, 20.0, 0, False), (41.0, 40.0, 0, False), (30.0, 20.0, 1, False)],
)
def test_it_is_well_only_when_every_message_is_answered_quickly_and_near_the_bare_loop(
    whole_ms: float, bare_ms: float, unanswered: int, *, well: bool
) -> None:
    assert reached(Found(bare=[bare_ms], whole=[whole_ms], unanswered=unanswered)) is well
