"""The bus port. It promises what Kafka promises, so that Kafka can stand behind it:

- records with the same key stay in the order in which they were published;
- `publish` returns when the records are as durable as the implementation makes them;
- a consumer group gets every record at least once, each partition by one member at a time;
- the group goes on, after a crash, at the lowest offset that was not finished;
- everything still retained can be read again from any point.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a topic. `key` (the room) fixes its partition and so its order."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record in the hands of a group member. Unless `done` is called it comes again after a restart."""

    record: Record
    partition: int
    offset: str
    """Opaque; grows within a partition, but is comparable only by the bus."""
    finish: Callable[[], None] = field(repr=False)

    def done(self) -> None:
        """The record is finished for this group. Cheap; repeated calls change nothing."""
        self.finish()


class BusUnavailable(Exception):
    """The bus did not take or give a record in time; nothing of the call is promised to have happened."""


class Consumer(Protocol):
    """A member of a group."""

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Records in order per key, without end. Stops when the consumer is closed."""


class Bus(Protocol):
    """See the module's text for what every implementation promises."""

    async def publish(self, *records: Record) -> None:
        """Appends records in the order given, which is kept per key.

        Raises BusUnavailable when they were not taken within the implementation's time-out, or when a topic holds as
        much as it may; then some or all may still have been taken, so publish again with the same ids.
        """

    def consume(
        self,
        *topics: str,
        group: str | None,
        start: Literal["earliest", "latest"] = "earliest",
        may_wait_s: float = 0.0,
    ) -> AbstractAsyncContextManager[Consumer]:
        """Joins a group; leaving the context hands the partitions back.

        With `group=None` the caller alone gets every record of the topics, and nothing is committed.
        `start` counts only where the group has committed nothing yet. Delivery of a partition pauses while too many of
        its records are unfinished, so call `done` also without a group. For who only watches, records may wait for each
        other up to `may_wait_s`: gathering them costs less, and leaves the machine to those for whom they are work.
        Raises BusUnavailable when it cannot join; afterwards the consumer waits for a bus that is away and goes on by
        itself.
        """

    def read(self, topic: str) -> AsyncIterator[Record]:
        """Everything retained of a topic at this moment, oldest first, in order per key, then ends.

        Raises BusUnavailable.
        """

    async def lag(self, topic: str, group: str) -> int:
        """How many retained records of the topic the group has not finished. Raises BusUnavailable."""

    async def copies_missing(self, topic: str) -> int:
        """How many of the topic's partitions have fewer copies in step than they should. Raises BusUnavailable."""

    async def disks_free(self) -> Mapping[str, float]:
        """Of each server that keeps records on disks and tells of them: the free share of the fullest one, 0 … 1.

        Who may not ask is told of none. Raises BusUnavailable.
        """
