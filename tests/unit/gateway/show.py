"""The simulated platform and Lydia's gateway, joined in memory; both on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx
from fastapi import FastAPI

from services.core.clock import LoopClock
from services.core.events import AudienceEvent
from services.core.ids import SeededIds
from services.core.settings import Douyin as DouyinSettings
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.gateway.direct import Direct
from services.gateway.douyin_service import Douyin
from services.gateway.http import PUSH_PATH, router
from services.gateway.service import Gateway
from services.gateway.simulator.app import build
from services.gateway.simulator.main import demo_settings
from services.gateway.simulator.options import Options
from services.gateway.simulator.platform import Platform
from services.gateway.simulator.push import Pusher
from tests.unit.gateway.world import TroubledBus


class Network(httpx.AsyncBaseTransport):
    """Brings requests to apps by host name; a host without an app cannot be reached."""

    def __init__(self) -> None:
        self.hosts: dict[str, Any] = {}
        """ASGI apps."""
        self.calls: list[tuple[str, str]] = []
        self.away: set[str] = set()
        """Ends of paths that cannot be reached."""
        self.silent: set[str] = set()
        """Ends of paths that never answer."""
        self.refused: dict[str, int] = {}
        """Message types whose failed data the app may not fetch, with the code that says so."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append((request.method, request.url.path))
        if request.url.path.endswith(tuple(self.silent)):
            await asyncio.sleep(86_400)
        if request.url.host not in self.hosts or request.url.path.endswith(tuple(self.away)):
            raise httpx.ConnectError("unreachable", request=request)
        refused = self.refused.get(request.url.params.get("msg_type", ""))
        if refused and request.url.path.endswith("/fail_data/get"):
            return httpx.Response(200, json={"err_no": refused, "err_msg": "refused", "data": {}})
        return await httpx.ASGITransport(self.hosts[request.url.host]).handle_async_request(request)

    def count(self, ending: str) -> int:
        """How many calls went to paths that end so."""
        return sum(path.endswith(ending) for _, path in self.calls)


class Show:
    """Construct it inside the running loop. `settings` change Lydia's for Douyin."""

    def __init__(self, options: Options | None = None, **settings: Any) -> None:
        options = options or Options(unfiltered=True)
        self.options = replace(options, target=f"http://lydia{PUSH_PATH}", host="platform", port=80)
        self.settings = DouyinSettings.model_validate({**demo_settings(self.options)["douyin"], **settings})
        self.clock, self.bus, self.ids = LoopClock(), TroubledBus(), SeededIds(3)
        self.state = MemoryState(self.clock)
        self.network = Network()
        self.http = httpx.AsyncClient(transport=self.network)
        self.platform = Platform(self.options, self.clock, self.ids)
        self.pusher = Pusher(self.platform, self.clock, self.ids, self.http)
        self.network.hosts["platform"] = build(self.platform, self.pusher, self.ids)

    @asynccontextmanager
    async def lydia(self) -> AsyncIterator[Douyin]:
        """Lydia's gateway from start to end; a second one takes over bus and state, as after a crash."""
        telemetry = Telemetry("gateway")
        gateway = self.gateway = Gateway(self.bus, self.clock, telemetry)
        room = self.options.room_id
        douyin = Douyin(
            self.settings, gateway, self.bus, self.state, self.clock, telemetry, lambda: self.http, room_id=room
        )
        app = FastAPI()
        app.include_router(router(gateway, Direct(self.ids), self.clock, telemetry, douyin=douyin.receiver))
        self.network.hosts["lydia"] = app
        work = asyncio.create_task(douyin.run())
        try:
            yield douyin
        finally:
            self.network.hosts.pop("lydia", None)
            await stop(work)

    @asynccontextmanager
    async def audience(self, events: Iterable[tuple[float, AudienceEvent]]) -> AsyncIterator[None]:
        """The simulated audience acts."""
        work = asyncio.create_task(self.pusher.run(events))
        try:
            yield
        finally:
            await stop(work)


async def stop(work: asyncio.Task[None]) -> None:
    """Cancels a task; its failure, if it failed, is raised."""
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
