"""One Kafka for the whole suite: it takes seconds to start."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.kafka import ADDRESS_VARIABLE, KafkaServer
from deploy.local.process import running
from deploy.local.tls import Tls
from tests.contract.certificates import authority

PASSWORD = "correct-horse"


@pytest.fixture(scope="session")
def kafka_tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """The certificates of the suite's Kafka, and of its clients."""
    return authority(tmp_path_factory.mktemp("tls"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_kafka(tmp_path_factory: pytest.TempPathFactory, kafka_tls: Tls) -> AsyncIterator[KafkaServer]:
    """The suite's broker."""
    folder = tmp_path_factory.mktemp("kafka")
    async with running(KafkaServer(folder, users={"lydia": PASSWORD}, tls=kafka_tls)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def kafka_server(shared_kafka: KafkaServer) -> AsyncIterator[KafkaServer]:
    """It again, for tests that run in the session's event loop and may kill and suspend it.

    One that fails between the two leaves it serving the next ones all the same.
    """
    yield shared_kafka
    if shared_kafka.running:
        shared_kafka.resume()
    else:
        await shared_kafka.start()


if os.environ.get(ADDRESS_VARIABLE):

    @pytest.fixture(scope="session")
    def kafka_servers() -> str:
        """The address of the Kafka that the environment names."""
        return os.environ[ADDRESS_VARIABLE]

else:

    @pytest.fixture(scope="session")
    def kafka_servers(shared_kafka: KafkaServer) -> str:
        """The address of the suite's Kafka."""
        return shared_kafka.servers
