"""What Kafka and its clients do to the bus when something fails: nothing is lost, order is kept, errors say why."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource
from kafka.errors import KafkaConnectionError
from kafka.net.transport import KafkaTCPTransport

from deploy.local.kafka import KafkaServer
from services.core import topics
from services.core.bus import Bus, BusUnavailable, Delivery, Record
from services.core.bus.confluent import ConfluentBus
from services.core.bus.kafka import FETCH_RECORDS, KafkaBus, open_kafka
from services.core.bus.kafka_member import Member, Place
from services.core.bus.kafka_python import KafkaPythonBus
from services.core.bus.partitions import partition_of
from services.core.events import AudienceEvent, Chat
from services.core.settings import Kafka
from services.core.telemetry import Telemetry
from services.core.topics import Layout
from services.core.worker import Verdict, Worker
from tests.contract.conftest import PASSWORD
from tests.contract.listening import PATIENCE_S, listening, numbered, until, values_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOMS = [f"room{number}" for number in range(8)]
CLIENTS = {KafkaPythonBus: "kafka-python", ConfluentBus: "confluent-kafka"}


@pytest.fixture(params=list(CLIENTS), ids=list(CLIENTS.values()))
def driver(request: pytest.FixtureRequest) -> type[KafkaBus]:
    chosen: type[KafkaBus] = request.param
    return chosen


@pytest.fixture
def topic() -> str:
    return f"lydia.test.{uuid.uuid4().hex}"


@asynccontextmanager
async def opened(
    driver: type[KafkaBus],
    server: KafkaServer,
    *,
    partitions: int = 4,
    session_s: float = 3.0,
    drain_s: float = 3.0,
    timeout_s: float = 5.0,
    instance: str = "",
) -> AsyncIterator[KafkaBus]:
    settings = Kafka(bootstrap_servers=server.servers, instance=instance)
    async with driver(
        settings,
        layout=lambda _: Layout(partitions=partitions),
        session_s=session_s,
        drain_s=drain_s,
        timeout_s=timeout_s,
    ) as bus:
        yield bus


async def insist(bus: Bus, *records: Record) -> None:
    """Publishes one record after the other, each until the bus has it."""
    for record in records:
        while True:
            try:
                await bus.publish(record)
                break
            except BusUnavailable:
                await asyncio.sleep(0.1)


async def reaches(bus: Bus, topic: str, lag: int, group: str = "") -> None:
    """Waits until the group, by default the topic's own, has so many records left."""

    async def so_many() -> bool:
        try:
            return await bus.lag(topic, group or f"{topic}.g") == lag
        except BusUnavailable:
            return False

    await until(so_many)


