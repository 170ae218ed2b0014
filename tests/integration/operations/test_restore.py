"""The state is copied while it is in use and brought up elsewhere, as deploy/operations.md says: there what is owed is
thanked, and what was thanked is not thanked again.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from deploy.local.process import running
from deploy.local.redis import RedisServer
from services.audience.service import Audience
from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import SystemClock
from services.core.envelope import seal, unseal
from services.core.events import AudienceEvent, Control, Gift, Mute, Performed, Turn, Viewer
from services.core.moderation import Moderator
from services.core.settings import Audience as Policy
from services.core.state.redis_state import RedisState
from services.core.telemetry import Telemetry
from tests.contract.listening import until

ROOM = "restored"


class Side:
    """A bus and an audience, on one Redis."""

    def __init__(self, url: str) -> None:
        self.bus, self.clock, self.telemetry = MemoryBus(), SystemClock(), Telemetry("test")
        self._url = url

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        async with RedisState(self._url) as state:
            audience = Audience(
                self.bus, state, self.clock, self.telemetry, Policy(quiet_s=3600), moderator=Moderator.built_in()
            )
            task = asyncio.create_task(audience.run())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def give(self, event_id: str) -> None:
        event = AudienceEvent(event_id=event_id, room_id=ROOM, platform="test", message_id=event_id)
        event.viewer.CopyFrom(Viewer(id=event_id, name="Mei"))
        event.gift.CopyFrom(Gift(gift_id="rose", name="rose", count=1, value_fen=100))
        event.received_at_ms = self.clock.now_ms()
        await self._publish(topics.AUDIENCE, event, event_id)

    async def mute(self, muted: bool) -> None:
        name = f"mute {muted}"
        control = Control(control_id=name, room_id=ROOM, issued_by="operator", mute=Mute(muted=muted))
        control.at_ms = self.clock.now_ms()
        await self._publish(topics.CONTROL, control, name)

    async def heard(self, turn: Turn) -> None:
        report = Performed(performed_id=turn.turn_id, room_id=ROOM, turn_id=turn.turn_id, epoch=turn.epoch)
        report.state, report.heard_segments = Performed.STATE_FINISHED, 1
        await self._publish(topics.PERFORMED, report, turn.turn_id)

    async def turns(self) -> list[Turn]:
        return [unseal(record, Turn) async for record in self.bus.read(topics.TURNS)]

    def owed(self) -> float | None:
        return self.telemetry.metrics.registry.get_sample_value("lydia_paid_owed_events")

    async def _publish(self, topic: str, event: AudienceEvent | Control | Performed, event_id: str) -> None:
        await self.bus.publish(
            seal(topic, event, event_id=event_id, room_id=ROOM, source="test", now_ms=self.clock.now_ms())
        )


def thanked(turns: list[Turn]) -> list[str]:
    return [event.event_id for turn in turns for event in turn.audience.events]


async def copied(url: str, from_folder: Path, to_folder: Path) -> None:
    """The backup: no rewriting of the log meanwhile, so that its files belong together."""
    redis = Redis.from_url(url)
    before = str((await redis.config_get("auto-aof-rewrite-percentage"))["auto-aof-rewrite-percentage"])
    await redis.config_set("auto-aof-rewrite-percentage", 0)
    try:
        assert (await redis.info("persistence"))["aof_rewrite_in_progress"] == 0
        await asyncio.to_thread(_copy, from_folder, to_folder)
    finally:
        await redis.config_set("auto-aof-rewrite-percentage", before)
        await redis.aclose()


def _copy(from_folder: Path, to_folder: Path) -> None:
    to_folder.mkdir()
    for each in from_folder.glob("appendonly*"):  # one file of Redis 6, a folder of Redis 7
        if each.is_dir():
            shutil.copytree(each, to_folder / each.name)
        else:
            shutil.copy(each, to_folder)


async def test_what_is_owed_in_a_backup_is_thanked_where_it_is_restored(tmp_path: Path) -> None:
    here = RedisServer(tmp_path / "here")
    async with running(here):
        side = Side(here.url)
        async with side.playing():
            await side.give("thanked before")
            await until(lambda: _has(side, 1))
            await side.heard((await side.turns())[0])
            await until(lambda: _owes(side, 0))
            await side.mute(True)
            await asyncio.sleep(0.5)
            await side.give("owed")
            await until(lambda: _owes(side, 1))
            await copied(here.url, tmp_path / "here", tmp_path / "there")
    there = RedisServer(tmp_path / "there")
    async with running(there):
        side = Side(there.url)
        async with side.playing():
            await until(lambda: _owes(side, 1))
            await side.give("thanked before")  # the platform hands out again what it is not sure of
            await side.give("owed")
            await side.mute(False)
            await until(lambda: _has(side, 1))
            await side.heard((await side.turns())[0])
            await until(lambda: _owes(side, 0))
            await asyncio.sleep(0.5)
        assert thanked(await side.turns()) == ["owed"]


async def _has(side: Side, number: int) -> bool:
    return len(await side.turns()) == number


async def _owes(side: Side, number: int) -> bool:
    return side.owed() == number
