"""The rights that the chart gives each service's user are enough for its work on a real Kafka, and for no more."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
import yaml
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from deploy.local.kafka import KafkaServer
from deploy.local.process import running
from services.access import ACCESS, READINESS, reads
from services.core import topics
from services.core.bus import Bus, BusUnavailable, Record
from services.core.bus.kafka import open_kafka
from services.core.settings import Kafka
from services.names import NAMES, Name
from services.places import ROOT
from tests.contract.conftest import PASSWORD
from tests.contract.listening import listening, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER}
STRANGER = "stranger"
"""May do nothing."""
CHART = ROOT / "charts" / "lydia" / "files" / "topics.yaml"


def bindings(users: dict[str, list[dict[str, Any]]]) -> Iterator[AclBinding]:
    """What Strimzi makes of each user."""
    for name, rights in users.items():
        for right in rights:
            for operation in right["operations"]:
                yield AclBinding(
                    KINDS[right["resource"]["type"]],
                    right["resource"].get("name", "kafka-cluster"),
                    ResourcePatternType[right["resource"].get("patternType", "literal").upper()],
                    f"User:{name}",
                    "*",
                    AclOperation[operation.upper()],
                    AclPermissionType.ALLOW,
                )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KafkaServer]:
    """One of this module's own: its topics have the names that Lydia's have, and hold no events."""
    limited: dict[str, str] = dict.fromkeys((*NAMES, STRANGER), PASSWORD)
    async with running(KafkaServer(tmp_path_factory.mktemp("rights"), limited=limited)) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def granted(broker: KafkaServer) -> KafkaServer:
    """The broker with the chart's topics and rights."""
    declared = yaml.safe_load(CHART.read_text())
    admin = AdminClient({"bootstrap.servers": broker.servers})
    wanted = list(bindings(declared["users"]))

    def grant() -> None:
        there = admin.list_topics(timeout=10).topics
        missing = [
            NewTopic(name, topic["partitions"], 1, config=topic["config"])
            for name, topic in declared["topics"].items()
            if name not in there
        ]
        made = admin.create_topics(missing) if missing else {}
        for future in (*made.values(), *admin.create_acls(wanted).values()):
            future.result(20)

    def known() -> bool:
        everything = AclBindingFilter(
            *(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
        )
        return set(wanted) <= set(admin.describe_acls(everything).result(20))

    await asyncio.to_thread(grant)
    await until(lambda: asyncio.to_thread(known))  # the controller has them first, and the broker a moment later
    return broker


def user(server: KafkaServer, name: str, client: str) -> Kafka:
    return Kafka.model_validate(
        {
            "bootstrap_servers": server.sasl_servers,
            "client": client,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "username": name,
            "password": PASSWORD,
            "create_topics": False,
        }
    )


async def _done(bus: Bus, topic: str, group: str) -> bool:
    return await bus.lag(topic, group) == 0


@pytest.mark.parametrize(
    ("name", "client"), [*((name, "confluent-kafka") for name in NAMES), ("speech", "kafka-python")]
)
async def test_a_service_may_do_its_work_and_nothing_else(granted: KafkaServer, name: Name, client: str) -> None:
    room = uuid.uuid4().hex
    async with (
        open_kafka(Kafka(bootstrap_servers=granted.servers)) as others,
        open_kafka(user(granted, name, client)) as bus,
    ):
        await bus.lag(*READINESS)
        assert list(await bus.disks_free()) == ["1"]
        for group, read in topics.groups_of(name).items():
            async with listening(bus, *read, group=group) as listener:
                await others.publish(*(Record(topic, room, topic.encode()) for topic in read))
                while set(listener.by_key().get(room, ())) != {topic.encode() for topic in read}:
                    await listener.count(len(listener.got) + 1)
                for topic in read:  # what other services wrote comes too
                    await until(partial(_done, bus, topic, group))
        if follows := ACCESS[name].follows:
            async with listening(bus, *follows, group=None, start="latest") as listener:
                await others.publish(*(Record(topic, room, b"1") for topic in follows))
                await listener.until(lambda: len(listener.by_key().get(room, ())) > 0)
        writes = (*ACCESS[name].writes, *map(topics.dead, reads(name)))
        await bus.publish(*(Record(topic, room, b"1") for topic in dict.fromkeys(writes)))
        foreign = next(topic for topic in topics.CARRIES if topic not in writes)
        with pytest.raises(BusUnavailable):
            await bus.publish(Record(foreign, room, b"1"))
        foreign = next(topic for topic in topics.CARRIES if topic not in reads(name))
        await others.publish(Record(foreign, room, b"1"))
        with pytest.raises(BusUnavailable):
            assert [record async for record in bus.read(foreign)] == []


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
async def test_who_may_not_ask_is_told_of_no_disk(granted: KafkaServer, client: str) -> None:
    async with open_kafka(user(granted, STRANGER, client)) as bus:
        assert await bus.disks_free() == {}
