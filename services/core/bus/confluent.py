"""The bus on Apache Kafka through confluent-kafka, which is librdkafka: native code, quicker than kafka-python.

librdkafka speaks with the brokers on threads of its own. What it has to tell is fetched by calling it: a thread of this
bus does so for the producer, a member's thread for its consumer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

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
    not_allowed,
    wrong_password,
)
from services.core.bus.kafka_member import Client, Fetched, Member, Place, Refused
from services.core.bus.partitions import partition_of
from services.core.bus.port import BusUnavailable, Record
from services.core.settings import Kafka

log = logging.getLogger(__name__)

REPORTS_S = 0.1
"""How long the producer's thread waits for news at most; closing waits for it."""
QUEUE_KB = 16_384
"""What a consumer fetches ahead at most."""
MAX_RECORD_BYTES = 1_048_588
KNOWN_MS = 2_000
"""How often a client says which brokers it knows."""
AT_REST_US = 3_000 * RECONNECT_MS[1]
"""A broker that was not tried for so long, three times the longest wait, is tried no more."""
WRONG_PASSWORD = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)
NOT_ALLOWED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
PASSING = (
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._WAIT_COORD,
)
FOR_GOOD = (*WRONG_PASSWORD, *NOT_ALLOWED, KafkaError.FENCED_INSTANCE_ID)


class _Silent:
    """The library writes a line for every attempt to connect; what matters is told by whoever calls it."""

    def log(self, *_: object) -> None:
        pass


