"""The motion service: frames for every live voice chunk, once each, and down the ladder when a rung fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import LoopClock
from services.core.envelope import seal, unseal
from services.core.events import Control, MotionChunk, Stop, VoiceChunk
from services.core.inference import InProcess, Model, ModelFailed
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from services.motion.model.rules import Rules
from services.motion.service import Motion
from tests.unit.motion.test_rules import sentence
from tests.unit.motion.voices import voice


class Broken:
    """A rung that fails from its second chunk on."""

    def __init__(self) -> None:
        self.asked = 0

    async def ready(self) -> bool:
        return True

    async def stream(self, request: VoiceChunk) -> AsyncIterator[MotionChunk]:
        self.asked += 1
        if self.asked > 1:
            raise ModelFailed("no more")
        yield MotionChunk(turn_id=request.turn_id, sequence=request.sequence, rung="broken")


class Stuck:
    """A rung that never answers."""

    async def ready(self) -> bool:
        return True

    async def stream(self, request: VoiceChunk) -> AsyncIterator[MotionChunk]:
        await asyncio.sleep(3600)
        yield MotionChunk(turn_id=request.turn_id)


class Room:
    def __init__(self, *, by_ear: tuple[str, ...] = (), **rungs: Model) -> None:
        self.clock = LoopClock()
        self.bus, self.state = MemoryBus(), MemoryState(self.clock)
        self.telemetry = Telemetry("test")
        models = {f"motion.{name}": model for name, model in rungs.items()} or {"motion.rules": Rules()}
        self.motion = Motion(
            self.bus,
            self.state,
            InProcess(models),
            self.clock,
            self.telemetry,
            rungs=tuple(models),
            by_ear=[f"motion.{name}" for name in by_ear],
        )

    async def publish(self, chunk: VoiceChunk) -> None:
        name = f"{chunk.turn_id} {chunk.sequence}"
        await self.bus.publish(seal(topics.VOICE, chunk, event_id=name, room_id=chunk.room_id, source="test", now_ms=0))

    async def frames(self) -> list[tuple[str, MotionChunk]]:
        """Id and value of everything published."""
        return [(record.headers["ce_id"], unseal(record, MotionChunk)) async for record in self.bus.read(topics.FRAMES)]

    def count(self, name: str, rung: str) -> float:
        return self.telemetry.metrics.registry.get_sample_value(name, {"service": "motion", "rung": rung}) or 0


class Curious:
    """A rung that notes whether it hears of turns."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    async def ready(self) -> bool:
        return True

    async def stream(self, request: VoiceChunk) -> AsyncIterator[MotionChunk]:
        self.told.append(request.HasField("turn"))
        yield MotionChunk(turn_id=request.turn_id)


@virtual_time
async def test_every_voice_chunk_gets_its_frames() -> None:
    room = Room()
    task = asyncio.create_task(room.motion.run())
    chunks = voice([sentence()])
    for chunk in chunks:
        await room.publish(chunk)
    await asyncio.sleep(1)
    task.cancel()
    made = [frames for _, frames in await room.frames()]
    assert [frames.sequence for frames in made] == [chunk.sequence for chunk in chunks]
    assert [frames.start_sample for frames in made] == [chunk.start_sample for chunk in chunks]
    assert made[-1].last
    assert room.count("lydia_rung_used_total", "motion.rules") == 1
    assert await room.bus.lag(topics.VOICE, "motion") == 0


@virtual_time
async def test_a_repeated_chunk_is_published_under_the_same_id_as_it_was() -> None:
    room = Room()
    task = asyncio.create_task(room.motion.run())
    chunks = voice([sentence()])
    for chunk in [*chunks[:2], chunks[1], chunks[2]]:
        await room.publish(chunk)
    await asyncio.sleep(1)
    task.cancel()
    made = await room.frames()
    assert made[1] == made[2]
    assert len({event_id for event_id, _ in made}) == 3


@virtual_time
async def test_a_dead_epoch_is_not_performed() -> None:
    room = Room()
    task = asyncio.create_task(room.motion.run())
    chunks = voice([sentence()])
    await room.publish(chunks[0])
    await asyncio.sleep(1)
    stop = Control(control_id="stop", room_id="room", epoch=2, stop=Stop())
    await room.bus.publish(seal(topics.CONTROL, stop, event_id="stop", room_id="room", source="test", now_ms=0))
    await asyncio.sleep(1)
    await room.publish(chunks[1])
    await asyncio.sleep(1)
    task.cancel()
    assert [frames.sequence for _, frames in await room.frames()] == [0]
    assert await room.bus.lag(topics.VOICE, "motion") == 0


