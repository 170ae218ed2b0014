"""The gateway publishes each event once, in order, in a trace of its own."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, get_current_span

from services.core import topics
from services.core.bus import BusUnavailable
from services.core.clock import LoopClock
from services.core.envelope import trace_of
from services.core.events import AudienceEvent, Chat, Viewer
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from services.gateway.platform import event_id
from services.gateway.service import Gateway, Receipt
from tests.unit.gateway.world import TroubledBus, World


def chat(number: int, *, room: str = "r", platform: str = "p") -> AudienceEvent:
    return AudienceEvent(
        event_id=event_id(platform, room, str(number)),
        room_id=room,
        platform=platform,
        message_id=str(number),
        received_at_ms=1,
        viewer=Viewer(id="u", name="Mei"),
        chat=Chat(text="hi"),
    )


@virtual_time
async def test_an_event_is_published_once_however_often_it_comes() -> None:
    world = World()
    assert await world.gateway.accept([chat(1), chat(2), chat(1)]) == Receipt(accepted=2, duplicates=1)
    assert await world.gateway.accept([chat(2), chat(3)]) == Receipt(accepted=1, duplicates=1)
    assert [event.message_id for event in await world.bus.audience()] == ["1", "2", "3"]


@virtual_time
async def test_the_same_message_id_in_another_room_or_platform_is_another_event() -> None:
    world = World()
    receipt = await world.gateway.accept([chat(1), chat(1, room="s"), chat(1, platform="q")])
    assert receipt == Receipt(accepted=3, duplicates=0)


@virtual_time
async def test_an_event_is_remembered_only_after_the_bus_has_it() -> None:
    world = World()
    world.bus.away = True
    with pytest.raises(BusUnavailable):
        await world.gateway.accept([chat(1)])
    world.bus.away = False
    assert await world.gateway.accept([chat(1)]) == Receipt(accepted=1, duplicates=0)


@virtual_time
async def test_a_repetition_is_confirmed_only_when_the_first_is_on_the_bus() -> None:
    world = World()
    world.bus.delay_s = 1
    first = asyncio.create_task(world.gateway.accept([chat(1)]))
    await asyncio.sleep(0.5)
    second = asyncio.create_task(world.gateway.accept([chat(1), chat(2)]))
    await asyncio.sleep(0.4)
    assert not second.done()
    assert await second == Receipt(accepted=1, duplicates=1)
    assert await first == Receipt(accepted=1, duplicates=0)


@virtual_time
async def test_a_repetition_fails_with_the_first() -> None:
    world = World()
    world.bus.delay_s, world.bus.away = 1, True
    first = asyncio.create_task(world.gateway.accept([chat(1)]))
    await asyncio.sleep(0.5)
    second = asyncio.create_task(world.gateway.accept([chat(1)]))
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BusUnavailable, BusUnavailable]
    world.bus.away = False
    assert (await world.gateway.accept([chat(1)])).accepted == 1


@virtual_time
async def test_a_cancelled_request_leaves_nothing_under_way() -> None:
    world = World()
    world.bus.delay_s = 1
    first = asyncio.create_task(world.gateway.accept([chat(1)]))
    await asyncio.sleep(0.5)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (await world.gateway.accept([chat(1)])).accepted == 1


@virtual_time
async def test_the_memory_of_ids_is_bounded() -> None:
    world = World(remembered=10)
    await world.gateway.accept([chat(number) for number in range(20)])
    assert (await world.gateway.accept([chat(19)])).duplicates == 1
    assert (await world.gateway.accept([chat(0)])).accepted == 1


@virtual_time
async def test_every_event_begins_a_trace_that_goes_with_its_record() -> None:
    spans = InMemorySpanExporter()
    telemetry = Telemetry("gateway", processors=(SimpleSpanProcessor(spans),))
    bus = TroubledBus()
    gateway = Gateway(bus, LoopClock(), telemetry)
    bus.delay_s = 0.5
    with telemetry.span("an unrelated request"):
        await gateway.accept([chat(1), chat(2)])
    roots = [span for span in spans.get_finished_spans() if span.name == "receive p"]
    assert [span.parent for span in roots] == [None, None]
    carried: list[SpanContext] = [
        get_current_span(trace_of(record.headers)).get_span_context() async for record in bus.read(topics.AUDIENCE)
    ]
    expected = {span.context.trace_id: span.context.span_id for span in roots}
    assert len(expected) == 2
    assert {context.trace_id: context.span_id for context in carried} == expected
    attributes = str([dict(span.attributes or {}) for span in roots])
    assert "Mei" not in attributes
    assert "hi" not in attributes


@virtual_time
async def test_accepted_events_are_counted_by_platform_and_kind() -> None:
    world = World()
    await world.gateway.accept([chat(1), chat(1), chat(2)])
    labels = {"platform": "p", "kind": "chat"}
    assert world.telemetry.metrics.registry.get_sample_value("lydia_audience_events_total", labels) == 2