class ConfluentBus(KafkaBus):
    """See KafkaBus."""

    _admin: Any = None
    _producer: Any = None
    _reporter: threading.Thread | None = None
    _closing = False
    _lost_brokers = False
    """The producer has."""
    _other: Any = None
    """The other library's client."""

    def _open(self) -> None:
        problems: list[Any] = []
        self._admin = self._new_admin({"error_cb": problems.append})
        try:
            self._admin.list_topics(timeout=self._timeout_s)
        except KafkaException:
            self._admin.poll(0.1)
            for problem in problems:  # the reason, rather than that nobody answered
                if problem.code() in FOR_GOOD:
                    raise KafkaException(problem) from None
            raise
        self._producer = self._new_producer()
        self._reporter = threading.Thread(target=self._report, name="kafka reports", daemon=True)
        self._reporter.start()

    def _new_admin(self, more: Mapping[str, Any] | None = None) -> Any:
        return AdminClient(connection(self._settings, self._timeout_ms) | dict(more or {}), logger=_Silent())

    def _new_producer(self) -> Any:
        self._lost_brokers = False
        return Producer(
            connection(self._settings, self._timeout_ms)
            | _watched(lambda: setattr(self, "_lost_brokers", True))
            | {
                "enable.idempotence": True,
                "linger.ms": 0,
                "message.timeout.ms": self._timeout_ms,
                "message.max.bytes": MAX_RECORD_BYTES,
                "allow.auto.create.topics": False,
            },
            logger=_Silent(),
        )

    def _report(self) -> None:
        while not self._closing:
            self._producer.poll(REPORTS_S)
            if self._lost_brokers:
                log.warning("a producer that has forgotten its brokers is replaced")
                self._replace(self._producer)

    def _replace(self, producer: Any) -> None:
        """Gives a producer up, and what it could not send."""
        if self._producer is producer:
            self._producer = self._new_producer()
            producer.purge()
            producer.poll(0)

    def _shut(self) -> None:
        self._closing = True
        if self._other is not None:
            self._other.close()
        if self._reporter is not None:
            self._reporter.join()
            self._producer.flush(CLOSE_S)

    async def _send(self, records: Sequence[Record]) -> None:
        producer, loop = self._producer, asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()
        outcomes: list[Any] = []

        def resolve() -> None:
            if not taken.done():
                taken.set_result(None)

        def note(error: Any, _: Any) -> None:  # on the reporter's thread
            outcomes.append(error)
            if len(outcomes) == len(records):
                with suppress(RuntimeError):  # nobody waits any longer
                    loop.call_soon_threadsafe(resolve)

        with self._translated():
            for record in records:
                producer.produce(
                    record.topic,
                    key=record.key.encode(),
                    value=record.value,
                    headers=[(name, text.encode()) for name, text in record.headers.items()],
                    partition=partition_of(record.key, self._partitions[record.topic]),
                    on_delivery=note,
                )
        await taken
        with self._translated():
            for error in outcomes:
                if error is not None:
                    if error.fatal():
                        self._replace(producer)
                    raise KafkaException(error)

    def _client(
        self, member: Member, topics: tuple[str, ...], group: str | None, start: Start, may_wait_s: float
    ) -> Client:
        membership: dict[str, Any] = {"group.id": group or "lydia.nobody"}  # never joined without a group
        if group is not None:
            membership |= {
                "session.timeout.ms": int(self._session_s * 1000),
                "heartbeat.interval.ms": int(self._session_s * 100),
                "partition.assignment.strategy": "cooperative-sticky",
            }
            if self._settings.instance:
                membership["group.instance.id"] = instance_id(self._settings, topics)
        settings = consumer_settings(self._settings, self._timeout_ms) | membership
        if may_wait_s:
            settings |= {"fetch.min.bytes": PAUSE_BYTES, "fetch.wait.max.ms": int(may_wait_s * 1000)}
        if group is not None:
            return _GroupClient(settings, member, topics, start, self._timeout_s)
        return _LoneClient(settings, member, self._places(topics), start, self._timeout_s)

    def _reading(self, topic: str) -> Reading:
        settings = consumer_settings(self._settings, self._timeout_ms)
        settings |= {"group.id": "lydia.nobody", "enable.partition.eof": True}
        return _Reading(settings, self._places((topic,)), self._timeout_s)

    def _lag(self, topic: str, group: str) -> int:
        # By a consumer that never joins: librdkafka 2.16 aborts the process when the admin client's list_offsets or
        # list_consumer_group_offsets outlive a broker that hangs (rd_kafka_enq_once_del_source_return), and after a
        # broker's restart the former goes on asking with the old leader epoch.
        settings = consumer_settings(self._settings, self._timeout_ms) | {"group.id": group}
        asking = Consumer(settings, logger=_Silent())
        try:
            left = 0
            for place in asking.committed(self._places((topic,)), timeout=self._timeout_s):
                first, end = asking.get_watermark_offsets(place, timeout=self._timeout_s)
                left += end - max(first, place.offset)  # the offset is negative where nothing is committed
            return left
        finally:
            asking.close()

    def _copies_missing(self, topic: str) -> int:
        return sum(len(each.isr) < len(each.replicas) for each in self._described(topic).partitions)

    def _disks_free(self) -> Mapping[str, float]:
        """By the other library: this one has no such question."""
        from kafka.errors import KafkaError as OtherError

        from services.core.bus.kafka_python import disks_free, new_admin
        from services.core.bus.kafka_python_client import explained as explained_there

        try:
            if self._other is None:
                self._other = new_admin(self._settings, self._timeout_ms)
            return disks_free(self._other)
        except OtherError as error:
            raise BusUnavailable(explained_there(error)) from error

    def _ask_leaders(self, topic: str) -> None:
        settings = consumer_settings(self._settings, self._timeout_ms) | {"group.id": "lydia.nobody"}
        asking = Consumer(settings, logger=_Silent())
        try:
            for place in self._places((topic,)):
                asking.get_watermark_offsets(place, timeout=self._timeout_s)
        finally:
            asking.close()

    def _count(self, topic: str) -> int:
        try:
            return len(self._described(topic).partitions)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return 0
            raise

    def _described(self, topic: str) -> Any:
        def ask(admin: Any) -> Any:
            return admin.describe_topics(TopicCollection([topic]), request_timeout=self._timeout_s)

        return self._answer(ask, topic)

    def _create(self, topic: str, layout: topic_names.Layout) -> None:
        new = NewTopic(topic, layout.partitions, self._settings.replicas, config=layout.config())

        def ask(admin: Any) -> Any:
            return admin.create_topics([new], operation_timeout=self._timeout_s, request_timeout=self._timeout_s + 1.0)

        try:
            self._answer(ask, topic)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        deadline = time.monotonic() + CREATE_S
        while self._count(topic) == 0 and time.monotonic() < deadline:
            time.sleep(0.02)

    def _answer(self, ask: Callable[[Any], Any], topic: str) -> Any:
        """What the admin client hears of a topic. One that has no answer is replaced: it may never have one again."""
        try:
            return ask(self._admin)[topic].result(self._timeout_s + 1.0)
        except (KafkaException, TimeoutError) as error:
            if isinstance(error, TimeoutError) or error.args[0].code() in PASSING:
                self._admin = self._new_admin()
            raise

    def _explain(self, error: Exception) -> ValueError | str | None:
        match error:
            case KafkaException() if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                return ValueError(f"Kafka: {error.args[0].str()}")
            case KafkaException():
                return explained(error.args[0])
            case BufferError():
                return "it is away, and what waits for it fills the producer"
            case _:
                return None

    def _passing(self, error: Exception) -> bool:
        return isinstance(error, KafkaException) and error.args[0].code() in PASSING

    def _places(self, topics: Sequence[str]) -> list[Any]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self._partitions[topic])]


