"""Several processes run the audience service: each room is one's at a time, and goes on at another where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.audience import keys
from services.audience.batch import READS, Taken
from services.audience.service import Audience
from services.core import topics
from services.core.bus.port import BusUnavailable, Record
from services.core.envelope import seal
from services.core.events import MODE_APPROVE, Control, Performed, Presence, SetMode
from services.core.settings import Audience as Policy
from services.core.virtual_time import virtual_time
from tests.unit.audience.house import House


class Several:
    """Audience services side by side, and who hands them the records of the bus, to whom the test wants."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.house = House(policy)
        self.services: list[Audience] = []
        self.to = 0
        """The service that gets the next record."""
        self.taken: list[Taken] = []

    @asynccontextmanager
    async def running(self, number: int, *, stage: bool = True) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _ in range(number):
                self.services.append(self.house.audience())
                await stack.enter_async_context(self.services[-1].at_work())
            work = [self._hand_on()] + ([self.house.stage.run()] if stage else [])
            tasks = [asyncio.create_task(part) for part in work]
            await asyncio.sleep(0)
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _hand_on(self) -> None:
        async with self.house.bus.consume(*READS, group="audience") as consumer:
            async for delivery in consumer:
                taken = Taken(0, lives=True)
                while not taken.finished:
                    taken = await self.services[self.to].take(delivery.record.key, [delivery.record])
                    self.taken.append(taken)
                delivery.done()


@virtual_time
async def test_a_room_goes_on_at_another_process_with_all_that_waited() -> None:
    several = Several()
    house = several.house
    async with several.running(2):
        gifts = [await house.gift(10, f"giver{i}") for i in range(30)]
        await asyncio.sleep(0.5)
        several.to = 1
        await several.services[1].take("a", [])
        await asyncio.sleep(60)
    assert all(house.stage.heard[gift.event_id] == 1 for gift in gifts)
    turns = await house.turns()
    assert [turn.epoch for turn in turns] == sorted({turn.epoch for turn in turns})


@virtual_time
async def test_records_that_change_hands_one_by_one_are_all_answered_once() -> None:
    several = Several()
    house = several.house
    async with several.running(3):
        gifts = []
        for i in range(30):
            several.to = i % 3
            gifts.append(await house.gift(10, f"giver{i}"))
            await asyncio.sleep(0.13)
        await asyncio.sleep(90)
    assert all(house.stage.heard[gift.event_id] == 1 for gift in gifts)
    turns = await house.turns()
    assert len({turn.turn_id for turn in turns}) == len(turns), "no turn is opened twice"


@virtual_time
async def test_a_gift_in_a_quiet_room_is_thanked_though_the_process_that_had_the_room_leaves() -> None:
    house = House()
    services = [house.audience(), house.audience()]
    tasks = [asyncio.create_task(service.run()) for service in services]
    stage = asyncio.create_task(house.stage.run())
    await asyncio.sleep(1)
    gifts = [await house.gift(room=f"room{i}", combo="c") for i in range(8)]
    await asyncio.sleep(0.5)
    leaving = next(i for i in (0, 1) if services[i]._rooms)
    await services[leaving].drain()
    tasks[leaving].cancel()
    await asyncio.sleep(60)
    for task in (*tasks, stage):
        task.cancel()
    await asyncio.gather(*tasks, stage, return_exceptions=True)
    assert all(house.stage.heard[gift.event_id] == 1 for gift in gifts)


@virtual_time
async def test_processes_leave_each_other_the_rooms_that_they_have() -> None:
    house = House()
    services = [house.audience(), house.audience()]
    tasks = [asyncio.create_task(service.run()) for service in services]
    await asyncio.sleep(1)
    for i in range(8):
        await house.control(Control(set_mode=SetMode(mode=MODE_APPROVE)), room=f"room{i}")
        await house.gift(room=f"room{i}")
    await asyncio.sleep(1)
    had = [set(service._rooms.values()) for service in services]
    await asyncio.sleep(100)
    assert [set(service._rooms.values()) for service in services] == had
    assert sum(map(len, had)) == 8
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@virtual_time
async def test_who_has_lost_a_room_opens_no_turn_in_it_and_forgets_it() -> None:
    several = Several(Policy(quiet_s=5))
    house = several.house
    async with several.running(2, stage=False):
        await house.control(Control(presence=Presence(renderers=1)))
        await asyncio.sleep(1)
        several.to = 1
        await house.control(Control(presence=Presence(renderers=1)))
        await asyncio.sleep(2.5)
        assert [len(service._rooms) for service in several.services] == [0, 1], "its clock has told it"
        assert not await house.turns()
        await asyncio.sleep(1)
        turns = await house.turns()
    assert [turn.silence.rundown_index for turn in turns] == [0]


