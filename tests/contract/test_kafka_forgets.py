"""A broker that says for a moment that its cluster has no brokers: whoever reads and writes goes on afterwards."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from deploy.local.kafka import KafkaServer
from deploy.local.process import running
from services.core.bus import BusUnavailable, Record
from services.core.bus.confluent import ConfluentBus
from services.core.bus.kafka import KafkaBus
from services.core.bus.kafka_python import KafkaPythonBus
from services.core.settings import Kafka
from services.core.topics import Layout
from tests.contract.forgetful import ForgetfulWay, forgetful_way
from tests.contract.listening import Listener, listening, until
from tests.contract.test_kafka_faults import insist

CUTS, EVERY_S = 12, 0.4
"""So often connections end, so that every client asks once at least: nothing in a request tells them apart. After one
cut alone readers might not ask, and would pass without a mend.
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def way(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ForgetfulWay]:
    """The only way to a broker."""
    async with forgetful_way() as way:
        server = KafkaServer(tmp_path_factory.mktemp("kafka"), told_port=way.port)
        way.target = server.port
        async with running(server):
            yield way


@pytest.mark.parametrize("driver", [KafkaPythonBus, ConfluentBus])
async def test_readers_writers_and_questions_go_on_when_a_broker_forgot_its_cluster_for_a_moment(
    way: ForgetfulWay, driver: type[KafkaBus]
) -> None:
    topic = f"lydia.test.{uuid.uuid4().hex}"
    settings = Kafka(bootstrap_servers=f"127.0.0.1:{way.port}")
    async with (
        driver(settings, layout=lambda _: Layout(partitions=4), session_s=3.0, timeout_s=3.0) as bus,
        listening(bus, topic, group=f"{topic}.g") as member,
        listening(bus, topic, group=None) as alone,
        listening(bus, topic, group=None, start="latest") as late,
    ):
        await bus.publish(*[Record(topic, f"room{number}", b"before") for number in range(8)])
        for listener in (member, alone, late):
            await listener.count(8)

        way.forgot, way.forgetful = 0, True
        for _ in range(CUTS):
            way.cut()
            await asyncio.sleep(EVERY_S)
        assert way.forgot >= CUTS
        way.forgetful = False

        await insist(bus, *[Record(topic, f"room{number}", b"after") for number in range(8)])
        for listener in (member, alone, late):
            await listener.until(partial(_heard_after, listener))
        assert alone.values.count(b"before") == 8, "who reads alone goes on where it was"
        assert late.values.count(b"before") == 8
        await until(lambda: _answers(bus, topic))


def _heard_after(listener: Listener) -> bool:
    return listener.values.count(b"after") >= 8


async def _answers(bus: KafkaBus, topic: str) -> bool:
    """Whether what is asked on the side is answered too."""
    try:
        return await bus.copies_missing(topic) == 0
    except BusUnavailable:
        return False