def connection(settings: Kafka, timeout_ms: int) -> dict[str, Any]:
    """The library's settings for reaching a broker."""
    found: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "lydia",
        "security.protocol": settings.security_protocol,
        "reconnect.backoff.ms": RECONNECT_MS[0],
        "reconnect.backoff.max.ms": RECONNECT_MS[1],
        "socket.timeout.ms": max(timeout_ms, 10 * FETCH_WAIT_MS),
        "socket.nagle.disable": True,
    }
    if settings.security_protocol.startswith("SASL"):
        assert settings.password is not None
        found |= {
            "sasl.mechanism": settings.sasl_mechanism,
            "sasl.username": settings.username,
            "sasl.password": settings.password.get_secret_value(),
        }
    files = {
        "ssl.ca.location": settings.ca,
        "ssl.certificate.location": settings.certificate,
        "ssl.key.location": settings.key,
    }
    return found | {name: str(path) for name, path in files.items() if path is not None}


def consumer_settings(settings: Kafka, timeout_ms: int) -> dict[str, Any]:
    """The library's settings for a consumer, but for its group."""
    return connection(settings, timeout_ms) | {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "fetch.min.bytes": 1,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
        "fetch.message.max.bytes": FETCH_BYTES,
        "fetch.queue.backoff.ms": 5,
        "queued.max.messages.kbytes": QUEUE_KB,
    }


def explained(error: Any) -> str:
    """What went wrong, and how to mend it where that is known."""
    if error.code() in WRONG_PASSWORD:
        return wrong_password(error.str())
    if error.code() in NOT_ALLOWED:
        return not_allowed(error.str())
    return str(error.str())


def record_of(message: Any) -> Record:
    """The record in what the library fetched. Text that is no UTF-8 is mended: who opens such a record rejects it."""
    return Record(
        message.topic(),
        (message.key() or b"").decode(errors="replace"),
        message.value() or b"",
        {name: (text or b"").decode(errors="replace") for name, text in message.headers() or ()},
    )


def forgotten(statistics: str) -> bool:
    """Whether a client knows no broker any more, by its statistics (librdkafka's STATISTICS.md).

    A broker that goes on after a long stand-still may say for a moment that its cluster has no brokers. librdkafka
    (2.16) then forgets all of them, those of its settings too, and asks nobody ever after (its issue 5301). What it
    forgets is gone from the statistics or, when something still holds it, at rest in them for good; a broker that is
    only away is tried again every RECONNECT_MS[1] at the latest, and at least one that is there is connected.
    """
    brokers = json.loads(statistics)["brokers"].values()
    return all(
        broker["state"] == "INIT" and broker["stateage"] > AT_REST_US
        for broker in brokers
        if broker["source"] in ("configured", "learned")
    )


def _watched(lost: Callable[[], None]) -> dict[str, Any]:
    """Settings of a client that calls `lost` when it knows no broker any more. It has to be polled."""

    def told(statistics: str) -> None:
        if forgotten(statistics):
            lost()

    return {"statistics.interval.ms": KNOWN_MS, "stats_cb": told}


