"""Traces go over the bus: the span in which one service publishes is the parent of the next service's span."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from services.core import topics
from services.core.bus import Delivery, MemoryBus, Record
from services.core.envelope import seal
from services.core.events import AudienceEvent, TextSegment, Turn
from services.core.telemetry import Telemetry, current_link
from services.core.virtual_time import virtual_time
from services.core.worker import Verdict, Worker


class Traced:
    """Telemetry whose spans can be looked at."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self.telemetry = Telemetry("test", processors=(SimpleSpanProcessor(self._spans),))

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._spans.get_finished_spans()}


def context(span: ReadableSpan) -> tuple[int, int]:
    found = span.get_span_context()
    assert found is not None
    return found.trace_id, found.span_id


def parent(span: ReadableSpan) -> tuple[int, int] | None:
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


@virtual_time
async def test_a_trace_follows_an_event_from_worker_to_worker() -> None:
    bus, traced = MemoryBus(), Traced()

    async def audience(event: AudienceEvent, _: Delivery) -> Verdict:
        turn = Turn(turn_id="t1", room_id=event.room_id)
        with traced.telemetry.span("choose"):
            await asyncio.sleep(0.1)
            await bus.publish(seal(topics.TURNS, turn, event_id="t1", room_id="a", source="audience", now_ms=0))
        return Verdict.DONE

    async def chat(turn: Turn, _: Delivery) -> Verdict:
        segment = TextSegment(turn_id=turn.turn_id, room_id="a")
        await bus.publish(seal(topics.TEXT, segment, event_id="s1", room_id="a", source="chat", now_ms=0))
        return Verdict.DONE

    async def speech(_segment: TextSegment, _: Delivery) -> Verdict:
        return Verdict.DONE

    handlers = {topics.AUDIENCE: audience, topics.TURNS: chat, topics.TEXT: speech}
    tasks = [
        asyncio.create_task(Worker(bus, traced.telemetry, service=topic).run(topic, handle=handle))  # type: ignore[arg-type]
        for topic, handle in handlers.items()
    ]
    with traced.telemetry.root("push", kind=SpanKind.SERVER):
        event = AudienceEvent(event_id="e1", room_id="a")
        await bus.publish(seal(topics.AUDIENCE, event, event_id="e1", room_id="a", source="gateway", now_ms=0))
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()

    spans = traced.spans()
    chain = ["push", "process lydia.audience", "choose", "process lydia.turns", "process lydia.text"]
    assert parent(spans["push"]) is None
    for above, below in pairwise(chain):
        assert parent(spans[below]) == context(spans[above]), f"{below} belongs below {above}"
    assert spans["process lydia.turns"].kind is SpanKind.CONSUMER


@virtual_time
async def test_rooms_side_by_side_keep_their_traces_apart() -> None:
    bus, traced = MemoryBus(), Traced()
    roots: dict[str, int] = {}
    seen: dict[str, tuple[int, int]] = {}

    async def handle(event: AudienceEvent, _: Delivery) -> Verdict:
        await asyncio.sleep(1)
        with traced.telemetry.span(f"inside {event.room_id}"):
            await asyncio.sleep(1)
        return Verdict.DONE

    task = asyncio.create_task(Worker(bus, traced.telemetry, service="test").run(topics.AUDIENCE, handle=handle))
    for room in "abc":
        with traced.telemetry.root(f"push {room}", kind=SpanKind.SERVER) as span:
            roots[room] = span.get_span_context().trace_id
            event = AudienceEvent(event_id=room, room_id=room)
            await bus.publish(seal(topics.AUDIENCE, event, event_id=room, room_id=room, source="test", now_ms=0))
    await asyncio.sleep(5)
    task.cancel()
    for room in "abc":
        seen[room] = context(traced.spans()[f"inside {room}"])
    assert {room: trace for room, (trace, _) in seen.items()} == roots


def test_a_span_of_a_record_says_what_and_where_but_not_who_or_which_words() -> None:
    traced = Traced()
    record = Record(topics.AUDIENCE, "room1", "赵四 says hello".encode(), {"ce_id": "e1"})
    with traced.telemetry.process(record, service="audience"):
        pass
    attributes = dict(traced.spans()["process lydia.audience"].attributes or {})
    assert attributes["messaging.destination.name"] == topics.AUDIENCE
    assert attributes["messaging.message.id"] == "e1"
    assert attributes["lydia.room_id"] == "room1"
    assert not any("hello" in str(value) for value in attributes.values())


def test_a_failure_marks_its_span_without_quoting_it() -> None:
    traced = Traced()
    with pytest.raises(ValueError, match="secret"), traced.telemetry.span("work"):
        raise ValueError("secret words")
    span = traced.spans()["work"]
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert "secret" not in span.to_json()


def test_a_span_may_continue_what_a_records_headers_name() -> None:
    traced = Traced()
    with traced.telemetry.root("push", kind=SpanKind.SERVER):
        record = seal(topics.TURNS, Turn(), event_id="t1", room_id="a", source="test", now_ms=0)
    with traced.telemetry.span("later", parent=record.headers):
        pass
    assert parent(traced.spans()["later"]) == context(traced.spans()["push"])


def test_a_turn_for_several_events_links_to_each() -> None:
    traced = Traced()
    with traced.telemetry.root("other push", kind=SpanKind.SERVER):
        link = current_link()
    with traced.telemetry.process(Record(topics.TURNS, "a", b""), service="chat", links=(link,)):
        pass
    (found,) = traced.spans()["process lydia.turns"].links
    assert (found.context.trace_id, found.context.span_id) == context(traced.spans()["other push"])
