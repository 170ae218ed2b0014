"""The bus on a real Kafka keeps the contract, by either client library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.core.bus import Bus
from services.core.bus.confluent import ConfluentBus
from services.core.bus.kafka import KafkaBus
from services.core.bus.kafka_python import KafkaPythonBus
from services.core.settings import Kafka
from services.core.topics import Layout
from tests.contract.bus_contract import MAX_UNFINISHED, BusContract, Connect

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


class TestKafkaPythonBus(KafkaContract):
    driver = KafkaPythonBus


class TestConfluentBus(KafkaContract):
    driver = ConfluentBus
