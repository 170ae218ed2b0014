"""HTTP as every process of Lydia has it: where it listens, what stands before each request, health and metrics."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, PlatformCollector, ProcessCollector, generate_latest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.building.part import CannotStart
from services.core.settings import Settings
from services.core.telemetry import Telemetry
from services.gateway.http import PUSH_PATH
from services.guard import MAX_CALL_BYTES, Guard

STOP_S = 3
"""How long open connections may take to close."""
ACCEPTED_AT_ONCE = 16
"""Connections that are taken each time round the loop. libuv takes one for each listening handle (`uv__server_io` in
its unix/stream.c), so a busy loop would let callers wait in the kernel until they give up.
"""
HEAD_WITHIN_S = 10.0
"""How long a request's line and headers may take."""


class Connection(HttpToolsProtocol):
    """Closes a connection on which no request's head comes to its end: uvicorn would wait for it for ever."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._expect_nothing()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._overdue is None:
            self._overdue = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


class Server(uvicorn.Server):
    """Leaves signals to others, and says when it listens."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                log_config=None,
                lifespan="off",
                access_log=False,
                timeout_graceful_shutdown=STOP_S,
                proxy_headers=False,  # nothing here asks who the caller is
                ws="websockets-sansio",
                ws_per_message_deflate=False,  # sound and poses hardly get smaller, and it takes time
                ws_max_size=MAX_CALL_BYTES,
            )
        )
        self.up = asyncio.Event()
        self._handles: list[socket.socket] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or ():
            self._handles += [listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1)]
        await super().startup([*sockets, *self._handles] if sockets else sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown([*(sockets or ()), *self._handles])

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Hosts(TrustedHostMiddleware):
    """Answers only requests for these hosts. A platform's pushes come by the name that the platform was told, through
    whatever passes them on; they are signed, which no page can do.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PUSH_PATH:
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def application(settings: Settings, telemetry: Telemetry, not_ready: Callable[[], Awaitable[str]]) -> FastAPI:
    """An application with health and metrics, and no more yet.

    `not_ready` says why the process cannot do its work now; "" when it can.
    """
    # FastAPI's pages of documentation run a content network's scripts, which would see the console's token.
    app = FastAPI(title="Lydia", docs_url=None, redoc_url=None)
    if settings.http.private:
        # A page of another site must not reach her through a name that resolves to this machine.
        hosts = {"127.0.0.1", "localhost", "::1", "[::1]", settings.http.host}
        app.add_middleware(Hosts, allowed_hosts=sorted(hosts))
    app.add_middleware(Guard)
    registry = telemetry.metrics.registry
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"])
    async def readyz(response: Response) -> dict[str, str]:
        because = await not_ready()
        if because:
            response.status_code = 503
            return {"status": "not ready", "because": because}
        return {"status": "ready"}

    @app.get("/metrics", tags=["health"])
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


@contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before anything starts: who comes early waits. Raises CannotStart."""
    host, port = settings.http.host, settings.http.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(100)  # bound alone, a second Lydia could bind the same address
        except OSError as error:
            raise CannotStart(
                f"{host}:{port} cannot be used: {error.strerror}. {_other_address(error, port)}"
            ) from None
        yield listener


def _other_address(error: OSError, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "Stop what listens there, or choose another port: LYDIA_HTTP__PORT=" + str(
                port + 1 if port < 65_535 else 0
            )
        case errno.EACCES:
            return "Choose a port above 1023: LYDIA_HTTP__PORT=8080"
        case _:
            return "Choose an address of this machine: LYDIA_HTTP__HOST=127.0.0.1"


def address(settings: Settings, listener: socket.socket) -> str:
    """Where a program on this machine reaches her, without a path."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http.host, settings.http.host)  # noqa: S104
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
