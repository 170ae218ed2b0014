"""Connections to a real Redis are shared, given back whatever happens, and replaced when the server closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.core.embedded_redis import embedded_redis
from services.core.redis_client import connect


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with embedded_redis(tmp_path) as url:
        yield url


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Redis]:
    client = connect(url, connections=1)
    await client.set("a", b"1")
    yield client
    await client.aclose()


async def test_who_needs_a_connection_more_than_there_are_waits(redis: Redis) -> None:
    assert await asyncio.gather(*(redis.get("a") for _ in range(20))) == [b"1"] * 20


async def test_who_no_longer_waits_for_a_connection_takes_none_away(redis: Redis) -> None:
    holding = asyncio.ensure_future(redis.blpop(["nothing"], timeout=1))
    await asyncio.sleep(0.05)
    waiting = [asyncio.ensure_future(redis.get("a")) for _ in range(3)]
    await asyncio.sleep(0.05)
    for task in waiting[:2]:
        task.cancel()
    assert await waiting[2] == b"1"
    assert await holding is None
    assert await redis.get("a") == b"1"


async def test_an_answer_that_nobody_waits_for_any_more_is_nobody_elses(redis: Redis) -> None:
    asking = asyncio.ensure_future(redis.blpop(["list"], timeout=5))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await redis.rpush("list", "late")
    assert await redis.get("a") == b"1"


async def test_a_connection_that_the_server_has_closed_is_replaced_unnoticed(url: str, redis: Redis) -> None:
    other = connect(url, connections=1)
    own = await other.client_id()
    for client in await other.client_list():
        if int(client["id"]) != own:
            await other.client_kill_filter(_id=client["id"])
    await other.aclose()
    await asyncio.sleep(0.05)
    assert await redis.get("a") == b"1"
