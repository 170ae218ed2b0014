"""What every state promises, as tests. `services.core.state.port` says it in words.

An implementation joins with a class that inherits from StateContract and has two fixtures: `state`, and `pass_time`,
which lets so many seconds go by for it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.core.state import CountTo, Drop, DropField, Lease, LeaseLost, Overtaken, Put, PutField, PutNew, State

PassTime = Callable[[int], Awaitable[None]]


class StateContract:
    """Inherit, and define `state` and `pass_time`."""

    @pytest.fixture
    async def state(self) -> AsyncIterator[State]:
        raise NotImplementedError
        yield

    @pytest.fixture
    def pass_time(self) -> PassTime:
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> str:
        return f"room:房间 {uuid.uuid4().hex}:what"

    # values

    async def test_what_was_never_set_is_none(self, state: State, key: str) -> None:
        assert await state.get(key) is None

    @pytest.mark.parametrize("value", [b"", b"\x00\xff\r\n", b"x" * 1_000_000], ids=["empty", "binary", "one megabyte"])
    async def test_a_value_comes_back_as_it_was_put(self, state: State, key: str, value: bytes) -> None:
        await state.apply(Put(key, value))
        assert await state.get(key) == value

    async def test_a_later_value_replaces_an_earlier_one(self, state: State, key: str) -> None:
        await state.apply(Put(key, b"1"), Put(key, b"2"))
        assert await state.get(key) == b"2"

    async def test_a_value_is_gone_after_its_life(self, state: State, key: str, pass_time: PassTime) -> None:
        await state.apply(Put(key, b"short", ttl_s=1), Put(key + "2", b"long", ttl_s=1000))
        assert await state.get(key) == b"short"
        await pass_time(1)
        assert await state.get(key) is None
        assert await state.get(key + "2") == b"long"

    async def test_putting_again_renews_the_life(self, state: State, key: str, pass_time: PassTime) -> None:
        await state.apply(Put(key, b"1", ttl_s=1))
        await state.apply(Put(key, b"2", ttl_s=1000))
        await pass_time(1)
        assert await state.get(key) == b"2"

    async def test_dropping_removes_a_value(self, state: State, key: str) -> None:
        await state.apply(Put(key, b"1"))
        await state.apply(Drop(key), Drop(key + "never there"))
        assert await state.get(key) is None

    async def test_of_many_keys_those_that_hold_a_value_are_known(
        self, state: State, key: str, pass_time: PassTime
    ) -> None:
        here, fields, gone, never = (f"{key} {what}" for what in ("here", "fields", "gone", "never"))
        await state.apply(Put(here, b""), PutField(fields, "a", b"1"), Put(gone, b"1", ttl_s=1))
        await pass_time(1)
        assert await state.known(here, fields, gone, never) == {here}
        assert await state.known() == frozenset()

    # hashes

    async def test_fields_of_nothing_are_empty(self, state: State, key: str) -> None:
        assert dict(await state.fields(key)) == {}

    async def test_fields_are_put_and_dropped_one_by_one(self, state: State, key: str) -> None:
        await state.apply(PutField(key, "赵", b"1"), PutField(key, "b", b"2"), PutField(key, "c", b""))
        await state.apply(PutField(key, "b", b"3"), DropField(key, "赵"), DropField(key, "never there"))
        assert dict(await state.fields(key)) == {"b": b"3", "c": b""}

    async def test_dropping_the_last_field_leaves_a_free_key(self, state: State, key: str) -> None:
        await state.apply(PutField(key, "a", b"1"), DropField(key, "a"))
        assert dict(await state.fields(key)) == {}
        await state.apply(Put(key, b"a value now"))
        assert await state.get(key) == b"a value now"

    async def test_dropping_removes_all_fields(self, state: State, key: str) -> None:
        await state.apply(PutField(key, "a", b"1"), PutField(key, "b", b"1"), Drop(key))
        assert dict(await state.fields(key)) == {}

    async def test_each_field_renews_the_whole_life(self, state: State, key: str, pass_time: PassTime) -> None:
        await state.apply(PutField(key, "old", b"1", ttl_s=1), PutField(key + "2", "old", b"1", ttl_s=1))
        await state.apply(PutField(key, "new", b"2", ttl_s=1000))
        await pass_time(1)
        assert dict(await state.fields(key)) == {"old": b"1", "new": b"2"}
        assert dict(await state.fields(key + "2")) == {}

    async def test_fields_are_a_copy(self, state: State, key: str) -> None:
        await state.apply(PutField(key, "a", b"1"))
        before = await state.fields(key)
        await state.apply(PutField(key, "b", b"2"))
        assert dict(before) == {"a": b"1"}

    async def test_a_value_and_fields_are_not_mixed_up(self, state: State, key: str) -> None:
        await state.apply(Put(key, b"1"), PutField(key + "2", "a", b"1"))
        with pytest.raises(TypeError):
            await state.fields(key)
        with pytest.raises(TypeError):
            await state.get(key + "2")

    # together

    async def test_changes_are_applied_in_the_order_given(self, state: State, key: str) -> None:
        await state.apply(PutField(key, "a", b"1"), Drop(key), PutField(key, "b", b"2"), Put(key + "2", b"x"))
        assert dict(await state.fields(key)) == {"b": b"2"}
        assert await state.get(key + "2") == b"x"

    async def test_no_changes_are_no_mistake(self, state: State) -> None:
        await state.apply()

    # what must be new

    async def test_something_new_is_put_once_per_life(self, state: State, key: str, pass_time: PassTime) -> None:
        await state.apply(PutNew(key, b"1", ttl_s=1))
        assert await state.get(key) == b"1"
        with pytest.raises(Overtaken):
            await state.apply(PutNew(key, b"2"))
        assert await state.get(key) == b"1"
        await pass_time(1)
        await state.apply(PutNew(key, b"3"))
        assert await state.get(key) == b"3"

    async def test_where_one_thing_is_not_new_nothing_happens(self, state: State, key: str) -> None:
        await state.apply(PutNew(f"{key} old", b""), CountTo(f"{key} counter", 7))
        for overtaken in (PutNew(f"{key} old", b"1"), CountTo(f"{key} counter", 7)):
            with pytest.raises(Overtaken):
                await state.apply(
                    Put(key, b"1"), PutField(f"{key} fields", "a", b"1"), PutNew(f"{key} new", b"1"), overtaken
                )
        assert await state.known(key, f"{key} new") == frozenset()
        assert dict(await state.fields(f"{key} fields")) == {}
        assert await state.get(f"{key} old") == b""

    async def test_who_lost_the_lease_is_told_of_that_first(self, state: State, key: str) -> None:
        await state.apply(PutNew(key, b"1"))
        with pytest.raises(LeaseLost):
            await state.apply(PutNew(key, b"2"), held=Lease(f"{key} lease", 1))

    # counters

    async def test_a_counter_is_counted_to_a_number_that_it_has_not_reached(self, state: State, key: str) -> None:
        await state.apply(CountTo(key, 10**14))
        assert await state.increment(key) == 10**14 + 1
        for number in (1, 10**14, 10**14 + 1):
            with pytest.raises(Overtaken):
                await state.apply(CountTo(key, number))
        await state.apply(CountTo(key, 10**14 + 2))
        assert await state.increment(key) == 10**14 + 3

    async def test_only_one_of_many_counts_to_a_number(self, state: State, key: str) -> None:
        attempts = (state.apply(CountTo(key, 5)) for _ in range(20))
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Overtaken) for outcome in outcomes) == 19

    async def test_a_counter_counts_up_from_one(self, state: State, key: str) -> None:
        assert [await state.increment(key) for _ in range(3)] == [1, 2, 3]
        assert await state.get(key) == b"3"

    async def test_a_counter_passes_what_it_is_told(self, state: State, key: str) -> None:
        assert await state.increment(key, at_least=41) == 42
        assert await state.increment(key, at_least=7) == 43
        assert await state.increment(key, at_least=10**14) == 10**14 + 1
        assert await state.increment(key) == 10**14 + 2

    async def test_nobody_gets_the_same_number(self, state: State, key: str) -> None:
        numbers = await asyncio.gather(*(state.increment(key) for _ in range(50)))
        assert sorted(numbers) == list(range(1, 51))

    # leases

    async def test_who_holds_the_lease_changes_and_counts(self, state: State, key: str) -> None:
        lease = Lease(key + "lease", await state.increment(key + "lease", at_least=10**12))
        await state.apply(Put(key, b"1"), PutField(key + "2", "a", b"1"), held=lease)
        assert await state.get(key) == b"1"
        assert await state.increment(key + "counter", at_least=6, held=lease) == 7

    async def test_a_lease_that_was_taken_changes_and_counts_nothing_more(self, state: State, key: str) -> None:
        former = Lease(key + "lease", await state.increment(key + "lease", at_least=10**12))
        lease = Lease(key + "lease", await state.increment(key + "lease", at_least=1))
        await state.apply(Put(key, b"1"), held=lease)
        with pytest.raises(LeaseLost):
            await state.apply(Put(key, b"2"), Drop(key + "2"), held=former)
        with pytest.raises(LeaseLost):
            await state.increment(key + "counter", held=former)
        assert await state.get(key) == b"1"
        assert await state.get(key + "counter") is None

    async def test_a_lease_that_nobody_took_is_not_held(self, state: State, key: str) -> None:
        with pytest.raises(LeaseLost):
            await state.apply(Put(key, b"1"), held=Lease(key + "lease", 0))
        assert await state.get(key) is None

    async def test_a_lease_lives_as_long_as_its_holder_changes_something(
        self, state: State, key: str, pass_time: PassTime
    ) -> None:
        await state.apply(Put(key + "lease", b"7", ttl_s=1))
        lease = Lease(key + "lease", 7)
        await state.apply(held=lease)
        await pass_time(1)
        await state.apply(Put(key, b"1"), held=lease)
        assert await state.get(key) == b"1"

    # first time

    async def test_the_first_time_is_once_per_life(self, state: State, key: str, pass_time: PassTime) -> None:
        assert await state.first_time(key, ttl_s=1)
        assert not await state.first_time(key, ttl_s=1)
        await pass_time(1)
        assert await state.first_time(key, ttl_s=1)

    async def test_no_more_is_taken_than_there_is_and_it_is_free_again_in_time(
        self, state: State, key: str, pass_time: PassTime
    ) -> None:
        assert [await state.take(key, number, per_s=0.01, most=10) for number in (4, 5, 4, 1)] == [4, 5, 1, 0]
        slow, fast = f"{key} slow", f"{key} fast"
        assert await state.take(slow, 60, per_s=2, most=60) == 60
        assert await state.take(fast, 5, per_s=100, most=5) == 5
        await pass_time(1)
        assert 2 <= await state.take(slow, 60, per_s=2, most=60) < 60
        assert await state.take(fast, 99, per_s=100, most=5) == 5, "never more than there is"

    async def test_many_take_no_more_together(self, state: State, key: str) -> None:
        given = await asyncio.gather(*(state.take(key, 3, per_s=0.01, most=20) for _ in range(30)))
        assert sum(given) == 20

    async def test_only_one_of_many_is_first(self, state: State, key: str) -> None:
        firsts = await asyncio.gather(*(state.first_time(key, ttl_s=60) for _ in range(50)))
        assert sum(firsts) == 1

    # health

    async def test_it_says_how_it_is_as_far_as_it_knows(self, state: State) -> None:
        health = await state.health()
        assert health.memory_used is None or 0 < health.memory_used < 1
        assert health.saving is not False
