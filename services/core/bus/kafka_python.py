"""The bus on Apache Kafka through kafka-python. `kafka_member` says how records reach the event loop.

The library has threads of its own: an IO thread for each client, and a sender for the producer. Whatever of it can
block runs in this bus's executor or on a member's thread, never on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import MemberState
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    UnsupportedSaslMechanismError,
)
from kafka.structs import OffsetAndMetadata

from services.core import topics as topic_names
from services.core.bus.kafka_member import Fetched, Member, Place, Refused
from services.core.bus.partitions import partition_of
from services.core.bus.port import BusUnavailable, Record
from services.core.settings import Kafka

log = logging.getLogger(__name__)
T = TypeVar("T")

FETCH_WAIT_MS = 100
"""How long the broker holds a request when there is nothing; a partition that is resumed waits as long at most."""
FETCH_BYTES = 1_048_576
"""Of one partition and request. A larger record comes all the same, alone."""
POLL_RECORDS = 500
RECONNECT_MS = (50, 1_000)
"""The wait before the first attempt to connect again, and the longest."""
JOIN_S = 30.0
"""How long joining a group may take: its other members finish their work first, and a dead one has to be missed."""
CLOSE_S = 3.0
"""How long one step of closing may take."""
BLOCKING_CALLS = 8
"""How many threads wait for answers at once."""


class KafkaPythonBus:
    """`services.core.bus.port` says what it promises. An async context manager.

    `max_unfinished` is how many records a consumer may hold of one partition before delivery pauses. `session_s` is how
    long the partitions of a member that died stay with it, `drain_s` how long those that move to another member may be
    worked on. A call that Kafka has not answered after `timeout_s` raises BusUnavailable.
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
        self._common = connection(settings)
        self._partitions: dict[str, int] = {}
        """Of every topic that was used."""

    async def __aenter__(self) -> Self:
        # On DEBUG the library logs whole records, and so what viewers wrote.
        logging.getLogger("kafka").setLevel(logging.ERROR)
        self._threads = ThreadPoolExecutor(BLOCKING_CALLS, thread_name_prefix="kafka")
        timeout_ms = int(self._timeout_s * 1000)
        try:
            self._admin: Any = await self._blocking(
                lambda: KafkaAdminClient(
                    **self._common,
                    bootstrap_timeout_ms=timeout_ms,
                    request_timeout_ms=timeout_ms,
                )
            )
            self._producer: Any = await self._blocking(
                lambda: KafkaProducer(
                    **self._common,
                    bootstrap_timeout_ms=timeout_ms,
                    max_block_ms=timeout_ms,
                    request_timeout_ms=timeout_ms // 2,
                    delivery_timeout_ms=timeout_ms,
                    metrics_enabled=False,
                )
            )
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        loop = asyncio.get_running_loop()
        if hasattr(self, "_producer"):
            await loop.run_in_executor(self._threads, lambda: self._producer.close(timeout=CLOSE_S))
        if hasattr(self, "_admin"):
            await loop.run_in_executor(self._threads, self._admin.close)
        self._threads.shutdown(wait=False)

    async def publish(self, *records: Record) -> None:
        if not records:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                for topic in dict.fromkeys(record.topic for record in records):
                    await self._ensure(topic)
                    if self._producer._metadata.partitions_for_topic(topic) is None:  # send would block
                        await self._blocking(partial(self._producer.partitions_for, topic))
                await self._send(records)
        except TimeoutError:
            raise BusUnavailable(self._no_answer()) from None

    async def _send(self, records: Sequence[Record]) -> None:
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()
        failures: list[Exception] = []
        outcomes: list[None] = []

        def resolve() -> None:
            if not taken.done():
                taken.set_result(None)

        def note(outcome: Any) -> None:  # on the library's threads
            if isinstance(outcome, Exception):
                failures.append(outcome)
            outcomes.append(None)
            if len(outcomes) == len(records):
                loop.call_soon_threadsafe(resolve)

        with self._translated():
            for record in records:
                self._producer.send(
                    record.topic,
                    key=record.key.encode(),
                    value=record.value,
                    headers=[(name, text.encode()) for name, text in record.headers.items()],
                    partition=partition_of(record.key, self._partitions[record.topic]),
                ).add_both(note)
        await taken
        with self._translated():
            if failures:
                raise failures[0]

    @asynccontextmanager
    async def consume(
        self, *topics: str, group: str | None, start: Literal["earliest", "latest"] = "earliest"
    ) -> AsyncIterator[Member]:
        for topic in topics:
            await self._ensure(topic)
        reader = f"{group or 'a listener'} of {', '.join(topics)}"
        member = Member(reader=reader, max_unfinished=self._max_unfinished, drain_s=self._drain_s)

        def open_client(member: Member) -> _LoneClient | _GroupClient:
            with self._translated():
                consumer = self._consumer(group, topics)
                if group is not None:
                    return _GroupClient(consumer, member, topics, start)
                return _LoneClient(consumer, member, self._places(topics), start, self._timeout_s)

        try:
            await member.join(open_client, JOIN_S if group is not None else self._timeout_s)
            yield member
        finally:
            await member.leave()

    async def read(self, topic: str) -> AsyncIterator[Record]:
        if not await self._exists(topic):
            return
        places = self._places((topic,))
        consumer = await self._blocking(lambda: self._consumer(None, (topic,)))
        try:
            reading = _Reading(consumer, places, int(self._timeout_s * 1000))
            await self._blocking(reading.begin)
            while reading.ends:
                for record in await self._blocking(reading.some):
                    yield record
        finally:
            await asyncio.get_running_loop().run_in_executor(self._threads, consumer.close)

    async def lag(self, topic: str, group: str) -> int:
        if not await self._exists(topic):
            return 0
        places = self._places((topic,))

        def ask() -> int:
            committed = self._admin.list_group_offsets({group: places})[group]
            timeout_ms = int(self._timeout_s * 1000)
            first, end = (
                self._admin.list_partition_offsets(dict.fromkeys(places, spec), timeout_ms=timeout_ms)
                for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
            )
            done = {place: committed[place].offset if place in committed else -1 for place in places}
            return sum(end[place].offset - max(first[place].offset, done[place]) for place in places)

        return await self._blocking(ask)

    def _consumer(self, group: str | None, topics: Sequence[str]) -> Any:
        timeout_ms = int(self._timeout_s * 1000)
        membership: dict[str, Any] = {}
        if group is not None:
            membership = {
                "session_timeout_ms": int(self._session_s * 1000),
                "heartbeat_interval_ms": int(self._session_s * 100),
                "partition_assignment_strategy": (CooperativeStickyAssignor,),
            }
            if self._settings.instance:
                membership["group_instance_id"] = ".".join((self._settings.instance, *topics))[:249]
        return KafkaConsumer(
            **self._common,
            **membership,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_min_bytes=1,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            max_poll_records=POLL_RECORDS,
            bootstrap_timeout_ms=timeout_ms,
            request_timeout_ms=max(timeout_ms, 2 * FETCH_WAIT_MS),
            metrics_enabled=False,
        )

    def _places(self, topics: Sequence[str]) -> list[Any]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._partitions[topic])]

    async def _ensure(self, topic: str) -> None:
        """Creates the topic when it is missing. Raises BusUnavailable."""
        if await self._exists(topic):
            return
        if not self._settings.create_topics:
            raise BusUnavailable(f"Kafka has no topic {topic}. Mend: create it, or set kafka.create_topics")
        layout = self._layout(topic)
        new = {
            "num_partitions": layout.partitions,
            "replication_factor": self._settings.replicas,
            "configs": layout.config(),
        }

        def create() -> None:
            with suppress(TopicAlreadyExistsError):  # another process was quicker
                self._admin.create_topics({topic: new}, timeout_ms=int(self._timeout_s * 1000))
            self._admin.wait_for_topics([topic], timeout_ms=int(self._timeout_s * 1000))

        await self._blocking(create)
        if not await self._exists(topic):
            raise BusUnavailable(f"Kafka does not show its new topic {topic} yet. Mend: try again")

    async def _exists(self, topic: str) -> bool:
        if topic not in self._partitions:
            described = await self._blocking(lambda: self._admin.describe_topics([topic]))
            count = len(described[0]["partitions"]) if described else 0
            if count == 0:
                return False
            self._partitions[topic] = count
        return True

    async def _blocking(self, call: Callable[[], T]) -> T:
        """Runs what waits for an answer. Raises BusUnavailable."""
        try:
            async with asyncio.timeout(2 * self._timeout_s):  # the library's own time-out comes first
                with self._translated():
                    return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except TimeoutError:
            raise BusUnavailable(self._no_answer()) from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns the library's failures into the port's."""
        try:
            yield
        except MessageSizeTooLargeError as error:
            raise ValueError(f"Kafka: {error}") from error
        except KafkaError as error:
            raise BusUnavailable(f"Kafka at {self._settings.bootstrap_servers}: {explained(error)}") from error

    def _no_answer(self) -> str:
        return f"Kafka at {self._settings.bootstrap_servers} did not answer within {self._timeout_s:g} s"


def connection(settings: Kafka) -> dict[str, Any]:
    """The library's settings for reaching a broker."""
    found: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": "lydia",
        "security_protocol": settings.security_protocol,
        "reconnect_backoff_ms": RECONNECT_MS[0],
        "reconnect_backoff_max_ms": RECONNECT_MS[1],
    }
    if settings.security_protocol.startswith("SASL"):
        assert settings.password is not None
        found |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": settings.password.get_secret_value(),
        }
    files = {"ssl_cafile": settings.ca, "ssl_certfile": settings.certificate, "ssl_keyfile": settings.key}
    return found | {name: str(path) for name, path in files.items() if path is not None}


