"""Services whose model servers are away: words, voice and frames come all the same, and which rung made them shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from google.protobuf.message import Message

from services.building import chat, motion, speech
from services.building.part import Part, Ports, Shared
from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import SystemClock
from services.core.envelope import seal, unseal
from services.core.events import MotionChunk, TextSegment, VoiceChunk
from services.core.ids import RandomIds
from services.core.inference import ModelFailed
from services.core.settings import Settings
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from tests.contract.listening import listening
from tests.unit.chat.fakes import asked


class Away:
    """Model servers none of which answers."""

    async def stream(self, model: str, request: Message, *, request_id: str) -> AsyncIterator[Any]:  # noqa: ARG002
        raise ModelFailed("no server answers")
        yield

    async def ready(self, model: str) -> bool:  # noqa: ARG002
        return False


async def test_words_voice_and_frames_come_from_the_services_own_processes() -> None:
    clock, bus = SystemClock(), MemoryBus()
    ports = Ports(bus, MemoryState(clock), clock, RandomIds(), Telemetry("test"), Away())
    settings = Settings()
    async with AsyncExitStack() as stack:
        shared = Shared(settings, stack)
        parts: tuple[Part, ...] = (
            await chat.build(settings, ports, shared),
            await speech.build(settings, ports, shared),
            motion.build(settings, ports, shared),
        )
        running = [asyncio.create_task(service.run()) for part in parts for service in part.runs.values()]
        frames = await stack.enter_async_context(listening(bus, topics.FRAMES, group=None))
        turn = asked("你是谁？")
        await bus.publish(seal(topics.TURNS, turn, event_id=turn.turn_id, room_id="a", source="test", now_ms=0))
        await frames.until(lambda: any(unseal(got.record, MotionChunk).last for got in frames.got))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    said = [unseal(record, TextSegment) async for record in bus.read(topics.TEXT)]
    heard = [unseal(record, VoiceChunk) async for record in bus.read(topics.VOICE)]
    assert said[-1].last
    assert any(chunk.pcm_s16le.strip(b"\0") for chunk in heard)
    count = ports.telemetry.metrics.registry.get_sample_value
    for service, rung in (
        ("chat", "chat.persona-here"),
        ("speech", "speech.espeak-here"),
        ("motion", "motion.rules-here"),
    ):
        assert count("lydia_rung_used_total", {"service": service, "rung": rung}), f"{rung} is counted"
