"""The state on Redis: as durable as the server is (`services.core.embedded_redis` says how durable)."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from redis.commands.core import AsyncScript
from redis.exceptions import NoPermissionError

from services.core.redis_client import answered, connect
from services.core.state.port import (
    DAY_S,
    ROUNDED,
    Change,
    CountTo,
    Drop,
    DropField,
    Health,
    Lease,
    LeaseLost,
    Overtaken,
    Put,
    PutField,
    PutNew,
    StateUnavailable,
    full_s,
)

CONNECTIONS = 16
COUNTER_LIFE_S = 7 * DAY_S

HELD = """
-- KEYS: the lease that is to be held, if one is. ARGV: its number, its life in seconds. Nothing is done without it.
if KEYS[1] and redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return false
end
"""

RENEW = """
-- Last, because a server without memory stops a script only at its first write.
if KEYS[1] then
    redis.call('EXPIRE', KEYS[1], ARGV[2])
end
"""

APPLY = f"""{HELD}
-- ARGV: how many keys must be new, and for each the key and a number that a counter there may not have reached, or ''.
-- Then, for each command, its name, how many arguments it has, and these. A script instead of a MULTI, because a server
-- without memory refuses every MULTI, removals too, but a script only at its first command that needs memory.
local at = 4 + 2 * ARGV[3]
for new = 4, at - 1, 2 do
    local there = redis.call('GET', ARGV[new])
    if there and (ARGV[new + 1] == '' or tonumber(there) >= tonumber(ARGV[new + 1])) then
        return 0
    end
end
while at <= #ARGV do
    local last = at + 1 + ARGV[at + 1]
    redis.call(ARGV[at], unpack(ARGV, at + 2, last))
    at = last + 1
end
{RENEW}
return 1
"""

INCREMENT = f"""{HELD}
-- ARGV: from the third on, the counter, at least.
local number = math.max(redis.call('GET', ARGV[3]) or 0, ARGV[4]) + 1
redis.call('SET', ARGV[3], string.format('%.0f', number), 'EX', ARGV[2])
{RENEW}
return number
"""

TAKE = f"""
-- KEYS: what is taken of. ARGV: how many, how many become free in a second, how many there are, the key's life in
-- seconds. The value: how many are free, and since when, in seconds. The server's clock is everybody's.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local most = tonumber(ARGV[3])
local left, at = most, now
local kept = redis.call('GET', KEYS[1])
if kept then
    left, at = string.match(kept, '(%S+) (%S+)')
    left = math.min(most, left + math.max(now - at, 0) * ARGV[2])
end
local given = math.min(tonumber(ARGV[1]), math.floor(left + {ROUNDED}))
redis.call('SET', KEYS[1], string.format('%.6f %.6f', left - given, math.max(now, at)), 'EX', ARGV[4])
return given
"""


class RedisState:
    """`services.core.state.port` says what it promises. An async context manager.

    `url` is a Redis' (`unix://…`, `redis://…`). Its size is bounded by the life of each key and by the server's own
    limit; a server that is full refuses changes and evicts nothing. A call that it has not answered after `timeout_s`,
    or refuses, raises StateUnavailable.
    """

    def __init__(self, url: str, *, timeout_s: float = 2.0) -> None:
        self._timeout_s = timeout_s
        self._redis = connect(url, connections=CONNECTIONS)
        self._apply = self._redis.register_script(APPLY)
        self._increment = self._redis.register_script(INCREMENT)
        self._take = self._redis.register_script(TAKE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._redis.aclose()

    async def get(self, key: str) -> bytes | None:
        async with answered(self._timeout_s, StateUnavailable):
            value: Any = await self._redis.get(key)
        return None if value is None else bytes(value)

    async def known(self, *keys: str) -> frozenset[str]:
        if not keys:
            return frozenset()
        async with answered(self._timeout_s, StateUnavailable):
            values: Any = await self._redis.mget(keys)
        return frozenset(key for key, value in zip(keys, values, strict=True) if value is not None)

    async def fields(self, key: str) -> Mapping[str, bytes]:
        async with answered(self._timeout_s, StateUnavailable):
            found: Any = await self._redis.hgetall(key)
        return {name.decode(): value for name, value in found.items()}

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        new: list[str | bytes | int] = []
        commands: list[str | bytes | int] = []
        for change in changes:
            match change:
                case Put(key, value, ttl_s):
                    commands += ("SET", 4, key, value, "EX", ttl_s)
                case PutNew(key, value, ttl_s):
                    new += (key, "")
                    commands += ("SET", 4, key, value, "EX", ttl_s)
                case CountTo(key, number):
                    new += (key, number)
                    commands += ("SET", 4, key, number, "EX", COUNTER_LIFE_S)
                case PutField(key, field, value, ttl_s):
                    commands += ("HSET", 3, key, field, value, "EXPIRE", 2, key, ttl_s)
                case DropField(key, field):
                    commands += ("HDEL", 2, key, field)
                case Drop(key):
                    commands += ("DEL", 1, key)
        if not await self._run(self._apply, held, len(new) // 2, *new, *commands):
            raise Overtaken("something is there already that was to be new")

    async def increment(self, key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
        return await self._run(self._increment, held, key, at_least)

    async def first_time(self, key: str, *, ttl_s: int) -> bool:
        async with answered(self._timeout_s, StateUnavailable):
            return bool(await self._redis.set(key, b"1", ex=ttl_s, nx=True))

    async def take(self, key: str, number: int, *, per_s: float, most: float) -> int:
        async with answered(self._timeout_s, StateUnavailable):
            given: Any = await self._take([key], [number, per_s, most, full_s(per_s, most)])
        return int(given)

    async def health(self) -> Health:
        async with answered(self._timeout_s, StateUnavailable):
            try:
                told: Any = await self._redis.info()
            except NoPermissionError:
                return Health()
        most = told.get("maxmemory", 0)
        log = told.get("aof_enabled")
        return Health(
            memory_used=told["used_memory"] / most if most else None,
            saving=None if log is None else bool(log) and told.get("aof_last_write_status") == "ok",
        )

    async def _run(self, script: AsyncScript, held: Lease | None, *arguments: str | bytes | int) -> int:
        keys = [held.key] if held is not None else []
        async with answered(self._timeout_s, StateUnavailable):
            answer: Any = await script(keys, [held.number if held is not None else 0, COUNTER_LIFE_S, *arguments])
        if held is not None and answer is None:
            raise LeaseLost(f"another process has taken {held.key}")
        return int(answer)
