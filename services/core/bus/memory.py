"""The bus in one process's memory: for tests in virtual time. Nothing survives the object."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from services.core.bus.partitions import Progress, partition_of
from services.core.bus.port import Delivery, Record

Place = tuple[str, int]
"""A topic and one of its partitions."""


@dataclass
class _Group:
    committed: dict[Place, int] = field(default_factory=dict)
    members: list[_MemoryConsumer] = field(default_factory=list)


class MemoryBus:
    """`max_unfinished` is how many records a member may hold of one partition before delivery pauses."""

    def __init__(self, *, partitions: int = 4, max_unfinished: int = 10_000) -> None:
        self._partitions = partitions
        self._max_unfinished = max_unfinished
        self._logs: dict[str, list[list[Record]]] = defaultdict(lambda: [[] for _ in range(partitions)])
        self._groups: dict[str, _Group] = defaultdict(_Group)
        self._members: list[_MemoryConsumer] = []

    async def publish(self, *records: Record) -> None:
        for record in records:
            self._logs[record.topic][partition_of(record.key, self._partitions)].append(record)
        self._wake()

    @asynccontextmanager
    async def consume(
        self,
        *topics: str,
        group: str | None,
        start: Literal["earliest", "latest"] = "earliest",
        may_wait_s: float = 0.0,  # noqa: ARG002
    ) -> AsyncIterator[_MemoryConsumer]:
        joined = self._groups[group] if group is not None else _Group()
        for topic in topics:
            for partition, log in enumerate(self._logs[topic]):
                joined.committed.setdefault((topic, partition), len(log) if start == "latest" else 0)
        member = _MemoryConsumer(topics, joined, self._logs, self._max_unfinished)
        joined.members.append(member)
        self._members.append(member)
        self._assign(joined)
        try:
            yield member
        finally:
            member.close()
            joined.members.remove(member)
            self._members.remove(member)
            self._assign(joined)

    async def read(self, topic: str) -> AsyncIterator[Record]:
        for log in self._logs[topic]:
            for record in list(log):
                yield record

    async def lag(self, topic: str, group: str) -> int:
        committed = self._groups[group].committed
        return sum(len(log) - committed.get((topic, partition), 0) for partition, log in enumerate(self._logs[topic]))

    async def copies_missing(self, topic: str) -> int:  # noqa: ARG002
        """Nothing is copied."""
        return 0

    async def disks_free(self) -> Mapping[str, float]:
        """Nothing is written."""
        return {}

    def _assign(self, group: _Group) -> None:
        """Deals the partitions of each topic to the members that read it, in turn."""
        shares: dict[_MemoryConsumer, set[Place]] = {member: set() for member in group.members}
        for topic in {topic for member in group.members for topic in member.topics}:
            readers = [member for member in group.members if topic in member.topics]
            for partition in range(self._partitions):
                shares[readers[partition % len(readers)]].add((topic, partition))
        for member, places in shares.items():
            member.assign(places)

    def _wake(self) -> None:
        for member in self._members:
            member.wake.set()


class _MemoryConsumer:
    def __init__(
        self, topics: tuple[str, ...], group: _Group, logs: dict[str, list[list[Record]]], max_unfinished: int
    ) -> None:
        self.topics = topics
        self.wake = asyncio.Event()
        self._group = group
        self._logs = logs
        self._max_unfinished = max_unfinished
        self._owned: dict[Place, Progress] = {}
        self._closed = False

    def assign(self, places: set[Place]) -> None:
        """From now on these partitions are the member's; a new one begins where the group has committed."""
        self._owned = {
            place: self._owned.get(place) or Progress(self._group.committed[place]) for place in sorted(places)
        }
        self.wake.set()

    def close(self) -> None:
        self._closed = True
        self._owned = {}
        self.wake.set()

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        while not self._closed:
            self.wake.clear()
            delivered = False
            for place in list(self._owned):
                delivery = self._next(place)
                if delivery is not None:
                    delivered = True
                    yield delivery
            if not delivered and not self._closed:
                await self.wake.wait()

    def _next(self, place: Place) -> Delivery | None:
        topic, partition = place
        log, progress = self._logs[topic][partition], self._owned.get(place)
        if progress is None or progress.position >= len(log) or progress.unfinished >= self._max_unfinished:
            return None
        offset = progress.position
        progress.give(offset)

        def finish() -> None:
            progress.finish(offset)
            if self._owned.get(place) is progress:  # a former owner's word no longer counts
                self._group.committed[place] = progress.committed
                self.wake.set()

        return Delivery(log[offset], partition, str(offset), finish)
