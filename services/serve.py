"""The composition root of `lydia serve NAME`: one service in a process of its own, over the cluster's servers."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.building.part import Part, Ports, Shared
from services.core.clock import SystemClock
from services.core.ids import RandomIds
from services.core.settings import Settings
from services.core.telemetry import Telemetry, otlp
from services.core.topics import groups_of
from services.names import Name
from services.process import Tasks, signals
from services.sampling import Sampler
from services.servers import Servers
from services.serving import Server, application

log = logging.getLogger(__name__)

HEALTH = ("/healthz", "/readyz", "/metrics")


async def serve(name: Name, settings: Settings, listener: socket.socket, listens: Callable[[], None]) -> None:
    """Runs a service until Ctrl-C or SIGTERM, and then until it has finished what it began, or `drain_s` are over.

    It answers for its health on `listener` from the first moment, which `listens` is told, and for the rest once its
    servers are there: it waits for them, however long. A second signal ends it at once.

    Raises CannotStart for what waiting does not mend; an exception group when the service dies.
    """
    life = _Life()
    processors = (otlp(settings.telemetry.otlp_endpoint),) if settings.telemetry.otlp_endpoint else ()
    telemetry = Telemetry(name, processors=processors, clock=SystemClock())
    servers = Servers(settings, name, telemetry.metrics)
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.close)

        async def not_ready() -> str:
            if life.stopping:
                return "it is stopping"
            return (await servers.look()) or ("" if life.part else "it is only just starting")

        app = application(settings, telemetry, not_ready)
        app.add_middleware(_NotYet, life=life)
        tasks = await stack.enter_async_context(Tasks())
        server = Server(app)
        serving = tasks.add(server.serve(sockets=[listener]), "http")
        await server.up.wait()
        listens()
        with signals(life.stop):
            work = asyncio.create_task(_work(name, settings, servers, telemetry, app.include_router, life))
            stopped = asyncio.create_task(life.asked.wait())
            try:
                await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if life.asked.is_set() and life.part is not None:
                    await _drained(name, life, settings.drain_s)
            finally:
                stopped.cancel()
                # Who is still connected goes before the bus does, for that is told to the other services.
                server.should_exit = True
                await serving
                if life.asked.is_set():
                    work.cancel()
                await asyncio.wait({work})
            if not work.cancelled():
                work.result()


class _Life:
    """How far a service is in its life."""

    def __init__(self) -> None:
        self.part: Part | None = None
        """Once it runs."""
        self.asked, self.urged = asyncio.Event(), asyncio.Event()
        """It is to stop; at once."""

    @property
    def stopping(self) -> bool:
        return self.asked.is_set()

    def stop(self) -> None:
        (self.urged if self.asked.is_set() else self.asked).set()


async def _work(
    name: Name,
    settings: Settings,
    servers: Servers,
    telemetry: Telemetry,
    include: Callable[..., None],
    life: _Life,
) -> None:
    """Waits for the servers, builds the service and runs it until cancelled."""
    async with AsyncExitStack() as stack:
        bus, state, models = await servers.reach(stack)
        ports = Ports(bus, state, SystemClock(), RandomIds(), telemetry, models)
        # Loaded by name, so that a process holds the code of its own service only.
        build = importlib.import_module(f"services.building.{name}").build
        built = build(settings, ports, Shared(settings, stack))
        part: Part = await built if inspect.isawaitable(built) else built
        tasks = await stack.enter_async_context(Tasks())
        sampler = Sampler(bus, state, telemetry.metrics, groups_of(name), servers.look)
        tasks.add(sampler.run(), "sampler")
        for task, service in part.runs.items():
            tasks.add(service.run(), task)
        for routes in part.routes:
            include(routes)
        # All this lives as long as the process. Looking through it for garbage would hold the room up each time.
        gc.collect()
        gc.freeze()
        await part.listening()
        part.begin()
        life.part = part
        log.info("%s is at work", name)
        await asyncio.Event().wait()


async def _drained(name: Name, life: _Life, within_s: float) -> None:
    """Lets the service finish what it began."""
    assert life.part is not None
    log.info("%s finishes what it has begun, for %g s at most", name, within_s)
    draining = asyncio.ensure_future(life.part.drain())
    urged = asyncio.create_task(life.urged.wait())
    try:
        await asyncio.wait({draining, urged}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if draining.done():
            await draining
        else:
            log.warning("%s stops before it has finished; whoever follows goes on from there", name)
    finally:
        draining.cancel()
        urged.cancel()
        await asyncio.gather(draining, urged, return_exceptions=True)


class _NotYet:
    """Answers for a service that does not run yet."""

    def __init__(self, app: ASGIApp, life: _Life) -> None:
        self._app = app
        self._life = life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._life.part is not None or scope["path"] in HEALTH or scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            told = {
                "error": "not_ready",
                "message": "this service is only just starting; /readyz says what it waits for",
            }
            await JSONResponse(told, 503, {"retry-after": "1"})(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": "only just starting"})
