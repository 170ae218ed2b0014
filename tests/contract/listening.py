"""Listening to a bus in tests: what came, in which order, and waiting for it without sleeping."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Literal

from services.core.bus import Bus, Consumer, Delivery, Record

PATIENCE_S = 60.0
"""How long something may take that must happen. Passing tests do not wait for it."""


class Listener:
    """Takes what a consumer delivers, and finishes it unless told to keep it."""

    def __init__(self, consumer: Consumer, *, keep: bool) -> None:
        self.got: list[Delivery] = []
        self._consumer = consumer
        self.keep = keep
        self._news = asyncio.Event()

    @property
    def values(self) -> list[bytes]:
        return [delivery.record.value for delivery in self.got]

    def by_key(self) -> dict[str, list[bytes]]:
        """Each key's values in the order in which they came first."""
        found: dict[str, dict[bytes, None]] = defaultdict(dict)
        for delivery in self.got:
            found[delivery.record.key][delivery.record.value] = None
        return {key: list(values) for key, values in found.items()}

    async def run(self) -> None:
        async for delivery in self._consumer:
            self.got.append(delivery)
            if not self.keep:
                delivery.done()
            self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until the condition holds, looking again whenever something has come."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def count(self, number: int) -> None:
        await self.until(lambda: len(self.got) >= number)


@asynccontextmanager
async def listening(
    bus: Bus,
    *names: str,
    group: str | None,
    start: Literal["earliest", "latest"] = "earliest",
    may_wait_s: float = 0.0,
    keep: bool = False,
) -> AsyncIterator[Listener]:
    """A consumer and its listener."""
    async with bus.consume(*names, group=group, start=start, may_wait_s=may_wait_s) as consumer:
        listener = Listener(consumer, keep=keep)
        task = asyncio.create_task(listener.run(), name="listener")
        try:
            yield listener
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again: for what another process does."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 (no event tells what another process did)
            await asyncio.sleep(0.01)


def numbered(topic: str, keys: list[str], count: int) -> list[Record]:
    """`count` records of each key, taking turns; the value tells the key and the number within the key."""
    return [Record(topic, key, f"{key} {number}".encode()) for number in range(count) for key in keys]


def values_of(records: Iterable[Record]) -> dict[str, list[bytes]]:
    """Each key's values in order."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for record in records:
        found[record.key].append(record.value)
    return dict(found)
