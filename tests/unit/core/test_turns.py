"""A service works a room's turns in order, stops at once when an epoch dies, and finishes what it must."""

from __future__ import annotations

import asyncio

from services.core import topics
from services.core.bus import MemoryBus, Record
from services.core.clock import LoopClock
from services.core.envelope import seal
from services.core.events import Control, Stop, TextSegment
from services.core.state import MemoryState, Put
from services.core.telemetry import Telemetry
from services.core.turns import TurnWorker, epoch_key
from services.core.virtual_time import virtual_time


class Room:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.bus, self.state = MemoryBus(), MemoryState(self.clock)
        self.telemetry = Telemetry("test")
        self.worker = TurnWorker(self.bus, self.state, self.telemetry, service="speech")
        self.said: list[str] = []
        self.cancelled: list[str] = []
        self.over: list[str] = []

    async def say(self, epoch: int, text: str, *, last: bool = False, room: str = "a") -> None:
        segment = TextSegment(room_id=room, turn_id=f"turn{epoch}", epoch=epoch, text=text, last=last)
        await self.bus.publish(
            seal(topics.TEXT, segment, event_id=text, room_id=room, source="test", now_ms=self.clock.now_ms())
        )

    async def stop(self, epoch: int, *, room: str = "a") -> None:
        control = Control(control_id=f"stop{epoch}", room_id=room, epoch=epoch, stop=Stop())
        await self.bus.publish(
            seal(topics.CONTROL, control, event_id=f"stop{epoch}", room_id=room, source="t", now_ms=0)
        )

    async def speak(self, segment: TextSegment, _: Record) -> None:
        if segment.text == "impossible":
            raise ValueError
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self.cancelled.append(segment.text)
            raise
        self.said.append(segment.text)

    async def run(self) -> None:
        await self.worker.run(
            topics.TEXT, self.speak, is_last=lambda s: s.last, ended=lambda _, turn: self.over.append(turn)
        )


@virtual_time
async def test_segments_are_handled_in_order() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    for text in "abc":
        await room.say(1, text, last=text == "c")
    await asyncio.sleep(4)
    task.cancel()
    assert room.said == ["a", "b", "c"]
    assert room.over == ["turn1"]
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_a_stop_cancels_the_running_segment_and_drops_the_rest_of_its_turn() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    for text in "abc":
        await room.say(1, text)
    await asyncio.sleep(1.5)
    await room.stop(2)
    await asyncio.sleep(0.01)
    assert room.said == ["a"]
    assert room.cancelled == ["b"]
    await room.say(2, "d", last=True)
    await asyncio.sleep(2)
    task.cancel()
    assert room.said == ["a", "d"]
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_a_turn_that_was_given_up_does_not_keep_the_next_one_waiting() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    for text in "abc":
        await room.say(1, text)
    await asyncio.sleep(1.5)
    await room.say(2, "d", last=True)
    await asyncio.sleep(1.1)
    task.cancel()
    assert room.said == ["a", "d"]
    assert room.cancelled == ["b"]
    assert room.over == ["turn1", "turn2"]
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_what_is_no_event_of_a_turn_is_buried_when_its_time_comes() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    await room.say(1, "a")
    await asyncio.sleep(0.5)
    await room.bus.publish(Record(topics.TEXT, "a", b"\xff"))
    await room.say(1, "b", last=True)
    await asyncio.sleep(2.6)
    task.cancel()
    assert room.said == ["a", "b"]
    assert len([record async for record in room.bus.read(topics.dead(topics.TEXT))]) == 1


@virtual_time
async def test_a_segment_that_is_done_at_the_moment_of_its_death_is_finished() -> None:
    """Otherwise it is held for ever, and its partition with it."""
    room = Room()

    async def speak(segment: TextSegment, _: Record) -> None:
        await room.worker.epochs.superseded("a", 1)
        room.said.append(segment.text)

    room.speak = speak  # type: ignore[method-assign]
    task = asyncio.create_task(room.run())
    await room.say(1, "a")
    await asyncio.sleep(0.1)
    await room.stop(2)
    await asyncio.sleep(0.1)
    task.cancel()
    assert room.said == ["a"]
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_an_unfinished_turn_comes_again_after_a_crash() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    await room.say(1, "a")
    await room.say(1, "b")
    await asyncio.sleep(3)
    task.cancel()
    await asyncio.sleep(0)
    again = Room()
    again.bus, again.state = room.bus, room.state
    again.worker = TurnWorker(room.bus, room.state, Telemetry("test"), service="speech")
    task = asyncio.create_task(again.run())
    await again.say(1, "c", last=True)
    await asyncio.sleep(4)
    task.cancel()
    assert again.said == ["a", "b", "c"]


@virtual_time
async def test_a_stop_in_one_room_leaves_the_others_alone() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    await room.say(1, "a", last=True, room="a")
    await room.say(1, "b", last=True, room="b")
    await asyncio.sleep(0.5)
    await room.stop(2, room="b")
    await asyncio.sleep(1)
    task.cancel()
    assert (room.said, room.cancelled) == (["a"], ["b"])


@virtual_time
async def test_a_newer_turn_ends_the_one_before_it() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    await room.say(1, "a")
    await asyncio.sleep(1.5)
    await room.say(2, "b", last=True)
    await asyncio.sleep(1.5)
    await room.say(1, "too late")
    await asyncio.sleep(1.5)
    task.cancel()
    assert room.said == ["a", "b"]
    assert room.over == ["turn1", "turn2"]
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_a_turn_that_died_while_nobody_listened_is_not_spoken() -> None:
    room = Room()
    await room.state.apply(Put(epoch_key("a"), b"3"))
    await room.say(2, "dead", last=True)
    await room.say(3, "alive", last=True)
    task = asyncio.create_task(room.run())
    await asyncio.sleep(3)
    task.cancel()
    assert room.said == ["alive"]
    assert await room.bus.lag(topics.TEXT, "speech") == 0


@virtual_time
async def test_a_segment_that_cannot_be_spoken_does_not_stop_its_turn() -> None:
    room = Room()
    task = asyncio.create_task(room.run())
    await room.say(1, "impossible")
    await room.say(1, "b", last=True)
    await asyncio.sleep(5)
    task.cancel()
    assert room.said == ["b"]
    assert room.over == ["turn1"]
    dead = [record async for record in room.bus.read(topics.dead(topics.TEXT))]
    assert [record.headers["ce_id"] for record in dead] == ["impossible"]


@virtual_time
async def test_how_many_turns_a_service_is_at_can_be_seen() -> None:
    room = Room()
    task = asyncio.create_task(room.run())

    def at_work() -> float | None:
        return room.telemetry.metrics.registry.get_sample_value("lydia_turns_in_hand", {"service": "speech"})

    await room.say(1, "a", room="a")
    await room.say(1, "b", room="b", last=True)
    await asyncio.sleep(0.5)
    assert at_work() == 2
    await asyncio.sleep(1)
    assert at_work() == 1, "the other turn waits for its next segment"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
