"""A short, healthy show on the real cluster: every panel of our metrics and Triton's has data, and no alert fires.

The name puts it before the tests that break things: afterwards alerts would fire, and rightly.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from deploy.alerts.rules import ALERTS
from deploy.dashboards.ask import Prometheus, Series
from deploy.dashboards.every import DASHBOARDS
from deploy.local.cluster import Cluster
from deploy.local.prometheus import SCRAPE_S
from loadtests.renderer import watching
from tests.integration.cluster.test_cluster import address, client, seen, write
from tests.unit.deploy.promql import names

pytestmark = pytest.mark.asyncio(loop_scope="package")

ROOM = "panels"
HERE = ("lydia", "triton")
"""Whose metrics are scraped in this cluster."""
PLATFORM = ("lydia_douyin_", "lydia:intake:")
"""Begins of metrics that only a gateway with a platform has; deploy.dashboards.pictures plays a simulated one."""
INTERVAL_S = 300
SHOWS = 5
"""At most: two are needed, because a rate has to see a series grow."""
ASKED = 20
"""How often alerts are looked at until all are silent: a machine that has much to do may miss a moment."""


@asynccontextmanager
async def on_duty(made: Cluster) -> AsyncIterator[None]:
    """An operator's console is open, and a page that reports as pages do."""

    async def ask() -> None:
        async with (
            client(made) as http,
            connect(f"ws://{address(made)}/rooms/{ROOM}/stream", max_queue=1000) as page,
        ):
            while True:
                (await http.get(f"/rooms/{ROOM}/queue")).raise_for_status()
                await page.send(json.dumps({"played": {"drift_ms": 4.0}, "label_shown": True}))
                await asyncio.sleep(1)

    console = asyncio.create_task(ask(), name="console and page")
    try:
        yield
    finally:
        console.cancel()
        await asyncio.gather(console, return_exceptions=True)


async def show(made: Cluster) -> None:
    """A question and a gift, answered aloud."""
    async with watching(address(made), ROOM) as renderer, client(made) as http:
        gift = {"viewer": {"id": "u2", "name": "Bo"}, "gift": {"name": "玫瑰", "count": 1, "value_fen": 100}}
        given = await http.post(f"/rooms/{ROOM}/messages", json=gift)
        assert given.status_code == 202, given.text
        event_ids = [given.json()["event_id"], await write(made, ROOM, "你喜欢吃什么？")]
        for event_id in event_ids:
            await seen(renderer, lambda event_id=event_id: event_id in renderer.first_voice)  # type: ignore[misc]
        await seen(renderer, lambda: not renderer.speaking)


async def test_panels_have_data_and_alerts_are_silent_while_all_is_well(made: Cluster) -> None:
    async with httpx.AsyncClient(trust_env=False) as http, on_duty(made):
        prometheus = Prometheus(http, made.places["metrics"], interval_s=INTERVAL_S)
        wanted = {
            (board.name, panel.title.en, query.expr)
            for board in DASHBOARDS
            for panel in board.panels
            if panel.source in HERE and not panel.quiet
            for query in panel.queries
        }
        panels = [panel for board in DASHBOARDS for panel in board.panels]
        shown = {name for panel in panels for query in panel.queries for name in names(query.expr)}
        in_alerts = {name for alert in ALERTS for name in names(alert.expr) if not name.startswith(PLATFORM)}
        only_alerts = in_alerts - shown
        assert "up" in only_alerts
        wanted |= {("alerts", name, name) for name in only_alerts}
        empty = set(wanted)

        for _ in range(SHOWS):
            await show(made)
            await asyncio.sleep(2 * SCRAPE_S)
            for panel in sorted(empty):
                if await prometheus.now(panel[2]):
                    empty.discard(panel)
            if not empty:
                break
        assert sorted(empty) == [], "these have no data after the show"
        assert len(wanted) > 50
        noisy: dict[str, list[Series]] = {}
        for _ in range(ASKED):
            noisy = {alert.name: found for alert in ALERTS if (found := await prometheus.now(alert.expr))}
            if not noisy:
                break
            await asyncio.sleep(SCRAPE_S)
        assert noisy == {}
        assert await prometheus.broken_rules() == []
        assert await prometheus.firing() == []
