"""The whole cluster with her audience in replicas on Ray Serve: one trace all the way, and Ray's panels have data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from deploy.dashboards.ask import Prometheus
from deploy.dashboards.every import DASHBOARDS
from deploy.local.cluster import Cluster, cluster
from deploy.local.process import free_port
from deploy.local.prometheus import SCRAPE_S
from tests.integration.cluster.conftest import TOKEN
from tests.integration.cluster.test_cluster import answered, one_trace

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTERVAL_S = 300
SHOWS = 5
"""At most: two are needed, because a rate has to see a series grow."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    folder = tmp_path_factory.mktemp("replicas")
    settings = {
        "LYDIA_SPEECH__OWN_VOICE": "fast",
        "LYDIA_AUTH__OPERATOR_TOKEN": TOKEN,
        "LYDIA_DATA_DIR": str(folder / "data"),
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    async with cluster(folder, port=free_port(), replicas=True, settings=settings) as made:
        yield made


async def test_one_message_is_one_trace_through_a_replica_and_triton(made: Cluster) -> None:
    await one_trace(made)


async def test_the_panels_of_ray_have_data(made: Cluster) -> None:
    empty = {
        (panel.title.en, query.expr)
        for board in DASHBOARDS
        for panel in board.panels
        if panel.source == "ray"
        for query in panel.queries
    }
    assert len(empty) >= 8
    async with httpx.AsyncClient(trust_env=False) as http:
        prometheus = Prometheus(http, made.places["metrics"], interval_s=INTERVAL_S)
        for _ in range(SHOWS):
            await answered(made, "panels", "你喜欢什么季节？")
            await asyncio.sleep(2 * SCRAPE_S)
            for panel in sorted(empty):
                if await prometheus.now(panel[1]):
                    empty.discard(panel)
            if not empty:
                break
    assert empty == set()
