"""What the implementations of the bus share: how keys spread over partitions, and what is finished of one."""

from __future__ import annotations

import zlib
from collections import deque


def partition_of(key: str, partitions: int) -> int:
    """Which partition holds a key's records."""
    return zlib.crc32(key.encode()) % partitions


class Progress:
    """How far one reader is in one partition: what it was given, and what of that is finished."""

    def __init__(self, start: int) -> None:
        self.position = start
        """The next offset to be given."""
        self._given: deque[int] = deque()
        self._finished: set[int] = set()

    @property
    def committed(self) -> int:
        """The lowest offset that is not finished: where a successor goes on."""
        return self._given[0] if self._given else self.position

    @property
    def unfinished(self) -> int:
        """How many offsets lie between `committed` and `position`."""
        return len(self._given)

    def give(self, offset: int) -> None:
        """The reader has this offset now. Offsets come in order, but some may be missing."""
        self._given.append(offset)
        self.position = offset + 1

    def finish(self, offset: int) -> None:
        """The reader is done with an offset, in whatever order. Repeated calls change nothing."""
        if offset >= self.committed:
            self._finished.add(offset)
        while self._given and self._given[0] in self._finished:
            self._finished.remove(self._given.popleft())
