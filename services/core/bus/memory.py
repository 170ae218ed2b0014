"""The bus in one process's memory: for tests in virtual time. Nothing survives the object."""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from services.core.bus.port import Delivery, Record


def partition_of(key: str, partitions: int) -> int:
    """Which partition holds a key's records."""
    return zlib.crc32(key.encode()) % partitions


class Progress:
    """What a group has finished of one partition: everything below `committed`, and single offsets above it."""

    def __init__(self, committed: int) -> None:
        self.committed = committed
        self._finished: set[int] = set()

    def finish(self, offset: int) -> None:
        if offset >= self.committed:
            self._finished.add(offset)
        while self.committed in self._finished:
            self._finished.remove(self.committed)
            self.committed += 1


@dataclass
class _Group:
    progress: dict[tuple[str, int], Progress] = field(default_factory=dict)
    members: list[_MemoryConsumer] = field(default_factory=list)


class MemoryBus:
    """`max_unfinished` is how many records a member may hold of one partition before delivery pauses."""

    def __init__(self, *, partitions: int = 4, max_unfinished: int = 10_000) -> None:
        self._partitions = partitions
        self._max_unfinished = max_unfinished
        self._logs: dict[str, list[list[Record]]] = defaultdict(lambda: [[] for _ in range(partitions)])
        self._groups: dict[str, _Group] = defaultdict(_Group)
        self._anonymous: list[_MemoryConsumer] = []

    async def publish(self, *records: Record) -> None:
        for record in records:
            self._logs[record.topic][partition_of(record.key, self._partitions)].append(record)
        self._wake()

    @asynccontextmanager
    async def consume(
        self, *topics: str, group: str | None, start: Literal["earliest", "latest"] = "earliest"
    ) -> AsyncIterator[_MemoryConsumer]:
        owner = self._groups[group] if group is not None else _Group()
        for topic in topics:
            for partition, log in enumerate(self._logs[topic]):
                beginning = len(log) if start == "latest" else 0
                owner.progress.setdefault((topic, partition), Progress(beginning))
        member = _MemoryConsumer(self, owner, topics)
        owner.members.append(member)
        self._anonymous.append(member)
        self._assign(owner)
        try:
            yield member
        finally:
            member.close()
            owner.members.remove(member)
            self._anonymous.remove(member)
            self._assign(owner)

    async def read(self, topic: str) -> AsyncIterator[Record]:
        for log in self._logs[topic]:
            for record in list(log):
                yield record

    async def lag(self, topic: str, group: str) -> int:
        progress = self._groups[group].progress
        return sum(
            len(log) - (progress[topic, partition].committed if (topic, partition) in progress else 0)
            for partition, log in enumerate(self._logs[topic])
        )

    def _assign(self, group: _Group) -> None:
        """Deals the partitions of each topic to the members that read it, in turn."""
        for member in group.members:
            member.assign(set())
        for topic in {topic for member in group.members for topic in member.topics}:
            readers = [member for member in group.members if topic in member.topics]
            for partition in range(self._partitions):
                readers[partition % len(readers)].take(topic, partition)
        self._wake()

    def _wake(self) -> None:
        for member in self._anonymous:
            member.wake.set()


class _MemoryConsumer:
    def __init__(self, bus: MemoryBus, group: _Group, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self.wake = asyncio.Event()
        self._bus = bus
        self._group = group
        self._positions: dict[tuple[str, int], int] = {}
        self._kept: dict[tuple[str, int], int] = {}
        self._closed = False

    def assign(self, partitions: set[tuple[str, int]]) -> None:
        """Keeps only these partitions; what is taken anew begins at the group's committed offset."""
        self._kept = self._positions
        self._positions = {p: self._positions[p] for p in partitions}

    def take(self, topic: str, partition: int) -> None:
        place = (topic, partition)
        self._positions[place] = self._kept.get(place, self._group.progress[place].committed)

    def close(self) -> None:
        self._closed = True
        self.wake.set()

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        while not self._closed:
            self.wake.clear()
            delivered = False
            for place in list(self._positions):
                delivery = self._next(place)
                if delivery is not None:
                    delivered = True
                    yield delivery
            if not delivered and not self._closed:
                await self.wake.wait()

    def _next(self, place: tuple[str, int]) -> Delivery | None:
        topic, partition = place
        log, progress = self._bus._logs[topic][partition], self._group.progress[place]
        if place not in self._positions:
            return None
        offset = self._positions[place]
        if offset >= len(log) or offset - progress.committed >= self._bus._max_unfinished:
            return None
        self._positions[place] = offset + 1

        def finish() -> None:
            progress.finish(offset)
            self.wake.set()

        return Delivery(log[offset], partition, str(offset), finish)
