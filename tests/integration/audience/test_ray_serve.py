"""The audience on a real Ray Serve, fed by the bridge, over a real Redis: rooms stay whole whatever dies or grows."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from deploy.dashboards.every import DASHBOARDS
from deploy.local.process import running
from deploy.local.prometheus import Prometheus
from deploy.local.ray import RayServe, ray_serve
from deploy.local.redis import RedisServer
from deploy.local.slow import SlowWay, slow_way
from deploy.local.spans import Seen, Spans, collecting
from services.audience import keys
from services.audience.batch import pack
from services.audience.bridge import Bridge
from services.audience.remote import REPLICA, SESSION, RemoteRooms
from services.core import topics
from services.core.bus.redis_streams import RedisBus
from services.core.clock import SystemClock
from services.core.envelope import seal, unseal
from services.core.events import AudienceEvent, Chat, Gift, Turn, Viewer
from services.core.settings import Ray
from services.core.state.redis_state import RedisState
from services.core.telemetry import Telemetry
from tests.unit.audience.fake_stage import FakeStage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

SETTINGS = {
    "LYDIA_RAY__CPUS": "0.1",
    "LYDIA_RAY__MIN_REPLICAS": "2",
    "LYDIA_RAY__MAX_REPLICAS": "3",
    "LYDIA_RAY__TARGET_CALLS": "0.25",
    "LYDIA_RAY__LOOK_BACK_S": "2",
    "LYDIA_RAY__UPSCALE_DELAY_S": "1",
    "LYDIA_RAY__DOWNSCALE_DELAY_S": "4",
    "LYDIA_RAY__DRAIN_S": "2",
    "LYDIA_AUDIENCE__THANKS_AT_ONCE": "5",
    "LYDIA_AUDIENCE__QUIET_S": "3600",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
}
PATIENCE_S = 300.0
"""The machine may be busy with other things; how fast it is, is no business of these tests."""


@dataclass
class Theatre:
    """Everything but the bridge, running."""

    ray: RayServe
    bus: RedisBus
    state: RedisState
    stage: FakeStage
    spans: Spans
    http: httpx.AsyncClient
    clock: SystemClock
    way: SlowWay
    """From the replicas to Redis."""
    numbers: int = 0

    @asynccontextmanager
    async def bridge(self) -> AsyncIterator[Telemetry]:
        telemetry = Telemetry("bridge")
        rooms = RemoteRooms(self.ray.url, self.http)
        task = asyncio.create_task(Bridge(self.bus, self.state, telemetry, rooms, Ray(hold_s=1.0)).run())
        try:
            yield telemetry
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def gift(self, room: str, value_fen: int = 10) -> str:
        gift = Gift(gift_id="rose", name="rose", count=1, value_fen=value_fen)
        return await self.publish(AudienceEvent(room_id=room, gift=gift))

    async def publish(self, event: AudienceEvent) -> str:
        self.numbers += 1
        event.event_id = f"event-{self.numbers}"
        event.viewer.CopyFrom(Viewer(id=f"viewer-{self.numbers}", name="Zoe"))
        event.received_at_ms = now_ms = self.clock.now_ms()
        record = seal(
            topics.AUDIENCE, event, event_id=event.event_id, room_id=event.room_id, source="gateway", now_ms=now_ms
        )
        await self.bus.publish(record)
        return event.event_id

    async def all_heard_once(self, ids: list[str]) -> None:
        """Waits until each was heard, and then looks a little longer whether one comes twice."""
        async with asyncio.timeout(PATIENCE_S):
            while any(not self.stage.heard[event_id] for event_id in ids):
                self.stage.changed.clear()
                await self.stage.changed.wait()
        await asyncio.sleep(2)
        assert {event_id: self.stage.heard[event_id] for event_id in ids} == dict.fromkeys(ids, 1)

    async def turns(self, room: str) -> list[Turn]:
        records = [record async for record in self.bus.read(topics.TURNS) if record.key == room]
        return [unseal(record, Turn) for record in records]

    async def replica_of(self, room: str) -> str:
        """Who has the room: HOST:PID. Takes it up there."""
        url, headers = f"{self.ray.url}/batch", {SESSION: room}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self.http.post(url, content=pack([]), headers=headers, timeout=60)
                if answer.is_success:
                    break
                await asyncio.sleep(0.2)  # a replica that has just died is still asked
        return answer.headers[REPLICA]


@asynccontextmanager
async def playing(folder: Path) -> AsyncIterator[Theatre]:
    """Starts a theatre."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        spans = await stack.enter_async_context(collecting())
        redis = await stack.enter_async_context(running(RedisServer(folder)))
        way = await stack.enter_async_context(slow_way())
        way.target = redis.port
        environment = SETTINGS | {
            "LYDIA_REDIS__URL": f"redis://127.0.0.1:{way.port}",
            "LYDIA_TELEMETRY__OTLP_ENDPOINT": spans.endpoint,
        }
        ray = await stack.enter_async_context(ray_serve(folder, environment=environment))
        bus = await stack.enter_async_context(RedisBus(redis.url, lease_s=0.5))
        state = await stack.enter_async_context(RedisState(redis.url))
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        stage = FakeStage(bus, clock, segment_s=0.05)
        performing = asyncio.create_task(stage.run())
        yield Theatre(ray, bus, state, stage, spans, http, clock, way)
        performing.cancel()
        await asyncio.gather(performing, return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theatre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Theatre]:
    async with playing(tmp_path_factory.mktemp("ray")) as found:
        yield found


