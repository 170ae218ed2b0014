"""The bridge hands every record over, each room's in their order, whatever fails, and finishes none before its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from services.audience import keys
from services.audience.batch import READS, Garbled, RoomsAway, Taken, answer, pack, unpack
from services.audience.bridge import ATTEMPTS, GROUP, Bridge
from services.core import topics
from services.core.bus import MemoryBus
from services.core.bus.port import Record
from services.core.clock import LoopClock
from services.core.settings import Ray
from services.core.state import MemoryState, PutField, StateUnavailable
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time

CALL_S = 0.005


class FakeRooms:
    """Takes each call after `CALL_S`, and notes it. `answers` are given, or raised, before it takes any more."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str, list[str]]] = []
        """The loop's time, the room, the records' values."""
        self.got: dict[str, list[str]] = {}
        self.answers: list[Taken | Exception] = []
        self.lives = False
        self.busy = self.busiest = 0
        self.cancelled = 0
        self.seconds = CALL_S

    async def take(self, room_id: str, records: Sequence[Record]) -> Taken:
        values = [record.value.decode() for record in records]
        self.calls.append((asyncio.get_running_loop().time(), room_id, values))
        told = self.answers.pop(0) if self.answers else Taken(len(records), lives=self.lives)
        self.busy += 1
        self.busiest = max(self.busy, self.busiest)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.busy -= 1
        if isinstance(told, Exception):
            raise told
        self.got.setdefault(room_id, []).extend(values[: told.finished])
        return told


class Side:
    """The bridge's side of the bus, and a fake other side."""

    def __init__(self, settings: Ray | None = None, *, max_unfinished: int = 10_000) -> None:
        self.bus = MemoryBus(max_unfinished=max_unfinished)
        self.state = MemoryState(LoopClock())
        self.rooms = FakeRooms()
        self.telemetry = Telemetry("test")
        self.bridge = Bridge(self.bus, self.state, self.telemetry, self.rooms, settings or Ray())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.bridge.run())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def say(self, *values: int, room: str = "a") -> None:
        await self.bus.publish(*(Record(topics.AUDIENCE, room, str(value).encode()) for value in values))

    async def lag(self) -> int:
        return sum([await self.bus.lag(topic, GROUP) for topic in READS])


