"""The composition root of `lydia up`: every service in one process, over an embedded Redis.

With `services.serve` the only place that knows where anything runs. Services get their ports and never ask.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import FastAPI

from services.building import audience, chat, gateway, motion, speech, stage
from services.building.part import Part, Ports, Shared
from services.core import topics
from services.core.bus.port import Bus, BusUnavailable
from services.core.bus.redis_streams import RedisBus
from services.core.clock import SystemClock
from services.core.embedded_redis import embedded_redis
from services.core.ids import RandomIds
from services.core.metrics import Metrics
from services.core.settings import Settings
from services.core.state.port import Put, State, StateUnavailable
from services.core.state.redis_state import RedisState
from services.core.telemetry import Telemetry, otlp
from services.operators import operator_token, token_path
from services.process import Tasks, signals
from services.sampling import Sampler
from services.serving import Server, address, application


@dataclass(frozen=True)
class Addresses:
    """Where people click."""

    stage: str
    console: str
    opened_console: str
    """The same with the operator's token: a secret."""
    token_from: str
    """Where the token is to be found."""
    rungs: dict[str, str]


async def up(settings: Settings, listener: socket.socket, ready: Callable[[Addresses], None]) -> None:
    """Runs Lydia on `listener` until Ctrl-C, SIGTERM or a closed terminal. `ready` is called once everything answers.

    Raises CannotStart, RedisFailed before anything has been taken in; an exception group when a service dies.
    """
    running = asyncio.current_task()
    assert running is not None
    stop, started = asyncio.Event(), False

    def stopped() -> None:
        if not stop.is_set() and not started:
            running.cancel()
        stop.set()

    with signals(stopped), suppress(_StoppedEarly):
        try:
            async with _services(settings) as (app, tasks, rungs):
                server = Server(app)
                serving = tasks.add(server.serve(sockets=[listener]), "http")
                await server.up.wait()
                started = True
                ready(addresses(settings, address(settings, listener), rungs))
                await stop.wait()
                server.should_exit = True
                await serving
        except asyncio.CancelledError:
            if stop.is_set():
                raise _StoppedEarly from None
            raise


class _StoppedEarly(Exception):
    """Somebody stopped her before she had started."""


@asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[tuple[FastAPI, Tasks, dict[str, str]]]:
    """Everything but the server, running."""
    processors = (otlp(settings.telemetry.otlp_endpoint),) if settings.telemetry.otlp_endpoint else ()
    telemetry = Telemetry("up", processors=processors, clock=SystemClock())
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.close)
        redis = await stack.enter_async_context(embedded_redis(settings.data_dir))
        bus = await stack.enter_async_context(RedisBus(redis, partitions=1))
        state = await stack.enter_async_context(RedisState(redis))
        ports = Ports(bus, state, SystemClock(), RandomIds(), telemetry)
        shared = Shared(settings, stack)
        parts: dict[str, Part] = {
            "speech": await speech.build(settings, ports, shared),  # first: its processes start meanwhile
            "audience": audience.build(settings, ports, shared),
            "stage": stage.build(settings, ports, shared),
            "chat": await chat.build(settings, ports, shared),
            "motion": motion.build(settings, ports, shared),
            "gateway": gateway.build(settings, ports, shared),
        }
        tasks = await stack.enter_async_context(Tasks())
        app = application(settings, telemetry, lambda: _not_ready(bus, state, telemetry.metrics))
        metrics = telemetry.metrics
        sampler = Sampler(bus, state, metrics, topics.READERS, lambda: _not_ready(bus, state, metrics))
        tasks.add(sampler.run(), "sampler")
        for part in parts.values():
            for name, service in part.runs.items():
                tasks.add(service.run(), name)
            for routes in part.routes:
                app.include_router(routes)
        # All this lives as long as the process. Looking through it for garbage would hold the room up each time.
        gc.collect()
        gc.freeze()
        for part in parts.values():
            await part.listening()
            part.begin()
        yield app, tasks, {name: parts[name].rung for name in ("chat", "speech", "motion")}


async def _not_ready(bus: Bus, state: State, metrics: Metrics) -> str:
    try:
        # A change, because a full disk or memory lets her read as if nothing were wrong.
        await state.apply(Put("ready", b"1", ttl_s=60))
        await bus.lag(topics.AUDIENCE, "audience")
    except (BusUnavailable, StateUnavailable) as error:
        metrics.reachable.labels("redis").set(0)
        return str(error)
    metrics.reachable.labels("redis").set(1)
    return ""


def addresses(settings: Settings, base: str, rungs: dict[str, str]) -> Addresses:
    """Where people click, when everything answers at `base`."""
    token = quote(operator_token(settings).get_secret_value(), safe="")
    return Addresses(
        stage=f"{base}/rooms/{settings.room}",
        console=f"{base}/console",
        opened_console=f"{base}/console#token={token}",
        token_from=str(token_path(settings)) if settings.auth.operator_token is None else "auth.operator_token",
        rungs=rungs,
    )