class _Reading(Reading):
    def __init__(self, settings: dict[str, Any], places: list[Any], timeout_s: float) -> None:
        self._consumer = Consumer(settings, logger=_Silent())
        self._timeout_s = timeout_s
        self._ends: dict[Place, int] = {}
        try:
            begin = []
            for place in places:
                first, end = self._consumer.get_watermark_offsets(place, timeout=timeout_s)
                if first < end:
                    self._ends[place.topic, place.partition] = end
                    begin.append(TopicPartition(place.topic, place.partition, first))
            self._consumer.assign(begin)
        except BaseException:
            self._consumer.close()
            raise
        self.unread = bool(self._ends)

    def some(self) -> list[Record]:
        messages: list[Any] = self._consumer.consume(FETCH_RECORDS, timeout=FETCH_WAIT_MS / 1000)
        if not messages:  # nothing there, or nobody
            for topic, partition in self._ends:
                self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=self._timeout_s)
        found = []
        for message in messages:
            place, error = (message.topic(), message.partition()), message.error()
            end = self._ends.get(place)
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if end is None:
                continue
            if error is None and message.offset() < end:
                found.append(record_of(message))
            # The end of the log counts too: it may end with entries that are no records.
            if message.offset() >= end - 1:
                del self._ends[place]
                self._consumer.pause([TopicPartition(*place)])
        self.unread = bool(self._ends)
        return found

    def close(self) -> None:
        self._consumer.close()


class _Client(ABC):
    """A consumer of the library, as a member's thread uses it."""

    def __init__(self, settings: dict[str, Any], member: Member) -> None:
        self.joined = False
        self.head_start_s = 0.0  # it reads in C, beside whoever handles records
        self._settings = settings
        self._member = member
        self._refusal: str | None = None
        self._told: Callable[[Exception | None], None] | None = None
        self._consumer = self._open()

    def _open(self) -> Any:
        self._lost_brokers = False
        callbacks = {"error_cb": self._on_error, "on_commit": self._on_commit}
        watched = _watched(lambda: setattr(self, "_lost_brokers", True))
        return Consumer(self._settings | watched | callbacks, logger=_Silent())

    def poll(self, timeout_s: float) -> list[Fetched]:
        # consume waits for the whole number, so it only takes what is there already.
        first = self._consumer.poll(timeout_s)
        messages: list[Any] = [] if first is None else [first, *self._consumer.consume(FETCH_RECORDS - 1, timeout=0)]
        fetched: list[Fetched] = []
        failure = None
        for message in messages:
            error = message.error()
            if error is None:
                fetched.append(((message.topic(), message.partition()), message.offset(), record_of(message)))
            elif error.code() in FOR_GOOD or error.fatal():
                raise Refused(explained(error))
            else:
                failure = error
        if self._refusal is not None:
            raise Refused(self._refusal)
        if self._lost_brokers and not fetched:
            log.warning("a consumer that has forgotten its brokers is replaced")
            self._leave()
            self._consumer.close()
            told, self._told = self._told, None
            if told is not None:
                told(BusUnavailable("the brokers were forgotten"))
            self._consumer = self._open()
            self._begin()
        if failure is not None and not fetched:
            raise BusUnavailable(explained(failure))
        return fetched

    @abstractmethod
    def _begin(self) -> None:
        """Begins to read, or goes on where a consumer before was."""

    @abstractmethod
    def _leave(self) -> None:
        """What the consumer had is another's now."""

    def pause(self, places: Sequence[Place]) -> None:
        self._consumer.pause([TopicPartition(*place) for place in places])

    def resume(self, places: Sequence[Place]) -> None:
        self._consumer.resume([TopicPartition(*place) for place in places])

    def commit(self, offsets: Mapping[Place, int], told: Callable[[Exception | None], None]) -> None:
        self._told = told
        self._consumer.commit(offsets=_offsets(offsets), asynchronous=True)

    def close(self) -> None:
        self._consumer.close()

    def _on_error(self, error: Any) -> None:
        if error.code() in FOR_GOOD or error.fatal():
            self._refusal = explained(error)

    def _on_commit(self, error: Any, places: Sequence[Any]) -> None:
        told, self._told = self._told, None
        if told is not None:
            failed = error or next((place.error for place in places if place.error is not None), None)
            told(None if failed is None else KafkaException(failed))


