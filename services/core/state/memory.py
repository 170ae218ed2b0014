"""The state in one process's memory: for tests in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from services.core.clock import Clock
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
    full_s,
)

COUNTER_LIFE_S = 7 * DAY_S


class MemoryState:
    """Nothing survives the object."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, bytes | dict[str, bytes]] = {}
        self._ends: dict[str, float] = {}
        self._by_end: list[tuple[float, str]] = []

    async def get(self, key: str) -> bytes | None:
        self._expire()
        return self._value(key)

    async def known(self, *keys: str) -> frozenset[str]:
        self._expire()
        return frozenset(key for key in keys if isinstance(self._values.get(key), bytes))

    async def fields(self, key: str) -> Mapping[str, bytes]:
        self._expire()
        return dict(self._hash(key))

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        self._renew(held)
        for change in changes:
            match change:
                case PutNew(key) if key in self._values:
                    raise Overtaken(f"{key} is there already")
                case CountTo(key, number) if int(self._value(key) or 0) >= number:
                    raise Overtaken(f"{key} has reached {number}")
        for change in changes:
            match change:
                case Put(key, value, ttl_s) | PutNew(key, value, ttl_s):
                    self._keep(key, value, ttl_s)
                case CountTo(key, number):
                    self._keep(key, str(number).encode(), COUNTER_LIFE_S)
                case PutField(key, field, value, ttl_s):
                    fields = self._hash(key)
                    fields[field] = value
                    self._keep(key, fields, ttl_s)
                case DropField(key, field):
                    fields = self._hash(key)
                    fields.pop(field, None)
                    if not fields:
                        self._forget(key)
                case Drop(key):
                    self._forget(key)

    async def increment(self, key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
        self._renew(held)
        number = max(int(await self.get(key) or 0), at_least) + 1
        self._keep(key, str(number).encode(), COUNTER_LIFE_S)
        return number

    async def first_time(self, key: str, *, ttl_s: int) -> bool:
        if await self.get(key) is not None:
            return False
        self._keep(key, b"1", ttl_s)
        return True

    async def take(self, key: str, number: int, *, per_s: float, most: float) -> int:
        now = self._clock.monotonic()
        left, at = map(float, (await self.get(key) or f"{most} {now}".encode()).split())
        left = min(most, left + (now - at) * per_s)
        given = min(number, int(left + ROUNDED))
        self._keep(key, f"{left - given} {now}".encode(), full_s(per_s, most))
        return given

    async def health(self) -> Health:
        """Nothing is known of the machine's memory, and nothing is kept."""
        return Health()

    def _renew(self, held: Lease | None) -> None:
        self._expire()
        if held is None:
            return
        number = str(held.number).encode()
        if self._values.get(held.key) != number:
            raise LeaseLost(f"another process has taken {held.key}")
        self._keep(held.key, number, COUNTER_LIFE_S)

    def _value(self, key: str) -> bytes | None:
        value = self._values.get(key)
        if isinstance(value, dict):
            raise TypeError(f"{key} holds fields")
        return value

    def _hash(self, key: str) -> dict[str, bytes]:
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            raise TypeError(f"{key} holds a value")
        return value

    def _keep(self, key: str, value: bytes | dict[str, bytes], ttl_s: int) -> None:
        self._values[key] = value
        self._ends[key] = self._clock.monotonic() + ttl_s
        heapq.heappush(self._by_end, (self._ends[key], key))

    def _expire(self) -> None:
        while self._by_end and self._by_end[0][0] <= self._clock.monotonic():
            end, key = heapq.heappop(self._by_end)
            if self._ends.get(key) == end:  # not renewed or forgotten since
                self._forget(key)

    def _forget(self, key: str) -> None:
        self._values.pop(key, None)
        self._ends.pop(key, None)
