"""The dashboards without Grafana: a whole cluster on this machine plays to an audience, and the panels are drawn.

python -m deploy.dashboards.pictures [--seconds 120] [--one-process | --without kafka triton … --no-replicas]

First all is well: a room of a simulated Douyin, and rooms in which the load harness acts. No alert may fire. Then
things go wrong on purpose, so that the panels that are empty until then have something to show.

Writes one SVG for each dashboard into deploy/dashboards/pictures, and says which panels had no data and which alerts
fired. Exit code: 0 every panel whose source is here has data, and no alert fired while all was well; 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import Progress

from deploy.dashboards.ask import Prometheus, Series
from deploy.dashboards.every import DASHBOARDS
from deploy.dashboards.panel import Panel, Query, Source
from deploy.dashboards.svg import Drawn, picture
from deploy.dashboards.trouble import Trouble
from deploy.local.cluster import OPTIONAL, RULES, cluster
from deploy.local.kafka import KafkaServer
from deploy.local.process import LocalServer, free_port, running
from deploy.local.prometheus import Prometheus as PrometheusServer
from loadtests.bench import machine
from loadtests.load.plan import Load, plan
from loadtests.load.run import run
from loadtests.load.sending import Keys
from loadtests.load.target import Target
from loadtests.process import lydia
from services.core.bus.kafka import open_kafka
from services.core.settings import PREFIX, Kafka
from services.gateway.http import PUSH_PATH
from services.gateway.simulator.app import lydia_settings
from services.gateway.simulator.main import serve
from services.gateway.simulator.options import Options
from services.places import ROOT

FOLDER = ROOT / "deploy" / "dashboards" / "pictures"
INTERVAL_S, STEP_S = 20, 2
DRAIN_S = 30.0
TROUBLE_S = 75.0
"""How long things go wrong: failed pushes are looked for every minute."""
TROUBLE = {"bad_signature": 0.3, "malformed": 0.2}
"""The simulator's faults meanwhile."""
TOKEN = "pictures-operator"  # noqa: S105 - of a cluster that ends with this program
ROOMS = {"quiet": 2, "normal": 1}
SETTINGS = {
    f"{PREFIX}SPEECH__OWN_VOICE": "fast",
    f"{PREFIX}AUTH__OPERATOR_TOKEN": TOKEN,
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
    platform: str
    """Where the simulated platform answers."""
    servers: Mapping[str, LocalServer]
    """That may be gone for a while."""
    kafka: str = ""
    """Its address, where there is one of our own."""


async def _draw(given: argparse.Namespace, console: Console) -> int:
    with tempfile.TemporaryDirectory(prefix="lydia-pictures-") as temporary:
        starting = _one_process(Path(temporary)) if given.one_process else _cluster(Path(temporary), given, console)
        async with starting as played, httpx.AsyncClient(trust_env=False) as http:
            prometheus = Prometheus(http, played.metrics, interval_s=INTERVAL_S)
            begin = time.time()
            await _show(played, http, given.seconds, console)
            unwell = await _unwell(prometheus)
            console.print(f"{TROUBLE_S:g} s of trouble")
            await _trouble(played, http)
            end = time.time()
            rooms = ", ".join(f"{count} {name}" for name, count in ROOMS.items()) + ", 1 simulated Douyin"
            at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(begin))
            told = f"{played.name} · rooms: {rooms} · fast voice · {at} · {machine()}"
            empty = await _written(prometheus, begin, end, told, played.sources, console)
            for each in (*(f"no data: {panel}" for panel in empty), *unwell):
                console.print(each, markup=False)
            return 1 if empty or unwell else 0


@asynccontextmanager
async def _one_process(folder: Path) -> AsyncIterator[_Played]:
    port, platform = free_port(), free_port()
    options = _platform(f"http://127.0.0.1:{port}", platform)
    async with (
        _simulated(options),
        lydia(folder / "data", SETTINGS | _settings(options) | {f"{PREFIX}HTTP__PORT": str(port)}) as process,
    ):
        targets = {"lydia": {"up": process.address}}
        server = PrometheusServer(folder / "prometheus", targets, rules=sorted(RULES.glob("*.yaml")))
        async with running(server):
            url, at = f"http://{process.address}", f"http://127.0.0.1:{platform}"
            yield _Played("lydia up", url, server.url, frozenset({"lydia"}), at, {})


