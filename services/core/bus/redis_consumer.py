"""A reader of the Redis bus, and its membership of a group."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import KeyT, StreamIdT

from services.core.bus.partitions import Progress
from services.core.bus.port import BusUnavailable, Delivery, Record
from services.core.bus.redis_scripts import BOUNDS, SYNC
from services.core.redis_client import answered

log = logging.getLogger(__name__)

READ_COUNT = 50
"""Records per partition and request."""
BLOCK_MS = 500
"""How long Redis holds a request when there is nothing to read; a new partition is read after this at the latest."""
CHECK_S = 2.0
"""How long Redis may take to say what it holds."""
PAUSED_BLOCK_MS = 10
"""The same while some partition is paused, so that it goes on soon."""
REMEMBERED = 200
"""Records per partition that a reader knows again."""
COMMIT_S = 0.2
"""How long finished work is gathered before it is committed."""
WAITING_S = 0.05
"""How often a member asks for a partition that another one is to hand over."""
DRAIN_S = 10.0
"""How long a partition that is to be handed over may take to finish what was delivered of it."""


def log_prefix(topic: str) -> str:
    """What the keys of a topic's streams begin with; the partition's number follows."""
    return f"bus:log:{topic}:"


def offset_of(entry_id: bytes) -> int:
    """The offset in a stream entry's id."""
    return int(entry_id.partition(b"-")[0])


def record_of(topic: str, fields: list[bytes]) -> Record:
    """The record in a stream's entry: `key`, its value, `value`, its value, then the headers' names and values."""
    texts = [field.decode() for field in fields[4:]]
    return Record(topic, fields[1].decode(), fields[3], dict(zip(texts[::2], texts[1::2], strict=True)))