async def until(happens: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await happens():
                return
            await asyncio.sleep(0.2)


async def test_a_message_becomes_a_turn_and_stays_one_trace_through_the_replica(theatre: Theatre) -> None:
    pushed = InMemorySpanExporter()
    gateway = Telemetry("gateway", processors=(SimpleSpanProcessor(pushed),))
    async with theatre.bridge():
        with gateway.root("push", kind=SpanKind.SERVER):
            event_id = await theatre.publish(AudienceEvent(room_id="traced", chat=Chat(text="你好呀Lydia")))
        await until(lambda: has(theatre.turns("traced")))
        (turn,) = await theatre.turns("traced")
        assert [event.event_id for event in turn.audience.events] == [event_id]

        (push,) = pushed.get_finished_spans()
        assert push.context is not None
        trace_id = push.context.trace_id.to_bytes(16, "big")
        for name in (f"process {topics.AUDIENCE}", "open turn"):
            await until(lambda name=name: has(span_named(theatre.spans, trace_id, name)))  # type: ignore[misc]
    (processed,) = await span_named(theatre.spans, trace_id, f"process {topics.AUDIENCE}")
    (opened,) = await span_named(theatre.spans, trace_id, "open turn")
    assert processed.service == opened.service == "lydia-audience"
    assert processed.span.parent_span_id == push.context.span_id.to_bytes(8, "big")
    assert opened.span.parent_span_id == processed.span.span_id
    (record,) = [record async for record in theatre.bus.read(topics.TURNS) if record.key == "traced"]
    assert record.headers["traceparent"].split("-")[1:3] == [trace_id.hex(), opened.span.span_id.hex()]


async def has(found: Awaitable[list[Turn]] | Awaitable[list[Seen]]) -> bool:
    return bool(await found)


async def span_named(spans: Spans, trace_id: bytes, name: str) -> list[Seen]:
    return [seen for seen in spans.traces.get(trace_id, []) if seen.span.name == name]


async def test_two_replicas_share_the_rooms_and_each_room_stays_with_one(theatre: Theatre) -> None:
    await until(lambda: are(theatre, 2))
    await until(lambda: all_answer(theatre))
    seen: dict[str, set[str]] = defaultdict(set)
    for _ in range(4):
        for i in range(12):
            seen[f"shared{i}"].add(await theatre.replica_of(f"shared{i}"))
    assert all(len(replicas) == 1 for replicas in seen.values()), "a room has one replica"
    assert len(set.union(*seen.values())) == 2, "and the rooms are with both"


PANELS = [
    query.expr.replace("$__rate_interval", "2m")
    for board in DASHBOARDS
    for panel in board.panels
    for query in panel.queries
    if panel.source == "ray" and "ray_serve_" in query.expr
]
"""What dashboards ask of Ray Serve itself."""


async def all_answer(theatre: Theatre) -> bool:
    """Whether the rooms are spread over every replica; a new one is known to the proxy a little later."""
    answering = {await theatre.replica_of(f"spread{i}") for i in range(12)}
    return {int(replica.rpartition(":")[2]) for replica in answering} == theatre.ray.replicas()


async def are(theatre: Theatre, number: int) -> bool:
    return len(theatre.ray.replicas()) == number


async def test_prometheus_reads_what_ray_serve_and_each_replica_count(theatre: Theatre, tmp_path: Path) -> None:
    await until(lambda: are(theatre, 2))
    for i in range(12):
        await theatre.replica_of(f"counted{i}")
    async with (
        running(Prometheus(tmp_path, {"ray": {"ray": theatre.ray.metrics}})) as prometheus,
        theatre.bridge(),
    ):
        await theatre.all_heard_once([await theatre.gift(f"counted{i}") for i in range(12)])

        async def counted(query: str) -> int:
            found = await theatre.http.get(f"{prometheus.url}/api/v1/query", params={"query": query})
            return len(found.raise_for_status().json()["data"]["result"])

        async def both_replicas() -> bool:
            return await counted('sum by (replica) (lydia_turns_total{lane="paid"}) > 0') >= 2

        async def the_deployment() -> bool:
            return await counted('ray_serve_deployment_request_counter_total{deployment="rooms"} > 0') > 0

        async def each_panel_of_ray() -> bool:
            await theatre.replica_of("counted0")  # a rate has to see its series grow
            return all([await counted(query) for query in PANELS])

        await until(both_replicas)
        await until(the_deployment)
        await until(each_panel_of_ray)


async def test_a_replica_killed_in_the_middle_loses_nothing_and_repeats_nothing(theatre: Theatre) -> None:
    rooms = [f"killed{i}" for i in range(6)]
    async with theatre.bridge():
        ids = []
        for i in range(60):
            ids.append(await theatre.gift(rooms[i % 6], 2000 if i % 7 == 0 else 10))
            await asyncio.sleep(0.02)
            if i == 30:
                killed = await theatre.replica_of(rooms[0])
                os.kill(int(killed.rpartition(":")[2]), signal.SIGKILL)
        await theatre.all_heard_once(ids)
        assert await theatre.replica_of(rooms[0]) != killed
    for room in rooms:
        turns = await theatre.turns(room)
        # A turn may come twice, when its replica died before it could note that it had sent it: under the same id.
        epochs = [epoch for epoch, _ in dict.fromkeys((turn.epoch, turn.turn_id) for turn in turns)]
        assert epochs == sorted(set(epochs)), "one turn at a time"
        assert not await theatre.state.fields(keys.pending_key(room)), "no promise is left open"


@pytest.mark.minutes
async def test_a_burst_brings_a_replica_more_and_quiet_takes_it_away_again(theatre: Theatre) -> None:
    await until(lambda: are(theatre, 2))
    rooms = [f"burst{i}" for i in range(8)]

    async def call(room: str) -> None:
        while True:
            await theatre.replica_of(room)

    async with theatre.bridge():
        # Each call takes long, so that few are a burst, on a fast machine as on a slow one.
        theatre.way.delay_s = 0.1
        calls = [asyncio.create_task(call(room)) for room in rooms]
        try:
            ids = [await theatre.gift(room) for room in rooms]
            await until(lambda: are(theatre, 3))
        finally:
            theatre.way.delay_s = 0.0
            for each in calls:
                each.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        ids += [await theatre.gift(room) for room in rooms]
        await theatre.all_heard_once(ids)
        await until(lambda: are(theatre, 2))
        last = [await theatre.gift(room) for room in rooms]
        await theatre.all_heard_once(last)


@pytest.mark.minutes
async def test_the_head_killed_and_started_again_is_waited_for(theatre: Theatre) -> None:
    rooms = [f"headless{i}" for i in range(4)]
    async with theatre.bridge() as telemetry:
        ids = [await theatre.gift(room) for room in rooms for _ in range(3)]
        await asyncio.sleep(0.3)
        await theatre.ray.server.kill()
        ids += [await theatre.gift(room) for room in rooms for _ in range(3)]
        await asyncio.sleep(1)
        waiting = telemetry.metrics.registry.get_sample_value("lydia_bridge_waiting_records")
        assert waiting, "the bridge keeps what nobody takes"
        await theatre.ray.server.start()
        await theatre.all_heard_once(ids)
        waiting = telemetry.metrics.registry.get_sample_value("lydia_bridge_waiting_records")
        assert waiting == 0
