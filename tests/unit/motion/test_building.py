"""The composition root gives her an ear where a foreign voice may come, and only there."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from services.building.motion import build
from services.building.part import Ports, Shared
from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import LoopClock
from services.core.envelope import seal, unseal
from services.core.events import MotionChunk
from services.core.ids import RandomIds
from services.core.settings import Motion as MotionSettings
from services.core.settings import Settings
from services.core.settings import Speech as SpeechSettings
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from tests.unit.motion.test_rules import sentence
from tests.unit.motion.voices import voice


@pytest.mark.parametrize(
    ("server", "wanted", "known", "rung"),
    [
        ("http://127.0.0.1:9", False, False, "network"),
        ("http://127.0.0.1:9", False, True, "rules"),
        ("", False, False, "rules"),
        ("", True, True, "network"),
    ],
)
@virtual_time
async def test_a_foreign_voice_is_moved_by_the_network_and_her_own_by_rules_unless_the_settings_want_it_too(
    server: str, wanted: bool, known: bool, rung: str
) -> None:
    clock, bus = LoopClock(), MemoryBus()
    ports = Ports(bus, MemoryState(clock), clock, RandomIds(), Telemetry("test"))
    settings = Settings(speech=SpeechSettings(base_url=server), motion=MotionSettings(network=wanted))
    chunks = voice([sentence()], known=known)
    async with AsyncExitStack() as stack:
        part = build(settings, ports, Shared(settings, stack))
        tasks = [asyncio.create_task(service.run()) for service in part.runs.values()]
        for chunk in chunks:
            record = seal(topics.VOICE, chunk, event_id=f"{chunk.sequence}", room_id="room", source="test", now_ms=0)
            await bus.publish(record)
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
    made = [unseal(record, MotionChunk) async for record in bus.read(topics.FRAMES)]
    assert [frames.rung for frames in made] == [rung] * len(chunks)