def explained(error: Exception) -> str:
    """What went wrong, and how to mend it where that is known."""
    match error:
        case SaslAuthenticationFailedError() | UnsupportedSaslMechanismError():
            return f"it refuses the name or the password ({error}). Mend: kafka.username, .password, .sasl_mechanism"
        case AuthorizationError():
            return f"this user may not do that ({error}). Mend: give it the right, or set another kafka.username"
        case _:
            return str(error) or type(error).__name__


def record_of(entry: Any) -> Record:
    """The record in what the library fetched. Text that is no UTF-8 is mended: who opens such a record rejects it."""
    return Record(
        entry.topic,
        (entry.key or b"").decode(errors="replace"),
        entry.value or b"",
        {name: (text or b"").decode(errors="replace") for name, text in entry.headers},
    )


class _Reading:
    """Reads partitions from their first record to what was their last one when it began."""

    def __init__(self, consumer: Any, places: list[Any], timeout_ms: int) -> None:
        self.ends: dict[Any, int] = {}
        """Of the partitions that are not read to their end."""
        self._consumer = consumer
        self._places = places
        self._timeout_ms = timeout_ms

    def begin(self) -> None:
        self._consumer.assign(self._places)
        first = self._consumer.beginning_offsets(self._places, timeout_ms=self._timeout_ms)
        self.ends = self._consumer.end_offsets(self._places, timeout_ms=self._timeout_ms)
        for place in self._places:
            self._consumer.seek(place, first[place])
        self._leave_out([place for place in self._places if first[place] >= self.ends[place]])

    def some(self) -> list[Record]:
        fetched = self._consumer.poll(timeout_ms=FETCH_WAIT_MS)
        if not fetched:  # nothing there, or nobody
            self._consumer.end_offsets(list(self.ends), timeout_ms=self._timeout_ms)
        found = [
            record_of(entry)
            for place, entries in fetched.items()
            for entry in entries
            if place in self.ends and entry.offset < self.ends[place]
        ]
        # The position, rather than the last offset: a log may end with entries that are no records.
        self._leave_out([place for place, end in self.ends.items() if self._consumer.position(place) >= end])
        return found

    def _leave_out(self, places: list[Any]) -> None:
        self._consumer.pause(*places)
        self.ends = {place: end for place, end in self.ends.items() if place not in places}