@virtual_time
async def test_a_report_is_not_lost_on_who_no_longer_has_the_room() -> None:
    several = Several()
    house = several.house
    async with several.running(2, stage=False):
        await house.control(Control(presence=Presence(renderers=0)))  # the first one has the room, and nothing to do
        await asyncio.sleep(0.1)
        several.to = 1
        gift = await house.gift()
        await asyncio.sleep(0.1)
        (turn,) = await house.turns()
        several.to = 0
        report = Performed(
            performed_id="p", room_id="a", turn_id=turn.turn_id, epoch=turn.epoch, state=Performed.STATE_FINISHED
        )
        await house.bus.publish(seal(topics.PERFORMED, report, event_id="p", room_id="a", source="stage", now_ms=0))
        await asyncio.sleep(60)
    assert [turn.audience.events[0].event_id for turn in await house.turns()] == [gift.event_id]
    assert not house.state._values.get(keys.pending_key("a"))


@virtual_time
async def test_a_room_in_hand_is_known_to_be_lost_without_any_record() -> None:
    several = Several()
    async with several.running(2, stage=False):
        await several.house.gift()
        await asyncio.sleep(0.1)
        first, second = several.services
        stale = first._rooms["a"]
        await second.take("a", [])
        taken = await first.take("a", [])
        assert taken == Taken(0, lives=True)
        assert first._rooms["a"] is not stale


@virtual_time
async def test_a_batch_says_how_far_it_came_and_the_rest_may_go_elsewhere() -> None:
    several = Several()
    house = several.house
    refuse = False

    class Bus:
        async def publish(self, *records: Record) -> None:
            if refuse:
                raise BusUnavailable("away")
            await house.bus.publish(*records)

    async with several.running(1):
        failing = house.audience(Bus())  # type: ignore[arg-type]
        async with failing.at_work():
            gifts = [await house.gift(10, f"giver{i}", room="b") for i in range(3)]
            records = [record async for record in house.bus.read(topics.AUDIENCE) if record.key == "b"]
            first = await failing.take("b", records[:1])
            refuse = True
            second = await failing.take("b", records)
            third = await several.services[0].take("b", records[second.finished :])
        await asyncio.sleep(30)
    assert (first.finished, first.because) == (1, "")
    assert second.finished < 3
    assert second.because == "away"
    assert third.finished == 3 - second.finished
    assert all(house.stage.heard[gift.event_id] == 1 for gift in gifts)


@virtual_time
async def test_a_process_with_all_its_rooms_takes_no_more_and_buries_nothing() -> None:
    house = House()
    audience = house.audience(max_rooms=1)
    async with audience.at_work():
        for room in "ab":
            await house.gift(room=room)
        records = {record.key: record async for record in house.bus.read(topics.AUDIENCE)}
        assert (await audience.take("a", [records["a"]])).finished == 1
        assert await audience.take("b", [records["b"]]) == Taken(0, lives=True, because="audience has its 1 rooms")
    assert not await house.dead(topics.AUDIENCE)


@virtual_time
async def test_what_can_never_be_handled_is_buried_and_counts_as_finished() -> None:
    house = House()
    audience = house.audience()
    async with audience.at_work():
        taken = await audience.take("a", [Record(topics.AUDIENCE, "a", b"\xff"), Record(topics.CONTROL, "a", b"\xff")])
    assert taken == Taken(2, lives=False)
    assert len(await house.dead(topics.AUDIENCE)) == 1
