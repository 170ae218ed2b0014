"""The bus on Redis Streams: as durable as the server is (`services.core.embedded_redis` says how durable).

A topic is a fixed number of partitions, a partition is a stream. Offsets are dense and given by the bus, so that
progress and lag are plain numbers, as Kafka's. Redis' own consumer groups are not used: they keep no order per key.
Who reads which partition, and how far it is, lives in Redis too; `redis_scripts` lists the keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import Any, Literal, Self

from redis.exceptions import ResponseError

from services.core import topics as topic_names
from services.core.bus.partitions import partition_of
from services.core.bus.port import BusUnavailable, Record
from services.core.bus.redis_consumer import READ_COUNT, Membership, RedisConsumer, log_prefix, offset_of, record_of
from services.core.bus.redis_scripts import BOUNDS, PUBLISH, TRIM
from services.core.redis_client import answered, connect

CONNECTIONS = 16
GROUP_AWAY_MS = 7 * 86_400_000
"""A group without a member for so long no longer keeps records from being trimmed."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many records one partition of a topic holds."""

    keep: int = 2_000
    """So many of the newest stay for replay when every group has finished them."""
    most: int = 20_000
    """With so many, because a group has not finished them, publishing is refused."""


USUAL = Retention()
MEDIA = Retention(keep=100, most=1_000)
"""For voice and frames: 30 to 50 kB a record, a record a second in a speaking room."""
RETENTION: Mapping[str, Retention] = {topic_names.VOICE: MEDIA, topic_names.FRAMES: MEDIA}


class RedisBus:
    """`services.core.bus.port` says what it promises. An async context manager.

    `url` is a Redis' (`unix://…`, `redis://…`). `partitions` counts when the server is first used; later it is what it
    was then. `max_unfinished` is how many records a consumer may hold of one partition before delivery pauses.
    `lease_s` is how long the partitions of a member that died stay with it. A call that Redis has not answered after
    `timeout_s` raises BusUnavailable.
    """

    def __init__(
        self,
        url: str,
        *,
        partitions: int = 4,
        max_unfinished: int = 10_000,
        retention: Mapping[str, Retention] = RETENTION,
        lease_s: float = 3.0,
        timeout_s: float = 2.0,
    ) -> None:
        self._url = url
        self._partitions = partitions
        self._max_unfinished = max_unfinished
        self._retention = retention
        self._lease_s = lease_s
        self._timeout_s = timeout_s
        self._redis = connect(url, connections=CONNECTIONS)
        self._publish_script = self._redis.register_script(PUBLISH)
        self._trim_script = self._redis.register_script(TRIM)
        self._bounds_script = self._redis.register_script(BOUNDS)

    async def __aenter__(self) -> Self:
        async with answered(self._timeout_s, BusUnavailable):
            if await self._redis.get("bus:partitions") is None:  # a server without memory answers only this
                await self._redis.set("bus:partitions", self._partitions, nx=True)
            self._partitions = int(await self._redis.get("bus:partitions") or 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._redis.aclose()

    async def publish(self, *records: Record) -> None:
        if not records:
            return
        keys = ["bus:last"]
        arguments: list[str | bytes | int] = [GROUP_AWAY_MS]
        for record in records:
            retention = self._retention.get(record.topic, USUAL)
            keys += (
                f"{log_prefix(record.topic)}{partition_of(record.key, self._partitions)}",
                f"bus:groups:{record.topic}",
            )
            arguments += (retention.keep, retention.most, 4 + 2 * len(record.headers), "key", record.key, "value")
            arguments += (record.value, *chain.from_iterable(record.headers.items()))
        async with answered(self._timeout_s, BusUnavailable):
            try:
                await self._publish_script(keys, arguments)
            except ResponseError as error:
                if "OOM command not allowed" not in str(error):
                    raise
                await self._trim_script(["bus:last"], [GROUP_AWAY_MS])
                await self._publish_script(keys, arguments)

    @asynccontextmanager
    async def consume(
        self,
        *topics: str,
        group: str | None,
        start: Literal["earliest", "latest"] = "earliest",
        may_wait_s: float = 0.0,  # noqa: ARG002
    ) -> AsyncIterator[RedisConsumer]:
        reader = f"{group or 'a listener'} of {', '.join(topics)}"
        consumer = RedisConsumer(connect(self._url, connections=1), self._max_unfinished, reader=reader, group=group)
        membership = None
        tasks: list[asyncio.Task[None]] = []
        try:
            if group is None:
                for topic in topics:
                    for partition, (first, end) in enumerate(await self._bounds(topic)):
                        consumer.take(topic, partition, first if start == "earliest" else end)
            else:
                membership = Membership(
                    self._redis,
                    consumer,
                    topics=topics,
                    group=group,
                    start=start,
                    partitions=self._partitions,
                    lease_s=self._lease_s,
                    timeout_s=self._timeout_s,
                )
                await membership.join()
                tasks.append(asyncio.create_task(membership.run(), name=f"{group} membership"))
            tasks.append(asyncio.create_task(consumer.run(), name=f"{group} reader"))
            for task in tasks:
                consumer.watch(task)
            yield consumer
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if membership is not None:
                await membership.leave()
            consumer.close()
            await consumer.aclose()

    async def read(self, topic: str) -> AsyncIterator[Record]:
        for partition, (first, end) in enumerate(await self._bounds(topic)):
            stream = f"{log_prefix(topic)}{partition}"
            while first < end:
                async with answered(self._timeout_s, BusUnavailable):
                    entries: Any = await self._redis.xrange(stream, str(first), str(end - 1), count=READ_COUNT)
                if not entries:
                    break  # trimmed meanwhile
                for _, fields in entries:
                    yield record_of(topic, fields)
                first = offset_of(entries[-1][0]) + 1

    async def lag(self, topic: str, group: str) -> int:
        bounds = await self._bounds(topic)
        async with answered(self._timeout_s, BusUnavailable):
            committed = await self._redis.hmget(
                f"bus:committed:{group}", [f"{log_prefix(topic)}{partition}" for partition in range(self._partitions)]
            )
        return sum(end - max(first, int(done or 1)) for (first, end), done in zip(bounds, committed, strict=True))

    async def copies_missing(self, topic: str) -> int:  # noqa: ARG002
        """A Redis copies itself as a whole, and its streams know nothing of it."""
        return 0

    async def disks_free(self) -> Mapping[str, float]:
        """A Redis does not know; the state's port tells whether what it writes succeeds."""
        return {}

    async def _bounds(self, topic: str) -> list[tuple[int, int]]:
        """Of each partition, the first offset retained and the one that the next record will get."""
        logs = [f"{log_prefix(topic)}{partition}" for partition in range(self._partitions)]
        async with answered(self._timeout_s, BusUnavailable):
            bounds: Any = await self._bounds_script(["bus:last", *logs])
        return [(first, end) for first, end in bounds]