async def test_a_broker_that_is_killed_loses_nothing_and_keeps_order_and_commits(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    records = numbered(topic, ROOMS, 12)
    settled = numbered(f"{topic}.settled", ["room1"], 5)
    async with opened(driver, kafka_server) as bus:
        await bus.publish(*settled)
        async with listening(bus, f"{topic}.settled", group=f"{topic}.settled.g", keep=True) as listener:
            await listener.count(5)
            for delivery in listener.got[:3]:
                delivery.done()
            await reaches(bus, f"{topic}.settled", 2)

        dead = asyncio.Event()

        async def publish() -> None:
            """However fast the first ones are, the last ones come while nobody is there to take them."""
            await insist(bus, *records[:-8])
            await dead.wait()
            await insist(bus, *records[-8:])

        async with listening(bus, topic, group=f"{topic}.g") as listener:
            publishing = asyncio.create_task(publish())
            await listener.count(24)
            await kafka_server.kill()
            with pytest.raises(BusUnavailable):
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        await bus.publish(Record(f"{topic}.settled", "room2", b"probe"))
            dead.set()
            await kafka_server.start()
            async with asyncio.timeout(PATIENCE_S):
                await publishing
            await listener.until(lambda: listener.by_key() == values_of(records))
            await reaches(bus, topic, 0)

        async with listening(bus, f"{topic}.settled", group=f"{topic}.settled.g") as listener:
            await listener.until(lambda: listener.by_key().get("room1", []) == values_of(settled[3:])["room1"])


async def test_a_broker_says_how_full_its_disk_is(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str, tmp_path: Path
) -> None:
    async with opened(driver, kafka_server) as bus:
        await bus.publish(Record(topic, "a", b"1"))
        disk = shutil.disk_usage(tmp_path)  # the broker's folder is on the same one
        assert await bus.disks_free() == {"1": pytest.approx(disk.free / disk.total, abs=0.02)}


async def test_what_a_library_has_to_say_of_a_broker_that_hangs_is_left_to_the_bus(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Several times a second, and on DEBUG with what viewers wrote."""
    library = logging.getLogger("kafka")
    was = library.level
    library.setLevel(logging.NOTSET)
    try:
        async with opened(driver, kafka_server, timeout_s=1.5) as bus:
            await bus.publish(Record(topic, "a", b"1"))
            await bus.disks_free()
            kafka_server.suspend()
            try:
                with pytest.raises(BusUnavailable):
                    await bus.disks_free()
            finally:
                kafka_server.resume()
    finally:
        library.setLevel(was)
    assert [record.name for record in caplog.records if record.name.startswith(("kafka", "rdkafka"))] == []


async def test_a_broker_that_hangs_is_unavailable_after_the_time_out_and_serves_again_afterwards(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    async with opened(driver, kafka_server, timeout_s=1.5) as bus:
        async with listening(bus, topic, group=f"{topic}.g") as listener:
            await bus.publish(Record(topic, "a", b"before"))
            await listener.count(1)
            kafka_server.suspend()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    with pytest.raises(BusUnavailable):
                        await bus.publish(Record(topic, "a", b"meanwhile"))
                    with pytest.raises(BusUnavailable):
                        await bus.lag(topic, f"{topic}.g")
                    with pytest.raises(BusUnavailable):
                        async with bus.consume(topic, group=None):
                            raise AssertionError("read from a broker that hangs")
                    with pytest.raises(BusUnavailable):
                        async with driver(Kafka(bootstrap_servers=kafka_server.servers), timeout_s=1.0):
                            raise AssertionError("opened a broker that hangs")
            finally:
                kafka_server.resume()
            await insist(bus, Record(topic, "a", b"after"))
            await listener.until(lambda: b"after" in listener.values)
        assert [value for value in listener.by_key()["a"] if value != b"meanwhile"] == [b"before", b"after"]


async def test_clients_that_have_forgotten_their_brokers_are_replaced_and_lose_nothing(
    kafka_server: KafkaServer, topic: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The clients of librdkafka do now and then, when a broker goes on after a stand-still."""
    sent = numbered(topic, ROOMS, 3)

    async def both_are_replaced() -> bool:
        told = {record.getMessage() for record in caplog.records}
        return {f"a {which} that has forgotten its brokers is replaced" for which in ("producer", "consumer")} <= told

    async with opened(ConfluentBus, kafka_server) as bus, listening(bus, topic, group=f"{topic}.g") as listener:
        await bus.publish(*sent[:8])
        await listener.count(8)
        with monkeypatch.context() as patch:
            patch.setattr("services.core.bus.confluent.forgotten", lambda _: True)
            await until(both_are_replaced)
        await insist(bus, *sent[8:])
        await listener.until(lambda: set(listener.values) == {record.value for record in sent})
        await reaches(bus, topic, 0)
    first_heard = {room: list(dict.fromkeys(values)) for room, values in listener.by_key().items()}
    assert first_heard == values_of(sent)


async def test_a_new_topics_leaders_are_asked_once_before_the_first_record_is_sent(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it a first record was lost now and then, and said to be there."""
    happened: list[str] = []
    async with opened(driver, kafka_server) as bus:
        ask, send = bus._ask_leaders, bus._send

        def asks(name: str) -> None:
            ask(name)
            happened.append("leaders have answered")

        async def sends(records: Sequence[Record]) -> None:
            happened.append("sent")
            await send(records)

        monkeypatch.setattr(bus, "_ask_leaders", asks)
        monkeypatch.setattr(bus, "_send", sends)
        for number in range(3):
            await bus.publish(Record(topic, "a", str(number).encode()))
        assert happened == ["leaders have answered", "sent", "sent", "sent"]
        assert [record.value async for record in bus.read(topic)] == [b"0", b"1", b"2"]


async def test_a_leader_that_does_not_answer_holds_up_the_others_records_only_once(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    asked: list[str] = []

    def hangs(name: str) -> None:
        asked.append(name)
        over.wait(PATIENCE_S)

    async with opened(driver, kafka_server, timeout_s=4.0) as bus:
        monkeypatch.setattr(bus, "_ask_leaders", hangs)
        try:
            for number in range(3):
                await bus.publish(Record(topic, "a", str(number).encode()))
        finally:
            over.set()
        assert asked == [topic]
        assert [record.value async for record in bus.read(topic)] == [b"0", b"1", b"2"]


async def test_who_waits_less_long_than_the_bus_is_served_again_too_when_a_broker_is_back(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    async def taken(bus: Bus) -> bool:
        try:
            async with asyncio.timeout(0.5):
                await bus.publish(Record(topic, "a", b"1"))
        except (TimeoutError, BusUnavailable):
            return False
        return True

    async with opened(driver, kafka_server, timeout_s=1.5) as bus:
        await until(lambda: taken(bus))
        failed = vars(bus)["_producer"]
        await kafka_server.kill()
        for _ in range(6):
            assert not await taken(bus)
        await kafka_server.start()
        await until(lambda: taken(bus))
        if driver is KafkaPythonBus:  # it does not always come back by itself
            assert vars(bus)["_producer"] is not failed


async def test_what_a_killed_member_had_not_finished_comes_to_another_one(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    records = numbered(topic, ROOMS, 40)
    async with opened(driver, kafka_server) as bus:
        await bus.publish(*records[:160])
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.contract.kafka_reader"),
            *(kafka_server.servers, CLIENTS[driver], topic, f"{topic}.g", " 10"),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        handled: list[bytes] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                assert await child.stdout.readline() == b"joined\n"
                while len(handled) < 160:
                    handled.append((await child.stdout.readline()).strip())
            await reaches(bus, topic, 8 * 10)  # of each room's 20, the first ten are committed, whatever came later
        finally:
            child.kill()
            await child.wait()
        async with listening(bus, topic, group=f"{topic}.g") as listener:
            await bus.publish(*records[160:])
            await listener.count(8 * 30)
            await reaches(bus, topic, 0)
    assert sorted(handled) == sorted(record.value for record in records[:160])
    assert listener.by_key() == {room: values[10:] for room, values in values_of(records).items()}
    assert len(listener.got) == 8 * 30


async def test_a_partition_is_drained_before_it_changes_hands(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    sent = numbered(topic, ROOMS, 2)
    async with (
        opened(driver, kafka_server, drain_s=60.0) as bus,
        listening(bus, topic, group=f"{topic}.g", keep=True) as one,
        AsyncExitStack() as stack,
    ):
        await bus.publish(*sent)
        await one.count(16)
        joining = asyncio.create_task(stack.enter_async_context(listening(bus, topic, group=f"{topic}.g")))
        await asyncio.sleep(1.5)  # several heartbeats: the group is rebalancing, and waits for the first member
        one.keep = False
        for delivery in one.got:
            delivery.done()
        other = await joining

        async def other_works() -> bool:
            sent.extend(Record(topic, room, f"{room} {len(sent)}".encode()) for room in ROOMS)
            await bus.publish(*sent[-8:])
            return bool(other.got)

        await until(other_works)
        await reaches(bus, topic, 0)
    came = [delivery.record.value for delivery in (*one.got, *other.got)]
    assert sorted(came) == sorted(record.value for record in sent), "nothing twice, nothing lost"


async def test_a_partition_that_was_paused_with_records_at_hand_goes_on(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    keys = (ROOMS[0], ROOMS[-1])
    assert {partition_of(key, 2) for key in keys} == {0, 1}
    async with opened(driver, kafka_server, partitions=2) as bus:
        for key in keys:
            await bus.publish(*numbered(topic, [key], 2 * FETCH_RECORDS))
        client = bus._client(Member(reader="a test", max_unfinished=1, drain_s=0.0), (topic,), None, "earliest", 0)
        got: Counter[Place] = Counter()

        def read_until(condition: Callable[[], bool]) -> None:
            deadline = time.monotonic() + PATIENCE_S
            while not condition():
                assert time.monotonic() < deadline, got
                got.update(place for place, _, _ in client.poll(0.1))

        def pausing() -> None:
            read_until(lambda: bool(got))
            first, other = sorted([(topic, 0), (topic, 1)], key=lambda place: -got[place])
            client.pause([first])
            read_until(lambda: got[other] == 2 * FETCH_RECORDS)
            client.resume([first])
            read_until(lambda: got[first] == 2 * FETCH_RECORDS)

        try:
            await asyncio.to_thread(pausing)
        finally:
            await asyncio.to_thread(client.close)


async def test_a_member_that_does_not_finish_in_time_loses_its_partition_and_commits_nothing_more(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    sent = numbered(topic, ROOMS, 2)
    async with (
        opened(driver, kafka_server, drain_s=0.3) as bus,
        listening(bus, topic, group=f"{topic}.g", keep=True) as one,
    ):
        await bus.publish(*sent)
        await one.count(16)
        async with listening(bus, topic, group=f"{topic}.g", keep=True) as other:
            await other.until(lambda: len({delivery.partition for delivery in other.got}) == 2)  # of the four
            moved = {delivery.partition for delivery in other.got}
            for delivery in one.got:
                delivery.done()
            stays = sum(delivery.partition not in moved for delivery in one.got)
            await reaches(bus, topic, 16 - stays)
            due = {delivery.record.value for delivery in one.got if delivery.partition in moved}
            await other.until(lambda: set(other.values) == due)


async def test_a_member_that_keeps_its_name_takes_its_partitions_up_at_once(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    # Without its name, the second one would have to wait for the end of the first one's session.
    async with opened(driver, kafka_server, session_s=40.0, instance="pod-0") as bus:
        await bus.publish(Record(topic, "a", b"1"))
        async with listening(bus, topic, group=f"{topic}.g") as first:
            await first.count(1)
        await bus.publish(Record(topic, "a", b"2"))
        async with listening(bus, topic, group=f"{topic}.g") as second, asyncio.timeout(20):
            await second.count(1)
    assert second.values == [b"2"]


async def test_a_record_that_is_none_of_ours_goes_to_the_dead_letters_and_its_partition_goes_on(
    kafka_server: KafkaServer, driver: type[KafkaBus]
) -> None:
    foreign = Producer({"bootstrap.servers": kafka_server.servers})
    mark = uuid.uuid4().hex.encode()
    group = f"worker-{mark.decode()}"
    handled = asyncio.Event()

    async def handle(event: AudienceEvent, _: Delivery) -> Verdict:
        if event.room_id == mark.decode():
            handled.set()
        return Verdict.DONE

    async with opened(driver, kafka_server, partitions=1) as bus:
        worker = Worker(bus, Telemetry("test"), service=group)
        task = asyncio.create_task(worker.run(topics.AUDIENCE, handle=handle))
        foreign.flush(5)
        async with bus.consume(topics.AUDIENCE, group=None, start="latest"):
            pass  # the topic exists now
        good = AudienceEvent(room_id=mark.decode(), chat=Chat(text="hi")).SerializeToString()
        foreign.produce(topics.AUDIENCE, b"\xff\xfe" + mark, b"\xff\xfe", partition=0, headers=[("odd", b"\xff\xfe")])
        foreign.produce(topics.AUDIENCE, good, mark, partition=0)
        await asyncio.to_thread(foreign.flush, 10)
        async with asyncio.timeout(PATIENCE_S):
            await handled.wait()
        await reaches(bus, topics.AUDIENCE, 0, group)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        dead = [record async for record in bus.read(topics.dead(topics.AUDIENCE)) if mark in record.value]
    assert [record.value for record in dead] == [b"\xff\xfe" + mark]
    assert "AudienceEvent" in dead[0].headers["lydia_reason"]


async def test_topics_are_created_as_they_are_declared(kafka_server: KafkaServer, driver: type[KafkaBus]) -> None:
    name = topics.FRAMES if driver is ConfluentBus else topics.VOICE
    declared = topics.layout(name)
    async with driver(Kafka(bootstrap_servers=kafka_server.servers)) as bus:
        await bus.publish(Record(name, "room1", b"1"))
    client = AdminClient({"bootstrap.servers": kafka_server.servers})
    asked = ConfigResource(ConfigResource.Type.TOPIC, name)
    found = client.describe_configs([asked])[asked].result(10)
    assert len(client.list_topics(name, timeout=10).topics[name].partitions) == declared.partitions == 12
    assert {key: found[key].value for key in declared.config()} == {
        "cleanup.policy": "delete",
        "retention.ms": "3600000",
        "retention.bytes": "1000000000",
        "max.message.bytes": "1048588",
    }


async def test_topics_are_created_in_as_many_partitions_as_the_settings_say(kafka_server: KafkaServer) -> None:
    async with open_kafka(Kafka(bootstrap_servers=kafka_server.servers, partitions=3)) as bus:
        await bus.publish(Record(topics.TEXT, "room1", b"1"))
        await bus.publish(Record(topics.dead(topics.TEXT), "room1", b"1"))
    found = AdminClient({"bootstrap.servers": kafka_server.servers}).list_topics(timeout=10).topics
    assert [len(found[name].partitions) for name in (topics.TEXT, topics.dead(topics.TEXT))] == [3, 1]


async def test_a_topic_that_may_not_be_created_is_named(
    kafka_server: KafkaServer, driver: type[KafkaBus], topic: str
) -> None:
    async with driver(Kafka(bootstrap_servers=kafka_server.servers, create_topics=False)) as bus:
        with pytest.raises(BusUnavailable, match=f"no topic {topic}"):
            await bus.publish(Record(topic, "a", b"1"))


def with_password(server: KafkaServer, driver: type[KafkaBus], password: str) -> Kafka:
    return Kafka.model_validate(
        {
            "bootstrap_servers": server.sasl_servers,
            "client": CLIENTS[driver],
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "username": "lydia",
            "password": password,
        }
    )


async def test_a_password_opens_the_broker(kafka_server: KafkaServer, driver: type[KafkaBus]) -> None:
    async with open_kafka(with_password(kafka_server, driver, PASSWORD)) as bus:
        assert type(bus) is driver
        room = uuid.uuid4().hex
        async with listening(bus, topics.CONTROL, group=None, start="latest") as listener:
            await bus.publish(Record(topics.CONTROL, room, b"1"))
            await listener.until(lambda: room in listener.by_key())


async def test_what_a_broker_says_before_it_hangs_up_is_heard_by_kafka_python() -> None:
    ours, brokers = socket.socketpair()
    with ours, brokers:
        ours.setblocking(False)
        brokers.sendall(b"wrong password")
        brokers.close()
        transport = KafkaTCPTransport(None, ours)
        assert transport._sock_recv() == (b"wrong password", None)
        data, error = transport._sock_recv()
        assert data == b"" and isinstance(error, KafkaConnectionError)


async def test_a_wrong_password_is_called_so(kafka_server: KafkaServer, driver: type[KafkaBus]) -> None:
    with pytest.raises(BusUnavailable, match=r"refuses the name or the password.*kafka\.username"):
        async with open_kafka(with_password(kafka_server, driver, "wrong")):
            raise AssertionError("opened with a wrong password")
