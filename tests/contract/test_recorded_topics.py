"""A room that Kafka's topics recorded: the file of them replays to the same bytes, and holds what the topics hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.kafka import KafkaServer
from deploy.local.process import running
from services.audience.record import record, shown
from services.audience.replay import replay
from services.audience.service import Audience
from services.core import topics
from services.core.bus.kafka import open_kafka
from services.core.bus.port import Record
from services.core.clock import SystemClock
from services.core.events import Control, Panic
from services.core.settings import Audience as Policy
from services.core.settings import Kafka
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from tests.contract.listening import until
from tests.unit.audience.fake_stage import FakeStage
from tests.unit.audience.house import MODERATOR, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOM = "recorded"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A broker of this module's own: other tests write what is no event under the names of Lydia's topics."""
    async with running(KafkaServer(tmp_path_factory.mktemp("recorded"))) as server:
        yield server.servers


async def test_a_room_recorded_from_kafka_replays_to_the_same_bytes(kafka_servers: str, tmp_path: Path) -> None:
    house, clock = House(), SystemClock()
    house.clock = clock  # type: ignore[assignment]
    async with open_kafka(Kafka(bootstrap_servers=kafka_servers)) as bus:
        house.bus = bus  # type: ignore[assignment]
        state = MemoryState(clock)
        stage = FakeStage(bus, clock, segment_s=0.05, state=state)
        performing = asyncio.create_task(stage.run())

        def audience() -> asyncio.Task[None]:
            policy = Policy(quiet_s=2, thanks_at_once=2, interrupt_fen=1000)
            running = Audience(
                bus, state, clock, Telemetry("test"), policy, moderator=MODERATOR, record_topic=True, max_rooms=10
            )
            return asyncio.create_task(running.run())

        gifts: list[str] = []

        async def heard() -> bool:
            return all(stage.heard[gift] for gift in gifts)

        for part in range(2):
            deciding = audience()
            await house.chat(f"这是第{part}个问题，对吗？", "zoe", room=ROOM)
            for i in range(5):
                gift = await house.gift(5000 if i == 3 else 10, f"giver{part}{i}", room=ROOM)
                gifts.append(gift.event_id)
            await house.control(Control(epoch=0, panic=Panic(released=True)), room=ROOM)
            await until(heard)
            await asyncio.sleep(0.5)  # what was decided on the last report
            deciding.cancel()
            await asyncio.gather(deciding, return_exceptions=True)
        performing.cancel()
        await asyncio.gather(performing, return_exceptions=True)

        path = tmp_path / "room.lydialog"
        recorded = await record(bus, ROOM, path)
        assert recorded.differences == ()
        assert shown(recorded, ROOM, path)[1] == 0
        result = replay(path)
        assert result.difference is None
        assert result.turns >= 4
        assert result.decisions >= len(gifts)
        assert [record async for record in bus.read(topics.dead(topics.AUDIENCE)) if record.key == ROOM] == []

        turn = next([found async for found in bus.read(topics.TURNS) if found.key == ROOM].__iter__())
        await bus.publish(Record(topics.TURNS, ROOM, b"", turn.headers))
        assert len((await record(bus, ROOM, path)).differences) == 1, "a topic that says something else is found out"
        assert shown(await record(bus, "another", path), "another", path)[1] == 2
