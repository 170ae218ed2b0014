"""A whole cluster on this machine: the real servers, every service as a process of its own, and a front before them."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.local.front import Front
from deploy.local.kafka import kafka_server
from deploy.local.process import NO_TLS, LocalServer, ServerFailed, free_port
from deploy.local.prometheus import Prometheus
from deploy.local.ray import ray_serve
from deploy.local.redis import RedisServer
from deploy.local.slow import SlowWay
from deploy.local.spans import Spans, collecting
from deploy.local.triton import triton
from services.building.chat import NETWORK
from services.core.inference.triton_repository import lay_out, models
from services.core.settings import PREFIX, load
from services.names import NAMES, Name
from services.places import ROOT, VOICE
from services.speech.natural.files import HASHES
from services.speech.service import NATURAL

RULES = ROOT / "charts" / "lydia" / "files" / "rules"
"""The alerts, as a cluster of Kubernetes has them."""
OPTIONAL = ("kafka", "triton", "prometheus", "spans")
"""What a cluster can be without: Redis carries the events too, services have their models in their own processes."""
PARTITIONS = 4
"""Of each topic: as many processes of a service as a machine may have. More of them cost each request time."""
REPLICA_CPUS = "0.1"
"""What a replica of the audience reserves, so that several find room on a small machine."""
LYDIA = "services.cli"
"""What `lydia` runs."""
READY_S = 180.0
"""How long services may take until all are ready."""
LOOK_S = 0.25
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Wait before a server is started again, by how often in a row it died within SOUND_S."""
SOUND_S = 30.0


