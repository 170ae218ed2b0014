"""Time as a port: nothing that decides reads the machine's clock itself."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where a service takes its time from. `asyncio.sleep` goes with it: tests run both in virtual time."""

    def now_ms(self) -> int:
        """Unix time in milliseconds. May jump; for stamps, not for intervals."""

    def monotonic(self) -> float:
        """Seconds from an unnamed start; never goes back."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class LoopClock:
    """The event loop's clock: virtual when the loop is (see `services.core.virtual_time`).

    `start_ms` is the Unix time, in milliseconds, at which the loop's clock stood at zero.
    """

    def __init__(self, start_ms: int = 1_767_225_600_000) -> None:
        self._start_ms = start_ms

    def now_ms(self) -> int:
        return self._start_ms + round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
