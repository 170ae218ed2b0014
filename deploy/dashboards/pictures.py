"""The dashboards without Grafana: a whole cluster on this machine plays to an audience, and the panels are drawn.

python -m deploy.dashboards.pictures [--seconds 120] [--one-process | --without kafka triton … --no-replicas]

Writes one SVG for each dashboard into deploy/dashboards/pictures, and says which panels had no data and which alerts
fired. Exit code: 0 every panel that can have data here has some, and no alert fires; 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import Progress

from deploy.alerts.rules import ALERTS
from deploy.dashboards.ask import Prometheus, Series
from deploy.dashboards.every import DASHBOARDS
from deploy.dashboards.panel import Panel, Query, Source
from deploy.dashboards.svg import Drawn, picture
from deploy.local.cluster import OPTIONAL, RULES, cluster
from deploy.local.process import free_port, running
from deploy.local.prometheus import Prometheus as PrometheusServer
from loadtests.bench import machine
from loadtests.load.plan import Load, plan
from loadtests.load.run import run
from loadtests.load.sending import Keys
from loadtests.load.target import PUSH_SECRETS, Target
from loadtests.process import lydia
from services.core.settings import PREFIX
from services.places import ROOT

FOLDER = ROOT / "deploy" / "dashboards" / "pictures"
INTERVAL_S, STEP_S = 20, 2
DRAIN_S = 30.0
TOKEN = "pictures-operator"  # noqa: S105 - of a cluster that ends with this program
ROOMS = {"quiet": 2, "normal": 1}
SETTINGS = {
    f"{PREFIX}SPEECH__OWN_VOICE": "fast",
    f"{PREFIX}AUTH__OPERATOR_TOKEN": TOKEN,
    f"{PREFIX}DOUYIN__PUSH_SECRETS": str(PUSH_SECRETS),
    f"{PREFIX}STAGE__MAX_ROOMS": "2000",
}
DUTY_S = 5.0
"""How often the console of each room asks, as a page does."""


def main() -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.dashboards.pictures", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=120, help="how long the audience acts (%(default)s)")
    parser.add_argument("--without", default=[], nargs="+", choices=[o for o in OPTIONAL if o != "prometheus"])
    parser.add_argument("--no-replicas", action="store_true", help="audience decides in its own process, without Ray")
    parser.add_argument("--one-process", action="store_true", help="`lydia up` instead of a cluster")
    given = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    return asyncio.run(_draw(given, console))


@dataclass(frozen=True)
class _Played:
    """Whom the audience plays to."""

    name: str
    url: str
    metrics: str
    """Where its Prometheus answers."""
    sources: frozenset[Source]


async def _draw(given: argparse.Namespace, console: Console) -> int:
    with tempfile.TemporaryDirectory(prefix="lydia-pictures-") as temporary:
        starting = _one_process(Path(temporary)) if given.one_process else _cluster(Path(temporary), given, console)
        async with starting as played, httpx.AsyncClient(trust_env=False) as http:
            prometheus = Prometheus(http, played.metrics, interval_s=INTERVAL_S)
            begin = time.time()
            await _show(played, http, given.seconds, console)
            end = time.time()
            rooms = ", ".join(f"{count} {name}" for name, count in ROOMS.items())
            at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(begin))
            told = f"{played.name} · rooms: {rooms} · fast voice · {at} · {machine()}"
            return await _written(prometheus, begin, end, told, played.sources, console)


@asynccontextmanager
async def _one_process(folder: Path) -> AsyncIterator[_Played]:
    async with lydia(folder / "data", SETTINGS) as process:
        targets = {"lydia": {"up": process.address}}
        server = PrometheusServer(folder / "prometheus", targets, rules=sorted(RULES.glob("*.yaml")))
        async with running(server):
            yield _Played("lydia up", f"http://{process.address}", server.url, frozenset({"lydia"}))


@asynccontextmanager
async def _cluster(folder: Path, given: argparse.Namespace, console: Console) -> AsyncIterator[_Played]:
    sources: set[Source] = {"lydia"}
    if "triton" not in given.without:
        sources.add("triton")
    if not given.no_replicas:
        sources.add("ray")
    async with cluster(
        folder,
        port=free_port(),
        without={*given.without, "spans"},
        replicas=not given.no_replicas,
        settings=SETTINGS,
        say=lambda text: console.print(text, markup=False),
    ) as made:
        yield _Played("make cluster", made.url, made.places["metrics"], frozenset(sources))


async def _show(played: _Played, http: httpx.AsyncClient, seconds: float, console: Console) -> None:
    """An audience, and somebody on duty for each of its rooms."""
    planned = plan(Load(rooms=ROOMS, seconds=seconds, run="pictures"))
    headers = {"authorization": f"Bearer {TOKEN}"}

    async def duty() -> None:
        while True:
            for room in planned.rooms:
                await http.get(f"{played.url}/rooms/{room.room_id}/queue", headers=headers, timeout=20)
            await asyncio.sleep(DUTY_S)

    console_open = asyncio.create_task(duty(), name="consoles")
    target = Target(played.url.removeprefix("http://"), played.name, Keys(push_secrets=PUSH_SECRETS))
    try:
        with Progress(console=console) as progress:
            await run(target, planned, processes=1, drain_s=DRAIN_S, progress=progress)
    finally:
        console_open.cancel()
        await asyncio.gather(console_open, return_exceptions=True)


async def _written(
    prometheus: Prometheus, begin: float, end: float, told: str, sources: Collection[Source], console: Console
) -> int:
    FOLDER.mkdir(exist_ok=True)
    empty = []
    for dashboard in DASHBOARDS:
        drawn: dict[Panel, Drawn] = {}
        for panel in dashboard.panels:
            lines = [
                (_named(query, series), series)
                for query in panel.queries
                for series in await prometheus.over(query.expr, begin, end, STEP_S)
            ]
            drawn[panel] = lines
            if not lines and not panel.quiet and panel.source in sources:
                empty.append(f"{dashboard.name}: {panel.title.en}")
        path = FOLDER / f"{dashboard.name}.svg"
        path.write_text(picture(dashboard, drawn, begin, end, told), encoding="utf-8")
        console.print(f"{path.relative_to(ROOT)}: {sum(map(bool, drawn.values()))} of {len(drawn)} panels have data")
    firing = sorted({labels["alertname"] for labels in await prometheus.firing()})
    pending = [alert.name for alert in ALERTS if await prometheus.now(alert.expr)]
    broken = await prometheus.broken_rules()
    for what, found in (
        ("no data", empty),
        ("fires", firing),
        ("holds at this moment", pending),
        ("is broken", broken),
    ):
        for each in found:
            console.print(f"{what}: {each}", markup=False)
    return 1 if empty or firing or broken else 0


def _named(query: Query, series: Series) -> str:
    """As Grafana names a line."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: series.labels.get(found[1], ""), query.legend).strip()


if __name__ == "__main__":
    sys.exit(main())