@dataclass(eq=False)
class Share:
    """A partition in a consumer's hands."""

    topic: str
    partition: int
    progress: Progress
    told: int
    """What of its progress the group knows."""
    leave_by: float | None = None
    """Loop time by which it is handed over, finished or not; None when it is to be kept."""
    read: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Offset and hash of the last records that were read."""

    @property
    def log(self) -> str:
        return f"{log_prefix(self.topic)}{self.partition}"


class RedisConsumer:
    """Reads the partitions it is given, with a connection of its own.

    Redis may come back without its newest records, as after a power cut or a failover. Then what is written next has
    offsets that were read before, and a reader begins again: a member at what its group had finished.
    """

    def __init__(self, redis: Redis, max_unfinished: int, *, reader: str, group: str | None) -> None:
        self._reader = reader
        self._group = group
        self._bounds_script = redis.register_script(BOUNDS)
        self.unsure = False
        """Redis was away, and whether it has come back with all that was read is not known yet."""
        self.shares: dict[str, Share] = {}
        self.finished = asyncio.Event()
        """Set whenever a record is finished."""
        self._redis = redis
        self._max_unfinished = max_unfinished
        self._resume = asyncio.Event()
        # Bounded by max_unfinished: a partition whose records are not finished is no longer read.
        self._ready: deque[tuple[Share, Delivery]] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None

    def take(self, topic: str, partition: int, start: int) -> None:
        """From now on reads a partition, beginning at an offset."""
        share = Share(topic, partition, Progress(start), start)
        self.shares[share.log] = share
        self._resume.set()

    def drop(self, share: Share) -> None:
        """No longer reads a partition, nor delivers what it has read of it."""
        self.shares.pop(share.log, None)

    def close(self) -> None:
        """Ends the iteration."""
        self._closed = True
        self.shares.clear()
        self._arrived.set()

    def watch(self, task: asyncio.Task[None]) -> None:
        """The iteration fails when this task does."""

        def note(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                self._failure = task.exception()
                self._arrived.set()

        task.add_done_callback(note)

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        while not self._closed:
            while self._ready:
                share, delivery = self._ready.popleft()
                if self.shares.get(share.log) is share:  # otherwise another member has it by now
                    yield delivery
            if self._failure is not None:
                raise self._failure
            self._arrived.clear()
            if not self._closed:
                await self._arrived.wait()

    async def run(self) -> None:
        """Reads until cancelled; waits for Redis when it is away, and goes on where it was."""
        failures = 0
        while True:
            self._resume.clear()
            open_shares = {log: share for log, share in self.shares.items() if self._room(share) > 0}
            if not open_shares:
                await self._resume.wait()
                continue
            try:
                if self.unsure:
                    await self._begin_again(compare=True)
                    self.unsure = False
                answer = await self._read(open_shares)
                if not answer and len(open_shares) == len(self.shares):
                    await self._begin_again(compare=False)
            except (RedisError, OSError) as error:
                self.unsure = True
                if failures == 0:
                    reason = str(error) or "no answer in time"
                    log.warning("%s cannot read the bus and goes on trying: %s", self._reader, reason)
                await asyncio.sleep(min(0.05 * 2**failures, 1.0))
                failures += 1
                continue
            if failures:
                log.info("%s reads the bus again", self._reader)
            failures = 0
            for name, entries in answer or ():
                share = open_shares[name.decode()]
                if self._room(share) > 0 and self.shares.get(share.log) is share:
                    for entry_id, fields in entries:
                        self._deliver(share, offset_of(entry_id), fields)

    async def _read(self, shares: dict[str, Share]) -> Any:
        count = min(READ_COUNT, *(self._room(share) for share in shares.values()))
        block_ms = BLOCK_MS if len(shares) == len(self.shares) else PAUSED_BLOCK_MS
        read: dict[KeyT, int | StreamIdT] = {log: str(share.progress.position - 1) for log, share in shares.items()}
        async with asyncio.timeout(block_ms / 1000 + 2.0):
            return await self._redis.xread(read, count=count, block=block_ms)

    async def _begin_again(self, *, compare: bool) -> None:
        """Begins again where Redis knows less than was read. `compare`: or has other records at the same offsets."""
        shares = list(self.shares.values())
        async with asyncio.timeout(CHECK_S):
            bounds: Any = await self._bounds_script(["bus:last", *(share.log for share in shares)])
            for share, (first, end) in zip(shares, bounds, strict=True):
                if share.progress.position <= end and not (compare and await self._differs(share)):
                    continue
                start = min(max(await self._start(share, end), first), end)
                if self.shares.get(share.log) is share:
                    log.warning("%s begins again at %d of %s: Redis has lost records", self._reader, start, share.log)
                    self.take(share.topic, share.partition, start)

    async def _differs(self, share: Share) -> bool:
        """Whether the record that was read last is another one by now."""
        if not share.read:
            return False
        offset, known = share.read[-1]
        found: Any = await self._redis.xrange(share.log, offset, offset)
        return any(hash(tuple(fields)) != known for _, fields in found)

    async def _start(self, share: Share, end: int) -> int:
        """Where a partition that has lost records is to be read from."""
        if self._group is not None:
            committed: Any = await self._redis.hget(f"bus:committed:{self._group}", share.log)
            return int(committed or 0)
        if not share.read:
            return end
        found: Any = await self._redis.xrange(share.log, share.read[0][0], share.read[-1][0])
        there = {(offset_of(entry_id), hash(tuple(fields))) for entry_id, fields in found}
        if len(share.read) == REMEMBERED and share.read[0] not in there:
            return 0  # so much is lost that nobody here knows since when
        return next((known[0] for known in share.read if known not in there), end)

    def _room(self, share: Share) -> int:
        """How many more records may be read of a partition."""
        return 0 if share.leave_by is not None else self._max_unfinished - share.progress.unfinished

    def _deliver(self, share: Share, offset: int, fields: list[bytes]) -> None:
        def finish() -> None:
            share.progress.finish(offset)
            self.finished.set()
            self._resume.set()

        share.progress.give(offset)
        share.read.append((offset, hash(tuple(fields))))
        self._ready.append((share, Delivery(record_of(share.topic, fields), share.partition, str(offset), finish)))
        self._arrived.set()

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._redis.aclose()


class Membership:
    """Keeps a consumer in its group: takes and hands over partitions, commits what is finished.

    The members of a topic, in the order of their ids, are dealt its partitions in turn. A partition changes hands
    when its owner has finished what was delivered of it, or after DRAIN_S; a dead owner's at once when its lease ends.
    """

    def __init__(
        self,
        redis: Redis,
        consumer: RedisConsumer,
        *,
        topics: tuple[str, ...],
        group: str,
        start: Literal["earliest", "latest"],
        partitions: int,
        lease_s: float,
        timeout_s: float,
    ) -> None:
        self._redis = redis
        self._consumer = consumer
        self._topics = topics
        self._group = group
        self._start = start
        self._partitions = partitions
        self._lease_s = lease_s
        self._timeout_s = timeout_s
        self._sync_script = redis.register_script(SYNC)
        self._me = uuid.uuid4().hex
        self._waiting: set[str] = set()
        """Topics of which another member is to hand a partition over."""
        self._due: dict[str, float] = {}
        """Loop time at which a topic's lease is to be renewed."""

    async def join(self) -> None:
        """Raises BusUnavailable."""
        await self._sync(self._lease_s)

    async def run(self) -> None:
        """Commits, and calls often enough to keep the lease, until cancelled."""
        finished = self._consumer.finished
        away = False
        while True:
            try:
                async with asyncio.timeout(WAITING_S if self._waiting else self._lease_s / 3):
                    await finished.wait()
                    await asyncio.sleep(COMMIT_S)
            except TimeoutError:
                pass
            finished.clear()
            try:
                await self._sync(self._lease_s)
                if away:
                    log.info("%s reaches the bus again", self._group)
                away = False
            except BusUnavailable as error:
                if not away:
                    log.warning("%s cannot reach the bus to commit, and goes on trying: %s", self._group, error)
                away = True
                finished.set()
                await asyncio.sleep(0.2)

    async def leave(self) -> None:
        """Commits a last time and hands everything back."""
        try:
            await self._sync(0)
        except BusUnavailable as error:
            log.warning("%s left the bus without a last commit: %s", self._group, error)

    async def _sync(self, lease_s: float) -> None:
        """Calls for the topics with something to tell or to hear, and for all of them when the group is left."""
        now = asyncio.get_running_loop().time()
        for topic in self._topics:
            news = any(
                share.progress.committed > share.told or share.leave_by is not None
                for share in self._consumer.shares.values()
                if share.topic == topic
            )
            if lease_s == 0 or news or topic in self._waiting or now >= self._due.get(topic, now):
                await self._sync_topic(topic, lease_s)
                self._due[topic] = now + self._lease_s / 3

    async def _sync_topic(self, topic: str, lease_s: float) -> None:
        now = asyncio.get_running_loop().time()
        mine = [share for share in self._consumer.shares.values() if share.topic == topic]
        known = [] if self._consumer.unsure else mine
        news = [(share, share.progress.committed) for share in known if share.progress.committed > share.told]
        released = [
            share
            for share in mine
            if share.leave_by is not None and (share.progress.unfinished == 0 or now >= share.leave_by)
        ]
        for share in released:
            self._consumer.drop(share)
        keys = [
            f"bus:members:{self._group}:{topic}",
            f"bus:owners:{self._group}:{topic}",
            f"bus:committed:{self._group}",
            f"bus:groups:{topic}",
            "bus:last",
        ]
        arguments: list[str | int] = [
            *(self._me, self._group, int(lease_s * 1000), self._start, log_prefix(topic), self._partitions),
            len(news),
            *(value for share, committed in news for value in (share.partition, committed)),
            *(share.partition for share in released),
        ]
        async with answered(self._timeout_s, BusUnavailable):
            answer: Any = await self._sync_script(keys, arguments)
        for share, committed in news:
            share.told = committed
        if answer:
            *owned, waiting = answer
            (self._waiting.add if waiting else self._waiting.discard)(topic)
            self._adopt(topic, {partition: (start, bool(keep)) for partition, start, keep in owned}, now)

    def _adopt(self, topic: str, owned: dict[int, tuple[int, bool]], now: float) -> None:
        """Makes the consumer's share of a topic what the group says it is."""
        for share in [share for share in self._consumer.shares.values() if share.topic == topic]:
            if share.partition not in owned:
                log.warning("%s lost partition %d of %s to another member", self._group, share.partition, topic)
                self._consumer.drop(share)
                continue
            _, keep = owned.pop(share.partition)
            share.leave_by = None if keep else share.leave_by or now + DRAIN_S
        for partition, (start, _) in owned.items():
            self._consumer.take(topic, partition, start)
