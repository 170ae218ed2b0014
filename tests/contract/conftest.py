"""One Kafka for the whole suite: it takes seconds to start."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.kafka import kafka


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of the Kafka that the environment names, or of one that is started."""
    async with kafka(tmp_path_factory.mktemp("kafka")) as servers:
        yield servers