class _Client:
    """A consumer of the library, as a member's thread uses it."""

    def __init__(self, consumer: Any, member: Member) -> None:
        self.joined = False
        self._consumer = consumer
        self._member = member

    def poll(self, timeout_s: float) -> list[Fetched]:
        try:
            fetched = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        except (SaslAuthenticationFailedError, AuthorizationError, FencedInstanceIdError) as error:
            raise Refused(explained(error)) from error
        return [
            ((place.topic, place.partition), entry.offset, record_of(entry))
            for place, found in fetched.items()
            for entry in found
        ]

    def pause(self, places: Sequence[Place]) -> None:
        self._consumer.pause(*(TopicPartition(*place) for place in places))

    def resume(self, places: Sequence[Place]) -> None:
        self._consumer.resume(*(TopicPartition(*place) for place in places))

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=int(CLOSE_S * 1000))


class _LoneClient(_Client):
    """Reads every partition, without a group."""

    def __init__(
        self, consumer: Any, member: Member, places: list[Any], start: Literal["earliest", "latest"], timeout_s: float
    ) -> None:
        super().__init__(consumer, member)
        consumer.assign(places)
        bounds = consumer.beginning_offsets if start == "earliest" else consumer.end_offsets
        for place, offset in bounds(places, timeout_ms=int(timeout_s * 1000)).items():
            consumer.seek(place, offset)
        member.take((place.topic, place.partition) for place in places)
        self.joined = True

    def commit(self, _: Mapping[Place, int], told: Callable[[Exception | None], None]) -> None:
        told(None)  # there is nobody to tell