@virtual_time
async def test_a_failing_rung_rests_while_the_next_one_goes_on() -> None:
    broken = Broken()
    room = Room(broken=broken, rules=Rules())
    task = asyncio.create_task(room.motion.run())
    chunks = voice([sentence()])
    for chunk in chunks:
        await room.publish(chunk)
    await asyncio.sleep(1)
    task.cancel()
    assert [frames.rung for _, frames in await room.frames()] == ["broken"] + ["rules"] * (len(chunks) - 1)
    assert broken.asked == 2
    assert room.count("lydia_rung_failed_total", "motion.broken") == 1


@virtual_time
async def test_a_rested_rung_is_tried_again() -> None:
    broken = Broken()
    room = Room(broken=broken, rules=Rules())
    task = asyncio.create_task(room.motion.run())
    for turn in ("one", "two"):
        for chunk in voice([sentence(repeat=1)], turn_id=turn):
            await room.publish(chunk)
        await asyncio.sleep(60)
    task.cancel()
    assert broken.asked == 3
    assert room.count("lydia_rung_failed_total", "motion.broken") == 2
    assert room.count("lydia_rung_used_total", "motion.rules") == 2


@virtual_time
async def test_a_rung_that_does_not_answer_costs_a_second_once() -> None:
    room = Room(stuck=Stuck(), rules=Rules())
    task = asyncio.create_task(room.motion.run())
    chunks = voice([sentence()])
    for chunk in chunks:
        await room.publish(chunk)
    await asyncio.sleep(1.5)
    task.cancel()
    assert len(await room.frames()) == len(chunks)


@virtual_time
async def test_a_chunk_that_no_rung_moves_is_buried_and_the_turn_goes_on() -> None:
    room = Room()
    task = asyncio.create_task(room.motion.run())
    chunks = voice([sentence()])
    chunks[1].sample_rate = 8000
    for chunk in chunks:
        await room.publish(chunk)
    await asyncio.sleep(5)
    task.cancel()
    assert [frames.sequence for _, frames in await room.frames()] == [0, 2, 3, 4, 5]
    buried = [record async for record in room.bus.read(topics.dead(topics.VOICE))]
    assert len(buried) == 1
    assert "ModelFailed" in buried[0].headers["lydia_reason"]


class Named:
    """A rung that always answers."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def ready(self) -> bool:
        return True

    async def stream(self, request: VoiceChunk) -> AsyncIterator[MotionChunk]:
        yield MotionChunk(turn_id=request.turn_id, sequence=request.sequence, rung=self._name)


async def rungs_used(room: Room, chunks: list[VoiceChunk]) -> list[str]:
    task = asyncio.create_task(room.motion.run())
    for chunk in chunks:
        await room.publish(chunk)
    await asyncio.sleep(1)
    task.cancel()
    return [frames.rung for _, frames in await room.frames()]


@virtual_time
async def test_a_voice_whose_phonemes_nobody_knows_is_moved_by_ear() -> None:
    room = Room(by_ear=("ear",), ear=Named("ear"), rules=Named("rules"))
    chunks = voice([sentence()], known=False)
    assert await rungs_used(room, chunks) == ["ear"] * len(chunks)
    assert room.count("lydia_rung_used_total", "motion.ear") == 1


@virtual_time
async def test_a_voice_that_tells_its_phonemes_is_moved_by_rules() -> None:
    room = Room(by_ear=("ear",), ear=Named("ear"), rules=Named("rules"))
    chunks = voice([sentence()])
    assert await rungs_used(room, chunks) == ["rules"] * len(chunks)


@virtual_time
async def test_the_rules_take_over_from_an_ear_that_fails_and_it_is_counted() -> None:
    room = Room(by_ear=("broken",), broken=Broken(), rules=Rules())
    chunks = voice([sentence()], known=False)
    assert await rungs_used(room, chunks) == ["broken"] + ["rules"] * (len(chunks) - 1)
    assert room.count("lydia_rung_failed_total", "motion.broken") == 1


@virtual_time
async def test_no_model_hears_of_what_a_turn_answers() -> None:
    curious = Curious()
    room = Room(curious=curious)
    chunk = voice([sentence()])[0]
    chunk.turn.turn_id = chunk.turn_id
    await room.publish(chunk)
    task = asyncio.create_task(room.motion.run())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert curious.told == [False]