@dataclass
class Cluster:
    """A running one. Ports and data of everything in it stay over restarts."""

    url: str
    services: dict[Name, LocalServer]
    ports: dict[Name, int]
    servers: dict[str, LocalServer] = field(default_factory=dict)
    """Everything that is no service of Lydia's, by name: kafka, redis, triton, prometheus, front."""
    spans: Spans | None = None
    places: dict[str, str] = field(default_factory=dict)
    """What else a person may look at."""

    async def unready(self) -> dict[Name, str]:
        """Services that are not ready, and why."""
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=20) as client:

            async def because(port: int) -> str | None:
                try:
                    answer = await client.get(f"http://127.0.0.1:{port}/readyz")
                except httpx.HTTPError as error:
                    return f"it does not answer ({type(error).__name__})"
                return None if answer.status_code == 200 else str(answer.json().get("because", ""))

            told = await asyncio.gather(*map(because, self.ports.values()))
        return {name: why for name, why in zip(self.ports, told, strict=True) if why is not None}

    async def watch(self, say: Callable[[str], None]) -> None:
        """Starts again what dies, after a while when that happens often, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for server in (*self.servers.values(), *self.services.values()):
                tasks.create_task(_keep(server, say), name=f"watch {server.name}")


async def _keep(server: LocalServer, say: Callable[[str], None]) -> None:
    failures = 0
    while True:
        begun = time.monotonic()
        await server.ended()
        if time.monotonic() - begun > SOUND_S:
            failures = 0
        wait = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
        say(f"{server.name} has died; starting it again in {wait:g} s. Its log: {server.log}")
        failures += 1
        await asyncio.sleep(wait)
        try:
            took = await server.start()
        except (ServerFailed, OSError) as error:
            say(str(error).splitlines()[0])
        else:
            say(f"{server.name} is there again ({took:.1f} s)")


@asynccontextmanager
async def cluster(
    folder: Path,
    *,
    port: int,
    host: str = "127.0.0.1",
    without: Collection[str] = (),
    replicas: bool = False,
    settings: Mapping[str, str] | None = None,
    way_to_redis: SlowWay | None = None,
    module: str = LYDIA,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Cluster]:
    """Starts everything, and yields when all services are ready. `folder` keeps data and logs.

    `settings` are `LYDIA_…` variables for every service. With `replicas`, audience decides in replicas on Ray Serve
    and its service is the bridge to them. With `way_to_redis` everybody reaches Redis by it. `module`
    takes the place of the services' command line. At the end the services
    drain one after another, in the order of the data's way, then the servers stop. Raises ServerFailed.
    """
    logs = folder / "logs"
    ports = {name: free_port() for name in NAMES}
    given = dict(settings or {})
    made = Cluster(f"http://{f'[{host}]' if ':' in host else host}:{port}", {}, ports)

    async with AsyncExitStack() as stack:

        async def begin(name: str, server: LocalServer) -> None:
            stack.push_async_callback(_stop, server, say)
            took = await server.start()
            made.servers[name] = server
            say(f"{server.name} is there ({took:.1f} s)")

        redis = RedisServer(folder / "redis")
        given |= {"LYDIA_REDIS__URL": redis.url, "LYDIA_BUS": "redis"}
        if way_to_redis is not None:
            way_to_redis.target = redis.port
            given["LYDIA_REDIS__URL"] = f"redis://127.0.0.1:{way_to_redis.port}"
        if "spans" not in without:
            made.spans = await stack.enter_async_context(collecting())
            given.setdefault("LYDIA_TELEMETRY__OTLP_ENDPOINT", made.spans.endpoint)
            made.places["traces"] = made.spans.endpoint
        await begin("redis", redis)
        if "kafka" not in without:
            broker = kafka_server(folder / "kafka")
            if broker.server is not None:
                await begin("kafka", broker.server)
                given.setdefault("LYDIA_KAFKA__PARTITIONS", str(PARTITIONS))
            given |= {"LYDIA_BUS": "kafka", "LYDIA_KAFKA__BOOTSTRAP_SERVERS": broker.servers}
        scraped: dict[str, dict[str, str]] = {
            "lydia": {name: f"127.0.0.1:{at}" for name, at in ports.items()},
        }
        if "triton" not in without:
            say("Triton loads the models")
            repository = folder / "models"
            shutil.rmtree(repository, ignore_errors=True)
            lay_out(repository, configurations=[path for name, path in models().items() if name not in _unused(given)])
            begun = time.monotonic()
            served = await stack.enter_async_context(
                triton(
                    folder / "triton",
                    repository,
                    environment=given,
                    otlp_endpoint=given.get("LYDIA_TELEMETRY__OTLP_ENDPOINT", ""),
                )
            )
            made.servers["triton"] = served.server
            say(f"Triton is there ({time.monotonic() - begun:.1f} s)")
            given["LYDIA_TRITON__SERVERS"] = f"[{served.grpc}]"
            scraped["triton"] = {"triton": served.metrics}
        if replicas:
            say("Ray Serve starts the audience's replicas")
            begun = time.monotonic()
            ray = await stack.enter_async_context(
                ray_serve(folder / "ray", environment={"LYDIA_RAY__CPUS": REPLICA_CPUS} | given)
            )
            made.servers["ray"] = ray.server
            say(f"Ray Serve is there ({time.monotonic() - begun:.1f} s)")
            given["LYDIA_RAY__URL"] = made.places["replicas"] = ray.url
            scraped["ray"] = {"ray": ray.metrics}
        prometheus_port = None
        if "prometheus" not in without:
            prometheus = Prometheus(folder / "prometheus", scraped, rules=sorted(RULES.glob("*.yaml")))
            await begin("prometheus", prometheus)
            prometheus_port = prometheus.port
            made.places["metrics"] = prometheus.url
        front = Front(folder / "front", host=host, port=port, services=ports, prometheus_port=prometheus_port)
        await begin("front", front)

        made.services = {name: service(name, ports[name], logs, given, module=module) for name in NAMES}
        for name in reversed(NAMES):  # they stop in their order, each when the one before it has drained
            stack.push_async_callback(_stop, made.services[name], say)
        begun = time.monotonic()
        await asyncio.gather(*(each.start() for each in made.services.values()))
        await _all_ready(made)
        say(f"the services are ready ({time.monotonic() - begun:.1f} s)")
        yield made


def _unused(given: Mapping[str, str]) -> set[str]:
    """Models that nobody would ask for, or that could not load."""
    settings = load(os.environ | dict(given))
    speaks = settings.speech.own_voice != "fast" and (settings.speech.own_network or (VOICE / HASHES).is_file())
    return (set() if speaks else {NATURAL}) | (set() if settings.chat.network else {NETWORK})


async def _stop(server: LocalServer, say: Callable[[str], None]) -> None:
    if server.running:
        begun = time.monotonic()
        await server.stop()
        say(f"{server.name} has stopped ({time.monotonic() - begun:.1f} s)")


async def _all_ready(made: Cluster) -> None:
    until = time.monotonic() + READY_S
    while missing := await made.unready():
        for name in missing:
            if not made.services[name].running:
                await made.services[name].wait_ready()  # says how it ended
        if time.monotonic() > until:
            told = "; ".join(f"{name}: {because}" for name, because in missing.items())
            raise ServerFailed(f"not ready after {READY_S:g} s: {told}")
        await asyncio.sleep(LOOK_S)


def service(
    name: Name, port: int, logs: Path, settings: Mapping[str, str], *, drain_s: float = 25.0, module: str = LYDIA
) -> LocalServer:
    """`lydia serve NAME` on a port of the loopback interface. It counts as started when it answers for its health."""

    async def alive() -> bool:
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
            except httpx.HTTPError:
                return False

    environment = dict(settings) | {
        f"{PREFIX}HTTP__HOST": "127.0.0.1",
        f"{PREFIX}HTTP__PORT": str(port),
        f"{PREFIX}DRAIN_S": f"{drain_s:g}",
        f"{PREFIX}KAFKA__INSTANCE": name,  # so that after a kill it has its partitions back at once
        "PYTHONPATH": str(ROOT),
    }
    return LocalServer(
        name,
        (sys.executable, "-m", module, "serve", name),
        answers=alive,
        log=logs / f"{name}.log",
        environment=environment,
        start_timeout_s=READY_S,
        stop_timeout_s=drain_s + 10,
    )
