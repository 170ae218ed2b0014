"""The state on Redis keeps the contract, and its own promises on top, on a real server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.core.embedded_redis import embedded_redis
from services.core.state import Drop, DropField, Put, PutField, State, StateUnavailable
from services.core.state.redis_state import RedisState
from tests.contract.state_contract import PassTime, StateContract


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with embedded_redis(tmp_path) as url:
        yield url


class TestRedisState(StateContract):
    @pytest.fixture
    async def state(self, url: str) -> AsyncIterator[State]:
        async with RedisState(url) as state:
            yield state

    @pytest.fixture
    def pass_time(self) -> PassTime:
        async def wait(seconds: int) -> None:
            await asyncio.sleep(seconds + 0.02)  # only the server's own clock counts

        return wait


async def test_everything_that_is_written_has_an_end(url: str) -> None:
    redis = Redis.from_url(url)
    async with RedisState(url) as state:
        await state.apply(Put("a", b"1"), PutField("b", "x", b"1"), PutField("b", "y", b"1"), DropField("b", "x"))
        await state.increment("c")
        await state.first_time("d", ttl_s=5)
        await state.take("e", 1, per_s=1, most=2)
    assert {key: 0 < await redis.ttl(key) <= 7 * 86_400 for key in "abcde"} == dict.fromkeys("abcde", True)
    await redis.aclose()


async def test_the_state_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path) as url, RedisState(url) as state:
        await state.apply(Put("a", b"1"), PutField("b", "x", b"2"))
        await state.increment("c", at_least=6)
        await state.first_time("d", ttl_s=600)
    async with embedded_redis(tmp_path) as url, RedisState(url) as state:
        assert await state.get("a") == b"1"
        assert dict(await state.fields("b")) == {"x": b"2"}
        assert await state.increment("c") == 8
        assert not await state.first_time("d", ttl_s=600)


async def test_a_full_server_refuses_changes_forgets_nothing_and_takes_removals(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, max_memory_mb=4) as url, RedisState(url) as state:
        taken = 0
        with pytest.raises(StateUnavailable, match="maxmemory"):
            while True:
                await state.apply(Put(f"key {taken}", b"x" * 100_000))
                taken += 1
        assert taken > 10
        assert [len(await state.get(f"key {number}") or b"") for number in range(taken)] == [100_000] * taken
        with pytest.raises(StateUnavailable):
            await state.apply(Put("too much", b"x" * 100_000), Drop("key 0"))
        assert await state.get("key 0") is not None, "all changes or none"
        await state.apply(*(Drop(f"key {number}") for number in range(taken // 2)), DropField("none", "field"))
        await state.apply(Put("fits again", b"x"))
        assert await state.get("fits again") == b"x"


async def test_a_state_that_hangs_is_unavailable_after_the_time_out(url: str) -> None:
    redis = Redis.from_url(url)
    server = int((await redis.info("server"))["process_id"])
    async with RedisState(url, timeout_s=0.1) as state:
        await state.apply(Put("a", b"1"))
        os.kill(server, signal.SIGSTOP)
        try:
            for call in (
                state.get("a"),
                state.fields("b"),
                state.apply(Put("a", b"2")),
                state.increment("c"),
                state.first_time("d", ttl_s=1),
                state.take("e", 1, per_s=1, most=1),
            ):
                with pytest.raises(StateUnavailable, match=r"0\.1 s"):
                    await call
        finally:
            os.kill(server, signal.SIGCONT)
        assert await state.get("b2") is None
    await redis.aclose()


async def test_a_state_without_a_server_is_unavailable_at_once(tmp_path: Path) -> None:
    async with RedisState(f"unix://{tmp_path}/nothing.sock") as state:
        with pytest.raises(StateUnavailable):
            await state.get("a")