class _LoneClient(_Client):
    """Reads every partition, without a group."""

    def __init__(
        self, settings: dict[str, Any], member: Member, places: list[Any], start: Start, timeout_s: float
    ) -> None:
        super().__init__(settings, member)
        self._next: dict[Place, int] = {}
        try:
            for place in places:
                first, end = self._consumer.get_watermark_offsets(place, timeout=timeout_s)
                self._next[place.topic, place.partition] = first if start == "earliest" else end
        except BaseException:
            self._consumer.close()
            raise
        self._begin()
        member.take(self._next)
        self.joined = True

    def _begin(self) -> None:
        self._consumer.assign(_offsets(self._next))
        self.pause([share.place for share in self._member.shares.values() if share.paused])

    def _leave(self) -> None:
        pass

    def poll(self, timeout_s: float) -> list[Fetched]:
        fetched = super().poll(timeout_s)
        self._next |= {place: offset + 1 for place, offset, _ in fetched}
        return fetched

    def commit(self, _: Mapping[Place, int], told: Callable[[Exception | None], None]) -> None:
        told(None)  # there is nobody to tell


class _GroupClient(_Client):
    """A member of a group. Its callbacks run on the member's thread, inside poll or close."""

    def __init__(
        self, settings: dict[str, Any], member: Member, topics: tuple[str, ...], start: Start, timeout_s: float
    ) -> None:
        super().__init__(settings, member)
        self._topics = list(topics)
        self._start = start
        self._timeout_s = timeout_s
        self._begin()

    def _begin(self) -> None:
        self._consumer.subscribe(self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def _leave(self) -> None:
        self._member.forget(list(self._member.shares))

    def _assigned(self, consumer: Any, places: list[Any]) -> None:
        if self._start == "latest" and places:
            places = self._begin_at_the_end(consumer, places)
        consumer.incremental_assign(places)
        self._member.take((place.topic, place.partition) for place in places)
        self.joined = True

    def _begin_at_the_end(self, consumer: Any, places: list[Any]) -> list[Any]:
        """Where the group has committed nothing, it begins with the next record, and says so at once."""
        while not self._member.leaving:
            try:
                known = consumer.committed(places, timeout=self._timeout_s)
                unknown = [place for place in known if place.offset < 0]
                for place in unknown:
                    _, place.offset = consumer.get_watermark_offsets(place, timeout=self._timeout_s)
                if unknown:
                    consumer.commit(offsets=unknown, asynchronous=False)
                return list(known)
            except KafkaException as error:
                log.warning("cannot learn where to begin, and goes on trying: %s", explained(error.args[0]))
                time.sleep(0.5)
        return places

    def _revoked(self, consumer: Any, places: list[Any]) -> None:
        """Waits until nobody works on the partitions, and commits."""
        shares = self._member.begin_release((place.topic, place.partition) for place in places)
        deadline = self._member.release_deadline()
        while not self._member.released(shares) and time.monotonic() < deadline:
            time.sleep(0.005)
        offsets = self._member.news(shares)
        deadline = time.monotonic() + CLOSE_S
        while offsets:
            try:
                consumer.commit(offsets=_offsets(offsets), asynchronous=False)
                break
            except KafkaException as error:
                if error.args[0].code() not in PASSING or time.monotonic() > deadline:
                    log.warning("a partition was handed back without a last commit: %s", explained(error.args[0]))
                    break
                time.sleep(0.05)
        self._lost(consumer, places)

    def _lost(self, _: Any, places: list[Any]) -> None:
        self._member.forget((place.topic, place.partition) for place in places)


def _offsets(offsets: Mapping[Place, int]) -> list[Any]:
    return [TopicPartition(*place, offset) for place, offset in offsets.items()]
