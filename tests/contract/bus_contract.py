"""What every bus promises, as tests. `services.core.bus.port` says it in words.

An implementation joins with a class that inherits from BusContract and has one fixture, `connect`; test_memory_bus.py
shows how little that is.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.core import topics
from services.core.bus import Bus, Delivery, Record
from services.core.clock import SystemClock
from services.core.envelope import seal
from services.core.events import AudienceEvent, Chat
from services.core.telemetry import Telemetry
from services.core.worker import Rejected, Verdict, Worker
from tests.contract.listening import PATIENCE_S, Listener, listening, numbered, until, values_of

Connect = Callable[[], Awaitable[Bus]]
"""Makes a bus as another process would have it: all of one test's reach the same records and groups."""

MAX_UNFINISHED = 20
"""Every bus of this suite is made with it."""
ROOMS = [f"room{number}" for number in range(24)]


class BusContract:
    """Inherit, and define `connect`."""

    @pytest.fixture
    async def connect(self) -> AsyncIterator[Connect]:
        raise NotImplementedError
        yield

    @pytest.fixture
    async def bus(self, connect: Connect) -> Bus:
        return await connect()

    @pytest.fixture
    def topic(self) -> str:
        return f"lydia.test.{uuid.uuid4().hex}"

    @pytest.fixture
    def group(self) -> str:
        return f"group-{uuid.uuid4().hex}"

    # what a record carries

    async def test_a_record_comes_as_it_was_published(self, bus: Bus, topic: str, group: str) -> None:
        headers = {"ce_id": "1", "traceparent": "00-ab-cd-01", "leer": "", "名字": "值 with spaces=and;signs"}
        await bus.publish(Record(topic, "room1", b"\x00\xff\r\n$5\r\n", headers))
        async with listening(bus, topic, group=group) as listener:
            await listener.count(1)
        record = listener.got[0].record
        assert record == Record(topic, "room1", b"\x00\xff\r\n$5\r\n", headers)
        assert list(record.headers) == list(headers)

    @pytest.mark.parametrize("value", [b"", b"\x80" * 1_000_000], ids=["empty", "one megabyte"])
    async def test_values_may_be_empty_or_large(self, bus: Bus, topic: str, group: str, value: bytes) -> None:
        await bus.publish(Record(topic, "room1", value))
        async with listening(bus, topic, group=group) as listener:
            await listener.count(1)
        assert listener.values == [value]

    @pytest.mark.parametrize("key", ["直播间🎤", "a b:c/d\n", "", "x" * 1000])
    async def test_keys_may_be_any_text(self, bus: Bus, topic: str, group: str, key: str) -> None:
        await bus.publish(Record(topic, key, b"1"), Record(topic, key, b"2"))
        async with listening(bus, topic, group=group) as listener:
            await listener.count(2)
        assert listener.by_key() == {key: [b"1", b"2"]}

    # order and completeness

    async def test_the_records_of_a_key_come_in_order(self, bus: Bus, topic: str, group: str) -> None:
        records = numbered(topic, ROOMS, 5)
        async with listening(bus, topic, group=group) as listener:
            await bus.publish(*records[:50])
            for record in records[50:]:
                await bus.publish(record)
            await listener.count(len(records))
        assert listener.by_key() == values_of(records)
        assert len(listener.got) == len(records)

    async def test_offsets_grow_within_a_partition(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish(*numbered(topic, ["room1"], 12))
        async with listening(bus, topic, group=group) as listener:
            await listener.count(12)
        assert len({delivery.offset for delivery in listener.got}) == 12
        assert len({delivery.partition for delivery in listener.got}) == 1

    async def test_thousands_of_records_come_completely(self, bus: Bus, topic: str, group: str) -> None:
        records = numbered(topic, ROOMS, 125)
        async with listening(bus, topic, group=group) as listener:
            for begin in range(0, len(records), 100):
                await bus.publish(*records[begin : begin + 100])
            await listener.count(len(records))
        assert listener.by_key() == values_of(records)

    async def test_publishers_side_by_side_lose_nothing(self, connect: Connect, topic: str, group: str) -> None:
        buses = [await connect() for _ in range(3)]
        records = numbered(topic, ROOMS, 6)

        async def publish(bus: Bus, rooms: list[str]) -> None:
            for record in records:
                if record.key in rooms:
                    await bus.publish(record)

        async with listening(buses[0], topic, group=group) as listener:
            async with asyncio.TaskGroup() as tasks:
                for number, bus in enumerate(buses):
                    tasks.create_task(publish(bus, ROOMS[number::3]))
            await listener.count(len(records))
        assert listener.by_key() == values_of(records)

    async def test_publishing_nothing_is_no_mistake(self, bus: Bus) -> None:
        await bus.publish()

    # groups and offsets

    async def test_a_group_goes_on_where_it_stopped(self, connect: Connect, topic: str, group: str) -> None:
        await (await connect()).publish(*numbered(topic, ["room1"], 3))
        async with listening(await connect(), topic, group=group) as first:
            await first.count(3)
        await (await connect()).publish(Record(topic, "room1", b"next"))
        async with listening(await connect(), topic, group=group) as second:
            await second.count(1)
        assert second.values == [b"next"]

    async def test_what_was_not_finished_comes_again(self, connect: Connect, topic: str, group: str) -> None:
        await (await connect()).publish(*numbered(topic, ["room1"], 5))
        async with listening(await connect(), topic, group=group, keep=True) as first:
            await first.count(5)
            for delivery in first.got[:2]:
                delivery.done()
        async with listening(await connect(), topic, group=group) as second:
            await second.count(3)
        assert second.values == first.values[2:]

    async def test_a_successor_begins_at_the_lowest_unfinished_record(
        self, connect: Connect, topic: str, group: str
    ) -> None:
        bus = await connect()
        await bus.publish(*numbered(topic, ["room1"], 5))
        async with listening(bus, topic, group=group, keep=True) as first:
            await first.count(5)
            for number in (4, 2, 1, 2):  # out of order, and one of them twice; the first is never finished
                first.got[number].done()
        async with listening(await connect(), topic, group=group, keep=True) as second:
            await second.count(5)
            assert second.values == first.values
            for number in (3, 0, 2, 1):
                second.got[number].done()
        async with listening(await connect(), topic, group=group) as third:
            await third.count(1)
        assert third.values == first.values[4:]

    async def test_finishing_after_leaving_changes_nothing(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish(Record(topic, "room1", b"1"))
        async with listening(bus, topic, group=group, keep=True) as first:
            await first.count(1)
        first.got[0].done()
        async with listening(bus, topic, group=group) as second:
            await second.count(1)
        assert second.values == [b"1"]

    async def test_every_group_gets_every_record(self, bus: Bus, topic: str, group: str) -> None:
        records = numbered(topic, ROOMS, 2)
        async with listening(bus, topic, group=group) as one, listening(bus, topic, group=group + "2") as other:
            await bus.publish(*records)
            await one.count(len(records))
            await other.count(len(records))
        assert one.by_key() == other.by_key() == values_of(records)

    async def test_one_consumer_reads_several_topics(self, bus: Bus, topic: str, group: str) -> None:
        second = topic + ".second"
        async with listening(bus, topic, second, group=group) as listener:
            await bus.publish(Record(topic, "room1", b"1"), Record(second, "room1", b"2"))
            await listener.count(2)
        assert {(d.record.topic, d.record.value) for d in listener.got} == {(topic, b"1"), (second, b"2")}
        assert [await bus.lag(topic, group), await bus.lag(second, group)] == [0, 0]

    async def test_members_of_a_group_may_read_different_topics(self, bus: Bus, topic: str, group: str) -> None:
        second = topic + ".second"
        records, others = numbered(topic, ROOMS, 1), numbered(second, ROOMS, 1)
        async with listening(bus, topic, group=group) as one, listening(bus, second, group=group) as other:
            await bus.publish(*records, *others)
            await one.count(len(records))
            await other.count(len(others))
        assert (one.by_key(), other.by_key()) == (values_of(records), values_of(others))

    async def test_a_new_group_may_start_at_the_end(self, connect: Connect, topic: str, group: str) -> None:
        bus = await connect()
        await bus.publish(*numbered(topic, ROOMS, 1))
        async with listening(bus, topic, group=group, start="latest") as listener:
            await bus.publish(Record(topic, "room1", b"new"))
            await listener.count(1)
            assert listener.values == [b"new"]
        await bus.publish(Record(topic, "room2", b"while away"))
        async with listening(await connect(), topic, group=group, start="latest") as again:
            await again.count(1)
        assert again.values == [b"while away"], "a group that has committed goes on there, whatever start says"

    # several members

    async def test_two_members_share_the_partitions(self, connect: Connect, topic: str, group: str) -> None:
        bus = await connect()
        async with (
            listening(await connect(), topic, group=group) as one,
            listening(await connect(), topic, group=group) as other,
        ):
            await self._until_shared(bus, topic, one, other)
            begins = len(one.got), len(other.got)
            records = numbered(topic, ROOMS, 4)
            await bus.publish(*records)
            await until(lambda: self._finished(bus, topic, group))
        new = one.got[begins[0] :], other.got[begins[1] :]
        assert sorted(d.record.value for part in new for d in part) == sorted(r.value for r in records)
        assert not {d.partition for d in new[0]} & {d.partition for d in new[1]}
        for part in new:
            assert all(values == values_of(records)[key] for key, values in values_of(d.record for d in part).items())

    async def test_a_member_that_joins_takes_over_without_loss(self, connect: Connect, topic: str, group: str) -> None:
        bus = await connect()
        records = numbered(topic, ROOMS, 30)
        async with listening(await connect(), topic, group=group) as one:
            await bus.publish(*records[:200])
            await one.count(50)
            async with listening(await connect(), topic, group=group) as other:
                for begin in range(200, len(records), 40):
                    await bus.publish(*records[begin : begin + 40])
                await self._until_both_work(bus, topic, one, other)
                await until(lambda: self._finished(bus, topic, group))
        self._assert_complete_and_in_order(records, one, other)

    async def test_a_member_that_leaves_is_replaced_without_loss(
        self, connect: Connect, topic: str, group: str
    ) -> None:
        bus = await connect()
        records = numbered(topic, ROOMS, 10)
        async with listening(await connect(), topic, group=group) as one:
            async with listening(await connect(), topic, group=group, keep=True) as other:
                await self._until_both_work(bus, topic, one, other)
                await bus.publish(*records)
                await other.until(lambda: len(other.got) >= MAX_UNFINISHED)
            await until(lambda: self._finished(bus, topic, group))
        self._assert_complete_and_in_order(records, one)

    # all records for everybody

    async def test_without_a_group_everybody_gets_all_new_records(self, connect: Connect, topic: str) -> None:
        bus = await connect()
        await bus.publish(*numbered(topic, ROOMS, 1))
        records = numbered(topic, ROOMS, 2)
        async with (
            listening(bus, topic, group=None, start="latest") as one,
            listening(await connect(), topic, group=None, start="latest") as other,
        ):
            await bus.publish(*records)
            await one.count(len(records))
            await other.count(len(records))
        assert one.by_key() == other.by_key() == values_of(records)

    @pytest.mark.parametrize("group", [None, "watchers"])
    async def test_records_may_wait_for_each_other_and_all_come(self, bus: Bus, topic: str, group: str | None) -> None:
        records = numbered(topic, ROOMS, 3)
        async with listening(bus, topic, group=group and f"{group} of {topic}", may_wait_s=0.3) as listener:
            for start in range(0, len(records), 9):
                await bus.publish(*records[start : start + 9])
                await asyncio.sleep(0.05)
            await listener.count(len(records))
        assert listener.by_key() == values_of(records)

    async def test_without_a_group_nothing_is_committed(self, bus: Bus, topic: str) -> None:
        records = numbered(topic, ROOMS, 2)
        await bus.publish(*records)
        for _ in range(2):
            async with listening(bus, topic, group=None) as listener:
                await listener.count(len(records))
            assert listener.by_key() == values_of(records)

    # replay and lag

    async def test_read_gives_everything_retained_and_ends(self, connect: Connect, topic: str, group: str) -> None:
        bus = await connect()
        records = numbered(topic, ROOMS, 20)
        await bus.publish(*records)
        async with listening(bus, topic, group=group) as listener:
            await listener.count(len(records))
        for _ in range(2):
            found = [record async for record in (await connect()).read(topic)]
            assert len(found) == len(records)
            assert values_of(found) == values_of(records)

    async def test_read_ends_at_what_was_there_when_it_began(self, bus: Bus, topic: str) -> None:
        await bus.publish(*numbered(topic, ["room1"], 3))
        found = []
        async for record in bus.read(topic):
            found.append(record.value)
            await bus.publish(Record(topic, "room1", b"later"))
        assert found == [b"room1 0", b"room1 1", b"room1 2"]

    async def test_read_of_an_unused_topic_gives_nothing(self, bus: Bus, topic: str) -> None:
        assert [record async for record in bus.read(topic)] == []

    async def test_lag_counts_what_a_group_has_not_finished(self, bus: Bus, topic: str, group: str) -> None:
        assert await bus.lag(topic, group) == 0
        await bus.publish(*numbered(topic, ["room1"], 5))
        assert await bus.lag(topic, group) == 5, "a group that never came has everything before it"
        async with listening(bus, topic, group=group, keep=True) as listener:
            await listener.count(5)
            assert await bus.lag(topic, group) == 5
            listener.got[0].done()
            listener.got[1].done()

            async def two_are_committed() -> bool:
                return await bus.lag(topic, group) == 3

            await until(two_are_committed)
        assert await bus.lag(topic, group) == 3

    async def test_no_copies_are_missing_where_there_are_as_many_as_there_should_be(self, bus: Bus, topic: str) -> None:
        assert await bus.copies_missing(topic) == 0, "a topic that nobody has used"
        await bus.publish(*numbered(topic, ["room1"], 1))
        assert await bus.copies_missing(topic) == 0

    async def test_disks_are_told_of_as_far_as_there_are_any(self, bus: Bus) -> None:
        assert all(0 <= share <= 1 for share in (await bus.disks_free()).values())

    # flow

    async def test_delivery_pauses_while_too_much_is_unfinished(self, bus: Bus, topic: str, group: str) -> None:
        async with listening(bus, topic, group=group, keep=True) as listener:
            await bus.publish(*numbered(topic, ROOMS, 1))
            await listener.count(len(ROOMS))
            places = {delivery.record.key: delivery.partition for delivery in listener.got}
            slow = ROOMS[0]
            quick = next(key for key in ROOMS if places[key] != places[slow])
            for delivery in listener.got:
                delivery.done()
            listener.got.clear()

            await bus.publish(*numbered(topic, [slow], 3 * MAX_UNFINISHED))
            await bus.publish(Record(topic, quick, b"passes"))
            await listener.until(lambda: b"passes" in listener.values and len(listener.got) > MAX_UNFINISHED)
            held = [delivery for delivery in listener.got if delivery.record.key == slow]
            assert len(held) == MAX_UNFINISHED

            while len(held) < 3 * MAX_UNFINISHED:
                for delivery in held:
                    delivery.done()
                await listener.count(len(listener.got) + 1)
                held = [delivery for delivery in listener.got if delivery.record.key == slow]
        assert [delivery.record for delivery in held] == numbered(topic, [slow], 3 * MAX_UNFINISHED)

    async def test_the_iteration_ends_with_the_membership(self, bus: Bus, topic: str, group: str) -> None:
        async with bus.consume(topic, group=group) as consumer:
            listener = Listener(consumer, keep=False)
            task = asyncio.create_task(listener.run())
            await bus.publish(Record(topic, "room1", b"1"))
            await listener.count(1)
        async with asyncio.timeout(PATIENCE_S):
            await task

    async def test_a_failure_inside_the_membership_passes_through(self, bus: Bus, topic: str, group: str) -> None:
        with pytest.raises(KeyError, match="mine"):
            async with bus.consume(topic, group=group):
                raise KeyError("mine")

    # dead letters

    async def test_a_rejected_record_goes_to_the_dead_letters_and_its_room_goes_on(self, bus: Bus, group: str) -> None:
        room = f"room-{uuid.uuid4().hex}"
        records = [
            seal(
                topics.AUDIENCE,
                AudienceEvent(event_id=str(number), room_id=room, chat=Chat(text=str(number))),
                event_id=str(number),
                room_id=room,
                source="test",
                now_ms=SystemClock().now_ms(),
            )
            for number in range(3)
        ]
        handled: list[str] = []
        finished = asyncio.Event()

        async def handle(event: AudienceEvent, _: Delivery) -> Verdict:
            if event.room_id != room:
                return Verdict.DONE
            if event.event_id == "1":
                raise Rejected("there is no answer to this")
            handled.append(event.event_id)
            if event.event_id == "2":
                finished.set()
            return Verdict.DONE

        worker = Worker(bus, Telemetry("test"), service=group)
        task = asyncio.create_task(worker.run(topics.AUDIENCE, handle=handle))
        await bus.publish(*records)
        async with asyncio.timeout(PATIENCE_S):
            await finished.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        dead = [r async for r in bus.read(topics.dead(topics.AUDIENCE)) if r.key == room]
        assert handled == ["0", "2"]
        assert [record.value for record in dead] == [records[1].value]
        assert dead[0].headers["lydia_reason"] == "there is no answer to this"
        assert dead[0].headers["ce_id"] == "1"

    # helpers

    async def _until_both_work(self, bus: Bus, topic: str, *listeners: Listener) -> None:
        """Publishes probes until every listener got some, so that the partitions are dealt."""
        begins = [len(listener.got) for listener in listeners]

        async def all_got_some() -> bool:
            await bus.publish(*(Record(topic, room, f"probe {uuid.uuid4().hex}".encode()) for room in ROOMS))
            await asyncio.sleep(0.02)
            return all(len(listener.got) > begin for listener, begin in zip(listeners, begins, strict=True))

        await until(all_got_some)

    async def _until_shared(self, bus: Bus, topic: str, one: Listener, other: Listener) -> None:
        """Publishes rounds of probes until each member gets its fair part of a whole round."""

        async def shared() -> bool:
            begins = len(one.got), len(other.got)
            probes = [Record(topic, room, f"probe {uuid.uuid4().hex}".encode()) for room in ROOMS]
            await bus.publish(*probes)

            async def all_came() -> bool:
                return {probe.value for probe in probes} <= {*one.values[begins[0] :], *other.values[begins[1] :]}

            await until(all_came)
            parts = [
                {d.partition for d in member.got[begin:]} for member, begin in zip((one, other), begins, strict=True)
            ]
            return min(map(len, parts)) > 0 and not parts[0] & parts[1] and abs(len(parts[0]) - len(parts[1])) <= 1

        await until(shared)

    async def _finished(self, bus: Bus, topic: str, group: str) -> bool:
        return await bus.lag(topic, group) == 0

    def _assert_complete_and_in_order(self, records: list[Record], *listeners: Listener) -> None:
        """Everything came, and nobody saw a key's record before an earlier one, repetitions aside."""
        seen = {d.record.value for listener in listeners for d in listener.got}
        assert {record.value for record in records} <= seen
        for listener in listeners:
            for key, values in listener.by_key().items():
                order = [value for value in values if not value.startswith(b"probe")]
                assert order == [value for value in values_of(records).get(key, []) if value in set(order)]
