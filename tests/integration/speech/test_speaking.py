"""The service with the real fast voice: a turn is spoken, whatever happens to the voice's process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import SystemClock
from services.core.envelope import seal, unseal
from services.core.events import TextSegment, VoiceChunk
from services.core.ids import derived
from services.core.inference import InProcess
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.speech.espeak.client import WORKER, EspeakClient, espeak_client
from services.speech.model.captions import CaptionsSpeech
from services.speech.model.espeak import EspeakSpeech
from services.speech.service import Speech


class Room:
    """The service at work."""

    def __init__(self, client: EspeakClient) -> None:
        self.client = client
        self.clock = SystemClock()
        self.bus, self.state, self.telemetry = MemoryBus(), MemoryState(self.clock), Telemetry("test")
        models = InProcess({"speech.espeak": EspeakSpeech(client), "speech.captions": CaptionsSpeech()})
        self.speech = Speech(self.bus, self.state, models, self.clock, self.telemetry)

    async def say(self, sequence: int, text: str, *, room: str = "a", last: bool = False) -> None:
        segment = TextSegment(room_id=room, turn_id=room, epoch=1, sequence=sequence, text=text, last=last)
        event_id = derived("text", room, sequence)
        await self.bus.publish(
            seal(topics.TEXT, segment, event_id=event_id, room_id=room, source="test", now_ms=self.clock.now_ms())
        )

    async def heard(self, room: str = "a") -> list[VoiceChunk]:
        return [unseal(r, VoiceChunk) async for r in self.bus.read(topics.VOICE) if r.key == room]

    async def until_segment(self, sequence: int, *, room: str = "a") -> list[VoiceChunk]:
        """Waits for the chunk that closes a segment."""
        async with asyncio.timeout(30):
            while not any(c.last_of_segment and c.segment == sequence for c in await self.heard(room)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return await self.heard(room)


@asynccontextmanager
async def working(command: Sequence[str] = WORKER) -> AsyncIterator[Room]:
    async with espeak_client(timeout_s=20, command=command) as client:
        room = Room(client)
        task = asyncio.create_task(room.speech.run())
        try:
            yield room
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_turn_in_two_languages_is_one_voice_without_gaps() -> None:
    async with working() as room:
        for sequence, text in enumerate(("大家好，", "I am Lydia,", "😂", "来自2112年！")):
            await room.say(sequence, text, last=sequence == 3)
        chunks = await room.until_segment(3)
    assert {chunk.rung for chunk in chunks} == {"espeak"}
    assert len(chunks[0].pcm_s16le) == 4_800
    assert all(b.start_sample == a.start_sample + len(a.pcm_s16le) // 2 for a, b in pairwise(chunks))
    assert chunks[-1].last


async def test_a_turn_goes_on_when_the_voice_is_killed_in_its_middle() -> None:
    async with working() as room:
        await room.say(0, "第一句话。")
        await room.until_segment(0)
        for pid in room.client.pids():
            os.kill(pid, signal.SIGKILL)
        await room.say(1, "第二句话。", last=True)
        chunks = await room.until_segment(1)
    assert {chunk.rung for chunk in chunks} == {"espeak"}
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))


async def test_two_rooms_speak_at_once_and_each_hears_its_own() -> None:
    async with working() as room:
        for sequence, (ours, theirs) in enumerate((("你好。", "Hello."), ("再见。", "Goodbye."))):
            await room.say(sequence, ours, room="a", last=sequence == 1)
            await room.say(sequence, theirs, room="b", last=sequence == 1)
        heard = {name: await room.until_segment(1, room=name) for name in "ab"}
    assert [c.text for c in heard["a"] if c.last_of_segment] == ["你好。", "再见。"]
    assert [c.text for c in heard["b"] if c.last_of_segment] == ["Hello.", "Goodbye."]


async def test_without_any_voice_captions_keep_the_room_alive_and_it_shows() -> None:
    async with working(("/no/such/program",)) as room:
        await room.say(0, "没有声音了。", last=True)
        chunks = await room.until_segment(0)
        failed = room.telemetry.metrics.registry.get_sample_value(
            "lydia_rung_failed_total", {"service": "speech", "rung": "speech.espeak"}
        )
    assert {chunk.rung for chunk in chunks} == {"captions"}
    assert not any(b"".join(chunk.pcm_s16le for chunk in chunks))
    assert failed == 1
