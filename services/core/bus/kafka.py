"""The bus on Apache Kafka: what does not depend on the client library. `kafka_member` holds the consumers' part."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Literal, Self, TypeVar

from services.core import topics as topic_names
from services.core.bus.kafka_member import Client, Member
from services.core.bus.port import BusUnavailable, Record
from services.core.settings import Kafka

T = TypeVar("T")
Start = Literal["earliest", "latest"]

FETCH_WAIT_MS = 500
"""How long the broker holds a request when there is nothing; a partition that is resumed waits as long at most. Each
request costs broker and reader a millisecond or more of processor time, whether or not anything happens."""
PAUSE_BYTES = 65_536
"""A reader whose records may wait gets them at once when there are so many bytes of them."""
FETCH_BYTES = 1_048_576
"""Of one partition and request. A larger record comes all the same, alone."""
FETCH_RECORDS = 500
"""At most so many records come in one batch."""
RECONNECT_MS = (50, 1_000)
"""The wait before the first attempt to connect again, and the longest."""
CREATE_S = 20.0
"""How long a new topic may take until its leaders are there: once, and a busy cluster takes its time."""
JOIN_S = 30.0
"""How long joining a group may take: its other members finish their work first, and a dead one has to be missed."""
CLOSE_S = 3.0
"""How long one step of closing may take."""
AGAIN_S = 0.05
"""The wait before a question that had no answer yet is asked again."""
BLOCKING_CALLS = 8
"""How many threads wait for answers at once."""


class KafkaBus(ABC):
    """`services.core.bus.port` says what it promises. An async context manager.

    `max_unfinished` is how many records a consumer may hold of one partition before delivery pauses. `session_s` is how
    long the partitions of a member that died stay with it, `drain_s` how long those that move to another member may be
    worked on. A call that Kafka has not answered after about `timeout_s` raises BusUnavailable. `layout` says how a
    topic that is missing is created, and raises KeyError for one that is not Lydia's.

    A room's partition is computed here, not by the library, so that it is the same whichever one is used. A topic's
    number of partitions is read once: whoever changes it has to restart the services, which would mix up rooms' orders
    otherwise too.
    """

    def __init__(
        self,
        settings: Kafka,
        *,
        layout: Callable[[str], topic_names.Layout] = topic_names.layout,
        max_unfinished: int = 10_000,
        session_s: float = 6.0,
        drain_s: float = 3.0,
        timeout_s: float = 5.0,
    ) -> None:
        self._settings = settings
        self._layout = layout
        self._max_unfinished = max_unfinished
        self._session_s = session_s
        self._drain_s = drain_s
        self._timeout_s = timeout_s
        self._timeout_ms = int(timeout_s * 1000)
        self._partitions: dict[str, int] = {}
        """Of every topic that was used."""
        self._led: set[str] = set()
        """Topics whose leaders have answered, or had their time to."""

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(BLOCKING_CALLS, thread_name_prefix="kafka")
        try:
            await self._blocking(self._open)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._shut)
        self._threads.shutdown(wait=False)

    async def publish(self, *records: Record) -> None:
        if not records:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                for topic in dict.fromkeys(record.topic for record in records):
                    await self._ensure(topic)
                await self._send(records)
        except TimeoutError:
            raise BusUnavailable(self._no_answer()) from None

    @asynccontextmanager
    async def consume(
        self, *topics: str, group: str | None, start: Start = "earliest", may_wait_s: float = 0.0
    ) -> AsyncIterator[Member]:
        for topic in topics:
            await self._ensure(topic)
        reader = f"{group or 'a listener'} of {', '.join(topics)}"
        member = Member(reader=reader, max_unfinished=self._max_unfinished, drain_s=self._drain_s)

        def open_client(member: Member) -> Client:
            with self._translated():
                return self._patiently(lambda: self._client(member, topics, group, start, may_wait_s))

        try:
            await member.join(open_client, JOIN_S)
            yield member
        finally:
            await member.leave()

    async def read(self, topic: str) -> AsyncIterator[Record]:
        if not await self._exists(topic):
            return
        reading = await self._blocking(lambda: self._reading(topic))
        try:
            while reading.unread:
                for record in await self._blocking(reading.some):
                    yield record
        finally:
            await asyncio.get_running_loop().run_in_executor(self._threads, reading.close)

    async def lag(self, topic: str, group: str) -> int:
        if not await self._exists(topic):
            return 0
        return await self._blocking(lambda: self._lag(topic, group))

    async def copies_missing(self, topic: str) -> int:
        if not await self._exists(topic):
            return 0
        return await self._blocking(lambda: self._copies_missing(topic))

    async def disks_free(self) -> Mapping[str, float]:
        return await self._blocking(self._disks_free)

    async def _ensure(self, topic: str) -> None:
        """Creates the topic when it is missing, and asks its leaders once. Raises BusUnavailable.

        A new topic has leaders on paper before they know it. One that refuses a producer's first record and takes its
        second one, a moment later, calls the first a repetition when it comes again: it would be lost, and said to be
        there.
        """
        if topic in self._led:
            return
        if not await self._exists(topic):
            if not self._settings.create_topics:
                raise BusUnavailable(f"Kafka has no topic {topic}. Mend: create it, or set kafka.create_topics")
            layout = self._layout(topic)
            await self._blocking(lambda: self._create(topic, layout), limit_s=2 * CREATE_S)
            if not await self._exists(topic):
                raise BusUnavailable(f"Kafka does not show its new topic {topic} yet. Mend: try again")
        # Of an old topic some leaders may be away: who needs them hears of it, the others have time left to publish.
        with suppress(BusUnavailable):
            await self._blocking(lambda: self._ask_leaders(topic), limit_s=self._timeout_s / 2)
        self._led.add(topic)

    async def _exists(self, topic: str) -> bool:
        if topic not in self._partitions:
            count = await self._blocking(lambda: self._count(topic))
            if count == 0:
                return False
            self._partitions[topic] = count
        return True

    async def _blocking(self, call: Callable[[], T], *, limit_s: float | None = None) -> T:
        """Runs what waits for an answer. Raises BusUnavailable."""
        try:
            async with asyncio.timeout(limit_s or 2 * self._timeout_s):  # the library's own time-out comes first
                with self._translated():
                    return await asyncio.get_running_loop().run_in_executor(self._threads, self._patiently, call)
        except TimeoutError:
            raise BusUnavailable(self._no_answer()) from None

    def _patiently(self, call: Callable[[], T]) -> T:
        """Asks again while Kafka is only finding its leaders."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return call()
            except Exception as error:
                if not self._passing(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(AGAIN_S)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns the library's failures into the port's, and into ValueError where the record is at fault."""
        try:
            yield
        except Exception as error:
            told = self._explain(error)
            if told is None:
                raise
            if isinstance(told, ValueError):
                raise told from error
            raise BusUnavailable(f"Kafka at {self._settings.bootstrap_servers}: {told}") from error

    def _no_answer(self) -> str:
        return f"Kafka at {self._settings.bootstrap_servers} did not answer within {self._timeout_s:g} s"

    @abstractmethod
    def _open(self) -> None:
        """Connects. Blocks, and raises what the library raises, as all that follows."""

    @abstractmethod
    def _shut(self) -> None:
        """Closes whatever was opened, within bounded time."""

    @abstractmethod
    async def _send(self, records: Sequence[Record]) -> None:
        """Returns when the broker has all of them. Does not block. Raises BusUnavailable."""

    @abstractmethod
    def _client(
        self, member: Member, topics: tuple[str, ...], group: str | None, start: Start, may_wait_s: float
    ) -> Client:
        """A consumer for a member, on the member's thread."""

    @abstractmethod
    def _reading(self, topic: str) -> Reading:
        """Begins to read a topic."""

    @abstractmethod
    def _lag(self, topic: str, group: str) -> int:
        """See the port."""

    @abstractmethod
    def _copies_missing(self, topic: str) -> int:
        """See the port."""

    @abstractmethod
    def _disks_free(self) -> Mapping[str, float]:
        """See the port."""

    @abstractmethod
    def _ask_leaders(self, topic: str) -> None:
        """Returns when the leaders of all partitions have answered."""

    @abstractmethod
    def _count(self, topic: str) -> int:
        """How many partitions a topic has; 0 when there is no such topic."""

    @abstractmethod
    def _create(self, topic: str, layout: topic_names.Layout) -> None:
        """Creates a topic; another process may be quicker."""

    @abstractmethod
    def _passing(self, error: Exception) -> bool:
        """Whether a failure passes by itself."""

    @abstractmethod
    def _explain(self, error: Exception) -> ValueError | str | None:
        """What a failure means: a bad record, a Kafka that is unavailable and why, or nothing that Kafka did."""


class Reading(ABC):
    """Reads a topic from its first record to what was its last one when it began. Its methods block."""

    unread: bool
    """Whether there is more."""

    @abstractmethod
    def some(self) -> list[Record]:
        """The next records."""

    @abstractmethod
    def close(self) -> None:
        """Ends it."""


def instance_id(settings: Kafka, topics: Sequence[str]) -> str:
    """The name under which a member keeps its place in its group over a restart."""
    return ".".join((settings.instance, *topics))[:249]


def wrong_password(detail: object) -> str:
    """When the broker refuses name or password."""
    return f"it refuses the name or the password ({detail}). Mend: kafka.username, .password, .sasl_mechanism"


def not_allowed(detail: object) -> str:
    """When the broker knows the user, who may not do this."""
    return f"this user may not do that ({detail}). Mend: give it the right, or set another kafka.username"


def open_kafka(settings: Kafka) -> KafkaBus:
    """The bus by the library that the settings name; only that one is imported."""
    layout = partial(topic_names.layout, partitions=settings.partitions)
    if settings.client == "confluent-kafka":
        from services.core.bus.confluent import ConfluentBus

        return ConfluentBus(settings, layout=layout)
    from services.core.bus.kafka_python import KafkaPythonBus

    return KafkaPythonBus(settings, layout=layout)