@asynccontextmanager
async def _cluster(folder: Path, given: argparse.Namespace, console: Console) -> AsyncIterator[_Played]:
    sources: set[Source] = {"lydia"}
    if "triton" not in given.without:
        sources.add("triton")
    if not given.no_replicas:
        sources.add("ray")
    port, platform = free_port(), free_port()
    options = _platform(f"http://127.0.0.1:{port}", platform)
    async with (
        _simulated(options),
        cluster(
            folder,
            port=port,
            without={*given.without, "spans"},
            replicas=not given.no_replicas,
            settings=SETTINGS | _settings(options),
            say=lambda text: console.print(text, markup=False),
        ) as made,
    ):
        servers = {name: server for name, server in made.servers.items() if name in ("redis", "kafka", "triton")}
        broker = servers.get("kafka")
        yield _Played(
            "make cluster",
            made.url,
            made.places["metrics"],
            frozenset(sources),
            f"http://127.0.0.1:{platform}",
            servers,
            broker.servers if isinstance(broker, KafkaServer) else "",
        )


def _platform(url: str, port: int) -> Options:
    return Options(target=f"{url}{PUSH_PATH}", port=port, profile="normal")


def _settings(options: Options) -> dict[str, str]:
    """That she plays in the simulated room, as variables."""
    return {
        f"{PREFIX}DOUYIN__{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in lydia_settings(options)["douyin"].items()
    }


@asynccontextmanager
async def _simulated(options: Options) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        simulator = tasks.create_task(serve(options, tell=lambda _: None), name="simulated Douyin")
        try:
            yield
        finally:
            simulator.cancel()


async def _trouble(played: _Played, http: httpx.AsyncClient) -> None:
    async with AsyncExitStack() as stack:
        bus = None
        if played.kafka:
            bus = await stack.enter_async_context(open_kafka(Kafka(bootstrap_servers=played.kafka)))
        (await http.patch(f"{played.platform}/simulator/faults", json=TROUBLE)).raise_for_status()
        trouble = asyncio.create_task(Trouble(played.url, TOKEN, bus=bus, servers=played.servers).run())
        await asyncio.wait({trouble}, timeout=TROUBLE_S)
        trouble.cancel()
        (ended,) = await asyncio.gather(trouble, return_exceptions=True)
        if not isinstance(ended, asyncio.CancelledError):
            raise RuntimeError("no trouble could be made") from ended


async def _unwell(prometheus: Prometheus) -> list[str]:
    """What is not as it should be while all is well."""
    firing = sorted({labels["alertname"] for labels in await prometheus.firing()})
    return [*(f"fires: {name}" for name in firing), *(f"is broken: {rule}" for rule in await prometheus.broken_rules())]


async def _show(played: _Played, http: httpx.AsyncClient, seconds: float, console: Console) -> None:
    """An audience, and somebody on duty for each of its rooms."""
    planned = plan(Load(rooms=ROOMS, seconds=seconds, run="pictures", ways=("direct",)))
    headers = {"authorization": f"Bearer {TOKEN}"}

    async def duty() -> None:
        while True:
            for room in planned.rooms:
                await http.get(f"{played.url}/rooms/{room.room_id}/queue", headers=headers, timeout=20)
            await asyncio.sleep(DUTY_S)

    console_open = asyncio.create_task(duty(), name="consoles")
    target = Target(played.url.removeprefix("http://"), played.name, Keys())
    try:
        with Progress(console=console) as progress:
            await run(target, planned, processes=1, drain_s=DRAIN_S, progress=progress)
    finally:
        console_open.cancel()
        await asyncio.gather(console_open, return_exceptions=True)


async def _written(
    prometheus: Prometheus, begin: float, end: float, told: str, sources: Collection[Source], console: Console
) -> list[str]:
    """Draws everything, and returns which panels had no data."""
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
            if not lines and panel.source in sources:
                empty.append(f"{dashboard.name}: {panel.title.en}")
        path = FOLDER / f"{dashboard.name}.svg"
        path.write_text(picture(dashboard, drawn, begin, end, told), encoding="utf-8")
        console.print(f"{path.relative_to(ROOT)}: {sum(map(bool, drawn.values()))} of {len(drawn)} panels have data")
    return empty


def _named(query: Query, series: Series) -> str:
    """As Grafana names a line."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: series.labels.get(found[1], ""), query.legend).strip()


if __name__ == "__main__":
    sys.exit(main())
