"""The state in one process's memory: for tests in virtual time."""

from __future__ import annotations

from collections.abc import Mapping

from services.core.clock import Clock
from services.core.state.port import DAY_S, Change, Drop, DropField, Put, PutField


class MemoryState:
    """Nothing survives the object."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, bytes] = {}
        self._hashes: dict[str, dict[str, bytes]] = {}
        self._ends: dict[str, float] = {}

    async def get(self, key: str) -> bytes | None:
        self._expire()
        return self._values.get(key)

    async def fields(self, key: str) -> Mapping[str, bytes]:
        self._expire()
        return dict(self._hashes.get(key, {}))

    async def apply(self, *changes: Change) -> None:
        self._expire()
        for change in changes:
            match change:
                case Put(key, value, ttl_s):
                    self._values[key] = value
                    self._ends[key] = self._clock.monotonic() + ttl_s
                case PutField(key, field, value, ttl_s):
                    self._hashes.setdefault(key, {})[field] = value
                    self._ends[key] = self._clock.monotonic() + ttl_s
                case DropField(key, field):
                    self._hashes.get(key, {}).pop(field, None)
                case Drop(key):
                    self._forget(key)

    async def increment(self, key: str, *, at_least: int = 0) -> int:
        self._expire()
        number = max(int(self._values.get(key, b"0")), at_least) + 1
        await self.apply(Put(key, str(number).encode(), 7 * DAY_S))
        return number

    async def first_time(self, key: str, *, ttl_s: int) -> bool:
        if await self.get(key) is not None:
            return False
        await self.apply(Put(key, b"1", ttl_s))
        return True

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for key in [key for key, end in self._ends.items() if end <= now]:
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._values.pop(key, None)
        self._hashes.pop(key, None)
        self._ends.pop(key, None)