class _GroupClient(_Client):
    """A member of a group."""

    def __init__(
        self, consumer: Any, member: Member, topics: tuple[str, ...], start: Literal["earliest", "latest"]
    ) -> None:
        super().__init__(consumer, member)
        self._start = start
        self._new: list[Any] = []
        """Partitions of which it is not known yet where to start; paused. Only with start="latest"."""
        consumer.subscribe(topics, listener=_Listener(self))

    def poll(self, timeout_s: float) -> list[Fetched]:
        # kafka-python 3.0.12 forgets a join that outlasts this call when the reason for it has passed meanwhile: it
        # would neither finish the join nor send heartbeats any more (`need_rejoin` in join_group_async).
        if self._consumer._coordinator.rejoining:
            self._consumer._coordinator.request_rejoin()
        fetched = super().poll(timeout_s)
        if self._new:
            self._begin_at_the_end()
        if not self.joined:
            self.joined = self._consumer.group_metadata().state is MemberState.STABLE
        return fetched

    def _begin_at_the_end(self) -> None:
        """Where the group has committed nothing, it begins with the next record, and says so at once."""
        timeout_ms = int(CLOSE_S * 1000)
        unknown = [place for place in self._new if self._consumer.committed(place, timeout_ms=timeout_ms) is None]
        if unknown:
            ends = self._consumer.end_offsets(unknown, timeout_ms=timeout_ms)
            for place, end in ends.items():
                self._consumer.seek(place, end)
            self._consumer.commit({place: _offset(end) for place, end in ends.items()}, timeout_ms=timeout_ms)
        self._consumer.resume(*self._new)
        self._new = []

    def commit(self, offsets: Mapping[Place, int], told: Callable[[Exception | None], None]) -> None:
        def note(_: Any, answer: Any) -> None:
            told(answer if isinstance(answer, Exception) else None)

        self._consumer.commit_async(_offsets(offsets), callback=note)

    # What follows runs on the library's IO thread, while poll or close wait for it.

    def assigned(self, places: set[Any]) -> None:
        if self._start == "latest":
            self._consumer.pause(*places)
            self._new += places
        self._member.take((place.topic, place.partition) for place in places)

    async def revoked(self, places: set[Any]) -> None:
        """Waits until nobody works on the partitions, and commits."""
        shares = self._member.begin_release((place.topic, place.partition) for place in places)
        deadline = self._member.release_deadline()
        while not self._member.released(shares) and time.monotonic() < deadline:
            await self._consumer._net.sleep(0.01)
        offsets = self._member.news(shares)
        deadline = time.monotonic() + CLOSE_S
        while offsets and time.monotonic() < deadline:
            future = self._consumer.commit_async(_offsets(offsets), callback=lambda *_: None)
            while not future.is_done and time.monotonic() < deadline:
                await self._consumer._net.sleep(0.002)
            if future.succeeded():
                break
            if not future.retriable():
                log.warning("a partition was handed back without a last commit: %s", future.exception)
                break
            await self._consumer._net.sleep(0.05)
        self.lost(places)

    def lost(self, places: set[Any]) -> None:
        self._new = [place for place in self._new if place not in places]
        self._member.forget((place.topic, place.partition) for place in places)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """What the library calls."""

    def __init__(self, client: _GroupClient) -> None:
        self._client = client

    async def on_partitions_assigned(self, assigned: set[Any]) -> None:
        self._client.assigned(assigned)

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        await self._client.revoked(revoked)

    async def on_partitions_lost(self, lost: set[Any]) -> None:
        self._client.lost(lost)


def _offset(offset: int) -> Any:
    return OffsetAndMetadata(offset, "", -1)


def _offsets(offsets: Mapping[Place, int]) -> dict[Any, Any]:
    return {TopicPartition(*place): _offset(offset) for place, offset in offsets.items()}