def texts(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


@virtual_time
async def test_a_record_leaves_at_once_and_is_finished_when_it_is_answered_for() -> None:
    side = Side()
    async with side.running():
        await asyncio.sleep(1)
        await side.say(1)
        await asyncio.sleep(CALL_S / 2)
        assert side.rooms.calls == [(1.0, "a", ["1"])]
        assert await side.lag() == 1
        await asyncio.sleep(CALL_S)
        assert await side.lag() == 0


@virtual_time
async def test_a_room_is_called_once_in_a_tick_with_all_that_came_in_it() -> None:
    side = Side(Ray(tick_ms=20))
    async with side.running():
        for i in range(10):
            await side.say(i)
            await asyncio.sleep(0.0045)
        await asyncio.sleep(1)
    assert [values for _, _, values in side.rooms.calls] == [
        texts(0),
        texts(1, 2, 3, 4),
        texts(5, 6, 7, 8),
        texts(9),
    ]
    assert [round(time, 3) for time, _, _ in side.rooms.calls] == [0.0, 0.02, 0.04, 0.06]


@virtual_time
async def test_rooms_do_not_wait_for_each_other() -> None:
    side = Side()
    side.rooms.seconds = 1.0
    async with side.running():
        for room in "abc":
            await side.say(1, 2, room=room)
        await asyncio.sleep(0.5)
        assert sorted(room for _, room, _ in side.rooms.calls) == ["a", "b", "c"]


@virtual_time
async def test_of_one_room_never_two_calls_are_under_way() -> None:
    side = Side()
    side.rooms.seconds = 1.0
    await side.state.apply(PutField(keys.ROOMS, "a", b"1"))
    async with side.running():
        for i in range(50):
            await side.say(i)
            await asyncio.sleep(0.1)
        await asyncio.sleep(5)
    assert side.rooms.busiest == 1
    assert side.rooms.got["a"] == texts(*range(50))


@virtual_time
async def test_calls_at_once_and_records_in_a_call_are_bounded() -> None:
    side = Side(Ray(calls=3, batch=5))
    async with side.running():
        for i in range(20):
            await side.say(*range(12), room=f"room{i}")
        await asyncio.sleep(5)
    assert side.rooms.busiest == 3
    assert max(len(values) for _, _, values in side.rooms.calls) == 5
    assert all(side.rooms.got[f"room{i}"] == texts(*range(12)) for i in range(20))


@virtual_time
async def test_large_records_go_in_smaller_batches() -> None:
    side = Side()
    async with side.running():
        await side.bus.publish(*(Record(topics.AUDIENCE, "a", b"x" * 900_000) for _ in range(5)))
        await asyncio.sleep(1)
    assert [len(values) for _, _, values in side.rooms.calls] == [2, 2, 1]


@virtual_time
async def test_while_nobody_answers_the_bus_pauses_and_afterwards_nothing_is_missing() -> None:
    side = Side(max_unfinished=10)
    side.rooms.answers = [RoomsAway("gone")] * 8
    async with side.running():
        await side.say(*range(100))
        await asyncio.sleep(3)
        waiting = side.telemetry.metrics.registry.get_sample_value("lydia_bridge_waiting_records")
        assert waiting == 10
        assert await side.lag() == 100
        await asyncio.sleep(30)
    assert side.rooms.got["a"] == texts(*range(100))
    assert await side.lag() == 0
    assert side.telemetry.metrics.registry.get_sample_value("lydia_bridge_waiting_records") == 0


@pytest.mark.parametrize("failure", [RoomsAway("replica died"), Taken(0, lives=True, because="Redis is away")])
def test_a_batch_that_was_not_taken_is_handed_in_again_before_what_came_after_it(failure: Taken | Exception) -> None:
    @virtual_time
    async def scene() -> None:
        side = Side()
        side.rooms.answers = [failure] * 3
        async with side.running():
            await side.say(1, 2)
            await asyncio.sleep(0.01)
            await side.say(3)
            await asyncio.sleep(0.5)
            assert await side.lag() == 3
            await asyncio.sleep(5)
        assert side.rooms.got["a"] == texts(1, 2, 3)
        times = [time for time, _, _ in side.rooms.calls]
        pauses = [round(later - earlier - CALL_S, 2) for earlier, later in pairwise(times[:3])]
        assert pauses == [0.1, 0.2]
        assert await side.lag() == 0

    scene()


@virtual_time
async def test_what_was_taken_of_a_batch_is_not_handed_in_again() -> None:
    side = Side()
    side.rooms.answers = [Taken(2, lives=True, because="the room has moved")]
    async with side.running():
        await side.say(1, 2, 3, 4)
        await asyncio.sleep(0.05)
        assert await side.lag() == 2
        await asyncio.sleep(5)
    assert [values for _, _, values in side.rooms.calls[:2]] == [texts(1, 2, 3, 4), texts(3, 4)]
    assert side.rooms.got["a"] == texts(1, 2, 3, 4)


@virtual_time
async def test_a_call_without_an_answer_is_given_up_and_repeated() -> None:
    side = Side(Ray(call_s=2.0))
    side.rooms.seconds = 100.0
    async with side.running():
        await side.say(1)
        await asyncio.sleep(2.01)
        assert side.rooms.cancelled == 1
        side.rooms.seconds = CALL_S
        await asyncio.sleep(1)
    assert side.rooms.got["a"] == ["1"]
    assert await side.lag() == 0


@virtual_time
async def test_after_two_failures_records_go_one_by_one_so_that_the_good_ones_pass() -> None:
    side = Side()
    poison = "3"

    class Rooms(FakeRooms):
        async def take(self, room_id: str, records: Sequence[Record]) -> Taken:
            if any(record.value.decode() == poison for record in records):
                raise RoomsAway("it died of this")
            return await super().take(room_id, records)

    side.rooms = side.bridge._rooms = Rooms()
    async with side.running():
        await side.say(1, 2, 3, 4)
        await side.say(9, room="b")
        await asyncio.sleep(3)
        assert side.rooms.got == {"a": texts(1, 2), "b": ["9"]}
        poison = "healed"
        await asyncio.sleep(10)
    assert side.rooms.got["a"] == texts(1, 2, 3, 4)


class Poisoned(FakeRooms):
    """Dies of one record, and then comes back after `gone_s`."""

    def __init__(self, poison: str, gone_s: float) -> None:
        super().__init__()
        self.poison, self.gone_s = poison, gone_s
        self.deaths = 0
        self.back_at = 0.0

    async def take(self, room_id: str, records: Sequence[Record]) -> Taken:
        now = asyncio.get_running_loop().time()
        if now < self.back_at:
            raise RoomsAway("nobody is there")
        if any(record.value.decode() == self.poison for record in records):
            self.deaths += 1
            self.back_at = now + self.gone_s
            raise RoomsAway("it died of this")
        return await super().take(room_id, records)


@virtual_time
async def test_a_record_that_nobody_survives_goes_to_the_dead_letters_with_the_reason() -> None:
    side = Side()
    side.rooms = rooms = side.bridge._rooms = Poisoned("3", gone_s=4.0)
    async with side.running():
        await side.say(1, 2, 3, 4)
        await asyncio.sleep(200)
        assert await side.lag() == 0
    assert rooms.got["a"] == texts(1, 2, 4)
    (dead,) = [record async for record in side.bus.read(topics.dead(topics.AUDIENCE))]
    assert dead.value == b"3"
    assert dead.headers["lydia_reason"].startswith(f"whoever had the room died of it {ATTEMPTS} times")
    assert dead.headers["lydia_service"] == "audience"
    assert rooms.deaths <= ATTEMPTS + 2, "twice in a batch at most"


@pytest.mark.parametrize("every_s", [0.7, 3, 10])
@virtual_time
async def test_only_that_record_goes_to_the_dead_letters_whatever_overtakes_it_meanwhile(every_s: float) -> None:
    side = Side()
    side.rooms = rooms = side.bridge._rooms = Poisoned("1", gone_s=1.0)
    async with side.running():
        await side.say(1, 2)
        for report in range(100, 130):
            await asyncio.sleep(every_s)
            await side.bus.publish(Record(topics.PERFORMED, "a", str(report).encode()))
        await asyncio.sleep(60)
        assert await side.lag() == 0
    assert sorted(rooms.got["a"], key=int) == texts(2, *range(100, 130))
    assert [record.value async for record in side.bus.read(topics.dead(topics.AUDIENCE))] == [b"1"]
    assert [record async for record in side.bus.read(topics.dead(topics.PERFORMED))] == []
    assert rooms.deaths <= ATTEMPTS + 2


@virtual_time
async def test_no_record_is_given_up_because_the_server_is_away_however_long() -> None:
    side = Side()
    side.rooms = rooms = side.bridge._rooms = Poisoned("no record", gone_s=0)
    rooms.back_at = 3600.0
    async with side.running():
        await side.say(1, 2, 3)
        await asyncio.sleep(3700)
    assert rooms.got["a"] == texts(1, 2, 3)
    assert [record async for record in side.bus.read(topics.dead(topics.AUDIENCE))] == []


@virtual_time
async def test_no_record_is_given_up_because_whoever_has_the_room_is_slow() -> None:
    side = Side(Ray(call_s=2.0))
    async with side.running():
        side.rooms.seconds = 100.0
        await side.say(1)
        await asyncio.sleep(300)
        side.rooms.seconds = CALL_S
        await asyncio.sleep(10)
    assert side.rooms.got["a"] == ["1"]
    assert [record async for record in side.bus.read(topics.dead(topics.AUDIENCE))] == []


@virtual_time
async def test_rooms_with_something_unfinished_are_called_at_the_start_and_then_now_and_then() -> None:
    side = Side(Ray(hold_s=3.0))
    side.rooms.lives = True
    await side.state.apply(PutField(keys.ROOMS, "a", b"1"))
    async with side.running():
        await asyncio.sleep(20)
    assert all((room, values) == ("a", []) for _, room, values in side.rooms.calls)
    times = [time for time, _, _ in side.rooms.calls]
    assert times[0] == 0.0
    assert all(later - earlier <= 6.0 for earlier, later in pairwise(times))
    assert times[-1] > 13


@virtual_time
async def test_a_room_that_lives_is_held_until_it_rests_and_one_that_speaks_needs_no_holding() -> None:
    side = Side(Ray(hold_s=3.0))
    side.rooms.lives = True
    async with side.running():
        for i in range(10):
            await side.say(i)
            await asyncio.sleep(1)
        assert all(values for _, _, values in side.rooms.calls)
        side.rooms.lives = False
        await asyncio.sleep(60)
    held = [values for _, _, values in side.rooms.calls if not values]
    assert len(held) == 1, "called once more, and then it rested"


@virtual_time
async def test_a_state_that_is_away_keeps_no_record_waiting() -> None:
    side = Side()

    async def away(key: str) -> dict[str, bytes]:
        raise StateUnavailable(key)

    side.state.fields = away  # type: ignore[method-assign]
    async with side.running():
        await side.say(1)
        await asyncio.sleep(10)
    assert side.rooms.got["a"] == ["1"]


@virtual_time
async def test_drained_it_calls_nobody_and_has_finished_what_was_under_way() -> None:
    side = Side()
    side.rooms.seconds = 1.0
    async with side.running():
        await side.say(1)
        await side.say(1, room="b")
        await asyncio.sleep(0.5)
        await side.bridge.drain()
        assert await side.lag() == 0
        await side.say(2)
        await asyncio.sleep(10)
    assert side.rooms.cancelled == 0
    assert side.rooms.got == {"a": ["1"], "b": ["1"]}
    assert await side.lag() == 1, "whoever follows gets it"


def test_batches_and_answers_come_over_whole() -> None:
    records = [
        Record(topics.AUDIENCE, "房间", b"\x00\xff", {"ce_id": "1", "traceparent": "00-1-2-01"}),
        Record(topics.CONTROL, "房间", b""),
    ]
    assert unpack("房间", pack(records)) == records
    assert unpack("a", pack([])) == []
    assert answer(Taken(3, lives=True, because="Redis 走了").pack()) == Taken(3, lives=True, because="Redis 走了")


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", pack([Record(topics.VOICE, "a", b"")])])
def test_garbage_is_no_batch(garbage: bytes) -> None:
    with pytest.raises(Garbled):
        unpack("a", garbage)


@pytest.mark.parametrize("garbage", [b"", b"<html>", b"[]", b"{}", b'{"finished": "x", "lives": 1, "because": ""}'])
def test_garbage_is_no_answer(garbage: bytes) -> None:
    with pytest.raises(Garbled):
        answer(garbage)
