"""The bus on Apache Kafka through kafka-python.

The library has threads of its own: an IO thread for each client, and a sender for the producer. Whatever of it can
block runs in this bus's executor or on a member's thread, never on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RetriableError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    UnsupportedSaslMechanismError,
    for_code,
)
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from services.core import topics as topic_names
from services.core.bus.kafka import (
    CLOSE_S,
    CREATE_S,
    FETCH_BYTES,
    FETCH_RECORDS,
    FETCH_WAIT_MS,
    PAUSE_BYTES,
    RECONNECT_MS,
    KafkaBus,
    Reading,
    Start,
    instance_id,
)
from services.core.bus.kafka_member import Client, Member
from services.core.bus.kafka_python_client import GroupClient, LoneClient, explained, record_of
from services.core.bus.partitions import partition_of
from services.core.bus.port import BusUnavailable, Record
from services.core.settings import Kafka

log = logging.getLogger(__name__)

REFUSALS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError)


class KafkaPythonBus(KafkaBus):
    """See KafkaBus."""

    _admin: Any = None
    _producer: Any = None
    _broken: Any = None
    """The producer that failed last."""
    _mending: asyncio.Task[None] | None = None

    def _open(self) -> None:
        with _refusals():
            self._admin = new_admin(self._settings, self._timeout_ms)
        self._producer = self._new_producer()

    def _new_producer(self) -> Any:
        return KafkaProducer(
            **connection(self._settings),
            bootstrap_timeout_ms=self._timeout_ms,
            allow_auto_create_topics=False,
            max_block_ms=self._timeout_ms,
            request_timeout_ms=self._timeout_ms // 2,
            delivery_timeout_ms=self._timeout_ms,
            metrics_enabled=False,
        )

    async def publish(self, *records: Record) -> None:
        await self._mended()
        producer = self._producer
        try:
            await super().publish(*records)
        except BusUnavailable:
            self._broken = producer
            raise

    def _judge(self, producer: Any, outcomes: Sequence[Any], expected: int) -> None:
        """Whether a producer has failed on records for which nobody waited any longer."""
        if len(outcomes) < expected or any(isinstance(outcome, Exception) for outcome in outcomes):
            self._broken = producer

    async def _mended(self) -> None:
        """Replaces a producer that has failed: after a long silence of its broker it may never send again."""
        if self._broken is None or self._broken is not self._producer:
            return
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self._blocking(self._replace), name="kafka producer")
            self._mending.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._mending)

    def _replace(self) -> None:
        new = self._new_producer()
        old, self._producer = self._producer, new
        _discard(old)

    def _shut(self) -> None:
        if self._producer is not None:
            _discard(self._producer)
        if self._admin is not None:
            self._admin.close()

    async def _send(self, records: Sequence[Record]) -> None:
        producer = self._producer
        for topic in {record.topic for record in records}:
            if producer._metadata.partitions_for_topic(topic) is None:  # send would block
                await self._blocking(partial(producer.partitions_for, topic))
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()
        outcomes: list[Any] = []

        def resolve() -> None:
            if not taken.done():
                taken.set_result(None)

        def note(outcome: Any) -> None:  # on the library's threads
            outcomes.append(outcome)
            if len(outcomes) == len(records):
                with suppress(RuntimeError):  # nobody waits any longer
                    loop.call_soon_threadsafe(resolve)

        with self._translated():
            for record in records:
                producer.send(
                    record.topic,
                    key=record.key.encode(),
                    value=record.value,
                    headers=[(name, text.encode()) for name, text in record.headers.items()],
                    partition=partition_of(record.key, self._partitions[record.topic]),
                ).add_both(note)
        try:
            await taken
        except asyncio.CancelledError:  # whoever waits is less patient than this bus
            loop.call_later(self._timeout_s, self._judge, producer, outcomes, len(records))
            raise
        with self._translated():
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome

    def _client(
        self, member: Member, topics: tuple[str, ...], group: str | None, start: Start, may_wait_s: float
    ) -> Client:
        consumer = self._consumer(group, topics, may_wait_s)
        if group is not None:
            return GroupClient(consumer, member, topics, start)
        return LoneClient(consumer, member, self._places(topics), start, self._timeout_ms)

    def _reading(self, topic: str) -> Reading:
        return _Reading(self._consumer(None, (topic,)), self._places((topic,)), self._timeout_ms)

    def _lag(self, topic: str, group: str) -> int:
        places = self._places((topic,))
        committed = self._admin.list_group_offsets({group: places})[group]
        first, end = (
            self._admin.list_partition_offsets(dict.fromkeys(places, spec), timeout_ms=self._timeout_ms)
            for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
        )
        done = {place: committed[place].offset if place in committed else -1 for place in places}
        return sum(end[place].offset - max(first[place].offset, done[place]) for place in places)

    def _copies_missing(self, topic: str) -> int:
        (described,) = self._admin.describe_topics([topic])
        return sum(len(each["isr_nodes"]) < len(each["replica_nodes"]) for each in described["partitions"])

    def _disks_free(self) -> Mapping[str, float]:
        return disks_free(self._admin)

    def _ask_leaders(self, topic: str) -> None:
        latest = dict.fromkeys(self._places((topic,)), OffsetSpec.LATEST)
        self._admin.list_partition_offsets(latest, timeout_ms=self._timeout_ms)

    def _count(self, topic: str) -> int:
        described = self._admin.describe_topics([topic])
        return len(described[0]["partitions"]) if described else 0

    def _create(self, topic: str, layout: topic_names.Layout) -> None:
        new = {
            "num_partitions": layout.partitions,
            "replication_factor": self._settings.replicas,
            "configs": layout.config(),
        }
        with suppress(TopicAlreadyExistsError):
            self._admin.create_topics({topic: new}, timeout_ms=self._timeout_ms)
        self._admin.wait_for_topics([topic], timeout_ms=int(CREATE_S * 1000))

    def _explain(self, error: Exception) -> ValueError | str | None:
        match error:
            case MessageSizeTooLargeError():
                return ValueError(f"Kafka: {error}")
            case KafkaError():
                return explained(error)
            case _:
                return None

    def _passing(self, error: Exception) -> bool:
        return isinstance(error, RetriableError)

    def _places(self, topics: Sequence[str]) -> list[Any]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._partitions[topic])]

    def _consumer(self, group: str | None, topics: Sequence[str], may_wait_s: float = 0.0) -> Any:
        membership: dict[str, Any] = {}
        if group is not None:
            membership = {
                "session_timeout_ms": int(self._session_s * 1000),
                "heartbeat_interval_ms": int(self._session_s * 100),
                "partition_assignment_strategy": (CooperativeStickyAssignor,),
            }
            if self._settings.instance:
                membership["group_instance_id"] = instance_id(self._settings, topics)
        return KafkaConsumer(
            **connection(self._settings),
            **membership,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_min_bytes=PAUSE_BYTES if may_wait_s else 1,
            fetch_max_wait_ms=int(may_wait_s * 1000) or FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            max_poll_records=FETCH_RECORDS,
            bootstrap_timeout_ms=self._timeout_ms,
            request_timeout_ms=max(self._timeout_ms, 2 * FETCH_WAIT_MS),
            metrics_enabled=False,
        )


def new_admin(settings: Kafka, timeout_ms: int) -> Any:
    """A client for questions, the first of the library that a process has. Blocks until a broker answers; raises
    KafkaError.
    """
    # On DEBUG the library logs whole records, and so what viewers wrote; its errors are ours to tell.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    return KafkaAdminClient(**connection(settings), bootstrap_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms)


def disks_free(admin: Any) -> dict[str, float]:
    """Of each broker the free share of its fullest disk (KIP-827; a broker before Kafka 3.3 does not say).

    A user who may not describe the cluster is told of none. Raises KafkaError.
    """
    found: dict[str, float] = {}
    # Named, a topic keeps the answer short: without one, every partition of every topic is told of.
    for broker in admin.describe_log_dirs({topic_names.CONTROL: [0]}):
        for disk in broker["log_dirs"]:
            if disk["error_code"]:
                raise for_code(disk["error_code"])
            total, usable = disk.get("total_bytes", -1), disk.get("usable_bytes", -1)
            if total > 0 and usable >= 0:
                name = str(broker["broker"])
                found[name] = min(usable / total, found.get(name, 1.0))
    return found


def _discard(producer: Any) -> None:
    """Closes a producer. What it could not send is given up: nobody waits for it any more."""
    try:
        producer.close(timeout=CLOSE_S)
    except KafkaError:  # it has not even tried to end its thread
        producer._sender.force_close()
        producer._closed = True


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


@contextmanager
def _refusals() -> Iterator[None]:
    """Raises why the broker refuses the connection, where the library says only that it timed out.

    The library keeps trying, and the reason stands in its log alone.
    """
    found: list[Exception] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.extend(argument for argument in record.args or () if isinstance(argument, REFUSALS))

    told, listener = logging.getLogger("kafka.net.manager"), Listener()
    told.addHandler(listener)
    told.propagate = False
    told.setLevel(logging.WARNING)
    try:
        yield
    except KafkaError as error:
        raise found[-1] if found else error from None
    finally:
        told.removeHandler(listener)
        told.propagate = True
        told.setLevel(logging.NOTSET)


def _hear_last_words(transport: Any) -> None:
    """Lets a transport of the library hand over what a broker said before it hung up.

    kafka-python 3.0.12 drops what it reads together with the end of a connection. A broker answers a wrong password and
    hangs up at once: by chance, the answer would be lost.
    """
    receive = transport._sock_recv

    def received(self: Any) -> tuple[bytes, Exception | None]:
        data, error = receive(self)
        return data, None if data else error  # the end is found again by the next read

    transport._sock_recv = received


for _transport in (KafkaTCPTransport, KafkaSSLTransport):
    if "_sock_recv" in vars(_transport):
        _hear_last_words(_transport)


class _Reading(Reading):
    def __init__(self, consumer: Any, places: list[Any], timeout_ms: int) -> None:
        self._consumer = consumer
        self._timeout_ms = timeout_ms
        try:
            consumer.assign(places)
            first = consumer.beginning_offsets(places, timeout_ms=timeout_ms)
            self._ends: dict[Any, int] = consumer.end_offsets(places, timeout_ms=timeout_ms)
        except BaseException:
            consumer.close()
            raise
        for place in places:
            consumer.seek(place, first[place])
        self._leave_out([place for place in places if first[place] >= self._ends[place]])

    def some(self) -> list[Record]:
        fetched = self._consumer.poll(timeout_ms=FETCH_WAIT_MS)
        if not fetched:  # nothing there, or nobody
            self._consumer.end_offsets(list(self._ends), timeout_ms=self._timeout_ms)
        found = [
            record_of(entry)
            for place, entries in fetched.items()
            for entry in entries
            if place in self._ends and entry.offset < self._ends[place]
        ]
        # The position, rather than the last offset: a log may end with entries that are no records.
        self._leave_out([place for place, end in self._ends.items() if self._consumer.position(place) >= end])
        return found

    def close(self) -> None:
        self._consumer.close()

    def _leave_out(self, places: list[Any]) -> None:
        self._consumer.pause(*places)
        self._ends = {place: end for place, end in self._ends.items() if place not in places}
        self.unread = bool(self._ends)
