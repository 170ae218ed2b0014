"""Panels that are empty while all is well have data when something is not.

The name puts it behind the tests that look at a cluster in which nothing was broken a moment ago.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack

import httpx
import pytest

from deploy.dashboards.ask import Prometheus
from deploy.dashboards.every import DASHBOARDS
from deploy.dashboards.trouble import Trouble
from deploy.local.cluster import Cluster
from deploy.local.kafka import KafkaServer
from deploy.local.prometheus import SCRAPE_S
from services.core.bus.kafka import open_kafka
from services.core.settings import Kafka
from tests.contract.listening import until
from tests.integration.cluster.conftest import TOKEN
from tests.integration.cluster.test_alerts_and_panels import HERE, INTERVAL_S

pytestmark = pytest.mark.asyncio(loop_scope="package")

TROUBLE_S = 90.0
"""How long things go wrong at most."""
PLATFORM = ("Found in the platform's failed data", "Reports to the platform")
"""Panels whose platform is not here: deploy.dashboards.pictures has a simulated one."""


async def test_panels_that_are_empty_while_all_is_well_have_data_when_something_is_not(made: Cluster) -> None:
    broker = made.servers.get("kafka")
    brokers = broker.servers if isinstance(broker, KafkaServer) else os.environ["LYDIA_KAFKA_BOOTSTRAP_SERVERS"]
    servers = {name: server for name, server in made.servers.items() if name in ("redis", "triton")}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        prometheus = Prometheus(http, made.places["metrics"], interval_s=INTERVAL_S)
        bus = await stack.enter_async_context(open_kafka(Kafka(bootstrap_servers=brokers)))
        empty = {
            (board.name, panel.title.en, query.expr)
            for board in DASHBOARDS
            for panel in board.panels
            if panel.source in HERE and panel.quiet and panel.title.en not in PLATFORM
            for query in panel.queries
        }
        assert len(empty) >= 15
        trouble = asyncio.create_task(Trouble(made.url, TOKEN, bus=bus, servers=servers).run(), name="trouble")
        try:
            async with asyncio.timeout(TROUBLE_S):
                while empty:
                    await asyncio.sleep(SCRAPE_S)
                    assert not trouble.done()
                    for panel in sorted(empty):
                        if await prometheus.now(panel[2]):
                            empty.discard(panel)
        except TimeoutError:
            assert sorted(empty) == [], "these have no data"
        finally:
            trouble.cancel()
            await asyncio.gather(trouble, return_exceptions=True)

        async def all_ready() -> bool:
            return not await made.unready()

        await until(all_ready)
