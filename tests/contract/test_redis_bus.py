"""The bus on Redis Streams keeps the contract, and its own promises on top, on a real server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.core.bus import Bus, BusUnavailable, Record
from services.core.bus.redis_streams import RedisBus, Retention
from services.core.embedded_redis import embedded_redis
from tests.contract.bus_contract import MAX_UNFINISHED, BusContract, Connect
from tests.contract.listening import listening, numbered, until

SMALL = Retention(keep=5, most=10)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with embedded_redis(tmp_path) as url:
        yield url


class TestRedisBus(BusContract):
    @pytest.fixture
    async def connect(self, url: str) -> AsyncIterator[Connect]:
        async with AsyncExitStack() as stack:

            async def new_bus() -> Bus:
                return await stack.enter_async_context(RedisBus(url, max_unfinished=MAX_UNFINISHED))

            yield new_bus


async def values(bus: Bus, topic: str) -> list[bytes]:
    return [record.value async for record in bus.read(topic)]


async def test_a_partition_is_drained_before_it_changes_hands(url: str) -> None:
    keys = ["a", "b", "c", "d"]
    sent = numbered("t", keys, 1)
    async with RedisBus(url, partitions=2) as bus, listening(bus, "t", group="g", keep=True) as one:
        await bus.publish(*sent)
        await one.count(4)
        async with listening(bus, "t", group="g") as other:

            def finish() -> None:
                one.keep = False
                for delivery in one.got:
                    delivery.done()

            asyncio.get_running_loop().call_later(2.5, finish)  # two calls of each member later
            await until(lambda: _caught_up(bus))
            assert other.got == [], "what one member holds does not come to the other"

            async def other_works() -> bool:
                sent.extend(Record("t", key, f"{key} {len(sent)}".encode()) for key in keys)
                await bus.publish(*sent[-4:])
                return bool(other.got)

            await until(other_works)
            await until(lambda: _caught_up(bus))
    assert len({delivery.partition for delivery in other.got}) == 1
    assert sorted(d.record.value for d in (*one.got, *other.got)) == sorted(record.value for record in sent)


async def test_a_member_keeps_its_partitions_while_nothing_happens(url: str) -> None:
    async with RedisBus(url, partitions=1, lease_s=0.6) as bus, listening(bus, "t", group="g", keep=True) as one:
        await bus.publish(*numbered("t", ["a"], 1))
        await one.count(1)
        await asyncio.sleep(1.5)  # more than two leases
        async with listening(bus, "t", group="g") as other:
            await asyncio.sleep(0.5)
            assert other.got == [], "the first member still holds its record"


async def test_who_waits_for_a_partition_gets_it_as_soon_as_it_is_free(url: str) -> None:
    sent = numbered("t", ["a", "b", "c", "d"], 1)
    async with RedisBus(url, partitions=2, lease_s=300) as bus, AsyncExitStack() as first:
        one = await first.enter_async_context(listening(bus, "t", group="g", keep=True))
        await bus.publish(*sent)
        await one.count(4)
        async with listening(bus, "t", group="g") as other:
            await asyncio.sleep(0.3)
            await first.aclose()
            await other.count(1)  # far sooner than its next regular call


async def test_a_member_that_lost_its_partition_commits_nothing_more(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    redis = Redis.from_url(url)
    async with RedisBus(url, partitions=1) as bus, listening(bus, "t", group="g", keep=True) as one:
        await bus.publish(*numbered("t", ["a"], 5))
        await one.count(5)
        # What happens to a process that was stopped for longer than its lease: another one has gone on meanwhile.
        await redis.zadd("bus:members:g:t", {"000000000000": 1e15})
        await redis.hset("bus:owners:g:t", "0", "000000000000")
        await redis.hset("bus:committed:g", "bus:log:t:0", "5")
        one.got[0].done()

        async def noticed() -> bool:
            return "lost partition 0 of t" in caplog.text

        await until(noticed)
        assert await bus.lag("t", "g") == 1
    await redis.aclose()


async def test_what_every_group_has_finished_is_trimmed_to_what_is_kept(url: str) -> None:
    async with RedisBus(url, partitions=1, retention={"t": SMALL}) as bus:
        async with listening(bus, "t", group="g") as listener:
            for record in numbered("t", ["a"], 30):
                await bus.publish(record)
                await until(lambda: _caught_up(bus))
            await listener.count(30)
        assert await values(bus, "t") == [f"a {number}".encode() for number in range(25, 30)]


async def test_a_topic_without_groups_keeps_its_newest_records(url: str) -> None:
    async with RedisBus(url, partitions=1, retention={"t": SMALL}) as bus:
        for record in numbered("t", ["a"], 30):
            await bus.publish(record)
        assert await values(bus, "t") == [f"a {number}".encode() for number in range(25, 30)]
        assert await bus.lag("t", "nobody") == 5


async def test_unfinished_records_are_never_trimmed_and_the_full_topic_refuses_more(url: str) -> None:
    async with RedisBus(url, partitions=1, retention={"t": SMALL}) as bus:
        async with listening(bus, "t", group="g", keep=True):
            pass
        for record in numbered("t", ["a"], 10):
            await bus.publish(record)
        with pytest.raises(BusUnavailable, match="group has not finished"):
            await bus.publish(Record("other", "a", b"with it"), Record("t", "a", b"too many"))
        assert await values(bus, "other") == [], "a call is taken as a whole or not at all"
        async with listening(bus, "t", group="g") as listener:
            await listener.count(10)
            await until(lambda: _caught_up(bus))
            await bus.publish(Record("t", "a", b"fits again"))
            await listener.count(11)
        assert listener.values == [f"a {number}".encode() for number in range(10)] + [b"fits again"]


async def test_a_group_that_has_been_away_for_long_no_longer_holds_records(url: str) -> None:
    async with RedisBus(url, partitions=1, retention={"t": SMALL}) as bus:
        async with listening(bus, "t", group="gone"):
            pass
        redis = Redis.from_url(url)
        await redis.zadd("bus:groups:t", {"gone": 0})
        for record in numbered("t", ["a"], 30):
            await bus.publish(record)
        assert len(await values(bus, "t")) == 5
        await redis.aclose()


async def test_full_memory_refuses_records_until_a_group_has_finished_some(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, max_memory_mb=8) as url, RedisBus(url, partitions=1) as bus:
        async with listening(bus, "t", group="g", keep=True):
            pass
        taken = 0
        with pytest.raises(BusUnavailable, match="maxmemory"):
            while True:
                await bus.publish(Record("t", "a", str(taken).encode().ljust(100_000)))
                taken += 1
        redis = Redis.from_url(url)
        await redis.config_set("maxmemory", (await redis.info("memory"))["used_memory"] - 1)  # not a byte more
        async with RedisBus(url) as late, listening(late, "t", group="g") as listener:
            await listener.count(taken)
            await until(lambda: _caught_up(bus))
            for number in range(taken, 2 * taken):
                await bus.publish(Record("t", "a", str(number).encode().ljust(100_000)))
                await until(lambda: _caught_up(bus))
        await redis.aclose()
        assert [int(value) for value in listener.values] == list(range(2 * taken))
        assert taken > 50


async def test_the_number_of_partitions_stays_what_it_was_first(url: str) -> None:
    async with RedisBus(url, partitions=2) as bus:
        await bus.publish(*numbered("t", ["a", "b", "c", "d", "e", "f"], 1))
    async with RedisBus(url, partitions=8) as bus, listening(bus, "t", group="g") as listener:
        await bus.publish(*numbered("t", ["a", "b", "c", "d", "e", "f"], 2)[6:])
        await listener.count(12)
    assert {delivery.partition for delivery in listener.got} == {0, 1}
    assert listener.by_key()["a"] == [b"a 0", b"a 1"]


async def test_a_bus_that_hangs_is_unavailable_after_the_time_out(url: str) -> None:
    async with RedisBus(url, timeout_s=0.2) as bus:
        redis = Redis.from_url(url)
        server = int((await redis.info("server"))["process_id"])
        os.kill(server, signal.SIGSTOP)
        try:
            with pytest.raises(BusUnavailable, match=r"0\.2 s"):
                await bus.publish(Record("t", "a", b"1"))
            with pytest.raises(BusUnavailable):
                await bus.lag("t", "g")
            with pytest.raises(BusUnavailable):
                async with bus.consume("t", group="g"):
                    raise AssertionError("joined a server that hangs")
        finally:
            os.kill(server, signal.SIGCONT)
        await bus.publish(Record("t", "a", b"2"))
        assert (await values(bus, "t"))[-1] == b"2"
        await redis.aclose()


async def test_a_bus_without_a_server_is_unavailable_at_once(tmp_path: Path) -> None:
    with pytest.raises(BusUnavailable, match="Redis"):
        async with RedisBus(f"unix://{tmp_path}/nothing.sock"):
            raise AssertionError("opened without a server")


async def test_commits_reach_the_server_soon_without_leaving(url: str) -> None:
    async with RedisBus(url, partitions=1, lease_s=60) as bus, listening(bus, "t", group="g") as listener:
        await bus.publish(Record("t", "a", b"1"))
        await listener.count(1)
        async with asyncio.timeout(5):
            await until(lambda: _caught_up(bus))


async def _caught_up(bus: Bus) -> bool:
    return await bus.lag("t", "g") == 0


async def lose(server: Redis, *, last: int, lost: int) -> None:
    """Makes the only partition of `t` what it is on a replica that has not got the newest records, and goes over."""
    await server.eval(
        """
        for offset = ARGV[1] + 1, ARGV[1] + ARGV[2] do redis.call('XDEL', KEYS[1], offset .. '-0') end
        redis.call('XSETID', KEYS[1], ARGV[1] .. '-0')
        redis.call('HSET', 'bus:last', KEYS[1], ARGV[1])
        redis.call('HSET', 'bus:committed:g', KEYS[1], ARGV[1] + 1)
        """,
        1,
        "bus:log:t:0",
        last,
        lost,
    )
    await server.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("more", [5, 60])
async def test_readers_hear_what_is_written_after_redis_came_back_without_its_newest_records(
    url: str, more: int
) -> None:
    old, new = numbered("t", ["a"], 100), [Record("t", "a", f"new {i}".encode()) for i in range(more)]
    async with (
        RedisBus(url, partitions=1) as bus,
        listening(bus, "t", group="g") as member,
        listening(bus, "t", group=None, start="latest") as lone,
        Redis.from_url(url) as server,
    ):
        await bus.publish(*old)
        for reader in (member, lone):
            await reader.count(100)
        await asyncio.sleep(0.5)
        await lose(server, last=80, lost=20)
        for record in new:
            await bus.publish(record)
        for reader in (member, lone):
            await reader.count(100 + more)
        assert [d.record.value for d in member.got[100:]] == [record.value for record in new]
        assert [d.record.value for d in lone.got[100:]] == [record.value for record in new]

        async def committed() -> bool:
            return await bus.lag("t", "g") == 0

        await until(committed)


async def test_readers_hear_what_is_written_after_redis_lost_everything(url: str) -> None:
    async with (
        RedisBus(url, partitions=1) as bus,
        listening(bus, "t", group="g") as member,
        listening(bus, "t", group=None, start="latest") as lone,
        Redis.from_url(url) as server,
    ):
        for i in range(10):
            await bus.publish(*numbered("t", ["a"], 30))
            for reader in (member, lone):
                await reader.count(30 * i + 30)
        await server.flushall()
        await bus.publish(*numbered("t", ["a"], 10))
        for reader in (member, lone):
            await reader.count(310)
