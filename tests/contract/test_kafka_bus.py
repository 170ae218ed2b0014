"""The bus on a real Kafka keeps the contract, by either client library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.core.bus import Bus, Record
from services.core.bus.confluent import ConfluentBus
from services.core.bus.kafka import KafkaBus
from services.core.bus.kafka_python import KafkaPythonBus
from services.core.settings import Kafka
from services.core.topics import Layout
from tests.contract.bus_contract import MAX_UNFINISHED, BusContract, Connect
from tests.contract.listening import listening

SMALL = Layout(partitions=4)


class KafkaContract(BusContract):
    driver: type[KafkaBus]

    @pytest.fixture
    async def connect(self, kafka_servers: str) -> AsyncIterator[Connect]:
        async with AsyncExitStack() as stack:

            async def new_bus() -> Bus:
                return await stack.enter_async_context(
                    self.driver(
                        Kafka(bootstrap_servers=kafka_servers),
                        layout=lambda _: SMALL,
                        max_unfinished=MAX_UNFINISHED,
                        session_s=3.0,
                    )
                )

            yield new_bus

    async def test_records_that_may_wait_come_together(self, connect: Connect, topic: str) -> None:
        bus = await connect()
        loop = asyncio.get_running_loop()
        waits, at_once = [], []
        async with (
            listening(bus, topic, group=None, may_wait_s=1.0) as patient,
            listening(bus, topic, group=None) as other,
        ):
            for number in range(10):
                await bus.publish(Record(topic, "room1", b"%d" % number))
                sent = loop.time()
                await other.count(number + 1)
                at_once.append(loop.time() - sent)
                waits.append(len(patient.got))
                await asyncio.sleep(0.02)
            await patient.count(10)
        assert len(set(waits)) <= 2, "they came in two parts at most, for the time may end between two of them"
        assert sorted(at_once)[5] < 0.5, "nobody else waits for the patient"


class TestKafkaPythonBus(KafkaContract):
    driver = KafkaPythonBus


class TestConfluentBus(KafkaContract):
    driver = ConfluentBus
