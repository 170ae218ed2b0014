"""What is measured: a Lydia that is started for it, or one that runs already."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.local.cluster import LYDIA, cluster
from deploy.local.process import ServerFailed, free_port
from loadtests.load.sending import Keys
from loadtests.process import lydia
from loadtests.spans import Collector, collecting
from services.core.settings import PREFIX
from services.gateway.douyin_items import TYPE_OF_KIND

PUSH_SECRETS = {name: f"load-secret-{name}" for name in TYPE_OF_KIND.values()}
"""Of a target that the harness starts."""


class Unreachable(Exception):
    """There is nothing to measure; the text says why, and what to do."""


@dataclass(frozen=True)
class Target:
    """Where it is, how to get in, and who collects its traces."""

    address: str
    name: str
    keys: Keys
    collector: Collector | None = None


@asynccontextmanager
async def started(
    *, voice: str, speed: float, traced: bool, module: str = LYDIA, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Target]:
    """A Lydia of our own on a free port, with fresh data; she does not talk by herself."""
    async with (
        _prepared(voice, speed, traced, settings) as (folder, wanted, collector),
        lydia(folder / "data", wanted, module=module) as process,
    ):
        name = f"lydia up, voice {voice}, speed {speed:g}, no talk by herself"
        yield Target(process.address, name, Keys(push_secrets=PUSH_SECRETS), collector)


@asynccontextmanager
async def clustered(
    *, voice: str, speed: float, traced: bool, module: str = LYDIA, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Target]:
    """The same as a cluster: Kafka, Redis, Triton and each service as its own process. Raises Unreachable."""
    async with _prepared(voice, speed, traced, settings) as (folder, wanted, collector), AsyncExitStack() as stack:
        given = wanted | {f"{PREFIX}DATA_DIR": str(folder / "data")}
        without, port = ("prometheus", "spans"), free_port()
        try:
            made = await stack.enter_async_context(
                cluster(folder, port=port, without=without, settings=given, module=module)
            )
        except ServerFailed as error:
            raise Unreachable(f"the cluster did not start: {error}") from None
        name = f"a cluster on this machine, voice {voice}, speed {speed:g}, no talk by herself"
        yield Target(made.url.removeprefix("http://"), name, Keys(push_secrets=PUSH_SECRETS), collector)


@asynccontextmanager
async def _prepared(
    voice: str, speed: float, traced: bool, settings: Mapping[str, str] | None
) -> AsyncIterator[tuple[Path, dict[str, str], Collector | None]]:
    """A folder for what is started, its settings, and who collects its traces."""
    wanted = {
        f"{PREFIX}SPEECH__OWN_VOICE": voice,
        f"{PREFIX}STAGE__SPEED": f"{speed:g}",
        f"{PREFIX}STAGE__MAX_ROOMS": "2000",
        f"{PREFIX}AUDIENCE__QUIET_S": "3600",
        f"{PREFIX}DOUYIN__PUSH_SECRETS": str(PUSH_SECRETS),
        **(settings or {}),
    }
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lydia-load-"))
        collector = await stack.enter_async_context(collecting()) if traced else None
        if collector is not None:
            wanted |= {f"{PREFIX}TELEMETRY__OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "500"}
        yield Path(folder), wanted, collector


@asynccontextmanager
async def running(address: str, keys: Keys, *, collect: int | None = None) -> AsyncIterator[Target]:
    """One that runs already, at host:port, and sends its spans to our port `collect`, if that is given.

    Raises Unreachable.
    """
    address = address.removeprefix("http://").rstrip("/")
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            ready = await client.get(f"http://{address}/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"nobody answers at {address} ({type(error).__name__}): give host:port of a running Lydia"
        ) from None
    if ready.status_code != 200:
        raise Unreachable(f"{address} is not ready: /readyz answers {ready.status_code}")
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(collecting(collect)) if collect else None
        yield Target(address, address, keys, collector)
