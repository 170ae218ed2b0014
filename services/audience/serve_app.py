"""The audience application on Ray Serve, and the composition root of its replicas.

    POST /batch      a batch (`services.audience.batch.pack`) → its answer (`Taken.pack`)
    GET  /healthz    200 once a replica answers

A batch's header x-session-id names its room, percent-encoded. A room's calls go to one replica while the set of
replicas stays as it is; when it changes, some rooms go on at another one, which takes them from the state, by their
lease.

Ray Serve loads it as `services.audience.serve_app:build`. Settings come from the environment of the Ray nodes.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import unquote

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.schema import LoggingConfig
from starlette.requests import Request
from starlette.responses import Response

from services.audience.batch import Garbled, unpack
from services.audience.ray_metrics import RayMetrics
from services.audience.remote import REPLICA, SESSION
from services.audience.service import Audience
from services.building import audience as building
from services.building.part import Ports, Shared
from services.core.clock import SystemClock
from services.core.ids import RandomIds
from services.core.settings import Settings, load
from services.core.telemetry import Telemetry, otlp
from services.process import Tasks
from services.servers import Servers

ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
FALLBACKS = 1
"""Replicas asked after the room's own. Where that one has died, it is the one whose the room is from then on."""
HEALTH_S = 2.0
ME = f"{socket.gethostname()}:{os.getpid()}"


def build(_arguments: dict[str, str] | None = None) -> Application:
    """The application, as the settings want it. Raises BadSettings."""
    ray = load().ray
    rooms = serve.deployment(
        Replica,
        name="rooms",
        max_ongoing_requests=ray.max_calls,
        ray_actor_options={"num_cpus": ray.cpus},
        autoscaling_config=AutoscalingConfig(
            min_replicas=ray.min_replicas,
            max_replicas=ray.max_replicas,
            target_ongoing_requests=ray.target_calls,
            look_back_period_s=ray.look_back_s,
            upscale_delay_s=ray.upscale_delay_s,
            downscale_delay_s=ray.downscale_delay_s,
        ),
        request_router_config=RequestRouterConfig(
            request_router_class=ROUTER, request_router_kwargs={"num_fallback_replicas": FALLBACKS}
        ),
        logging_config=LoggingConfig(enable_access_log=False),
        health_check_period_s=HEALTH_S,
        graceful_shutdown_timeout_s=ray.drain_s,
        graceful_shutdown_wait_loop_s=0.5,
    )
    return rooms.bind()


class Replica:
    """Has some of the rooms. Ray Serve makes it, checks it and ends it."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Ray Serve awaits it
        """Returns once the bus and the state answer, however long that takes."""
        self._audience: asyncio.Future[Audience] = asyncio.get_running_loop().create_future()
        self._end = asyncio.Event()
        # One task enters and leaves everything, as task groups want it.
        self._life = asyncio.create_task(self._live(load()), name="replica")
        begun: set[asyncio.Future[Any]] = {self._life, self._audience}
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        self.check_health()

    async def __call__(self, request: Request) -> Response:
        """Answers one request."""
        match request.method, request.url.path:
            case "POST", "/batch" if SESSION in request.headers:
                return await self._batch(unquote(request.headers[SESSION]), await request.body())
            case "GET", "/healthz":
                return Response('{"status": "alive"}', media_type="application/json")
            case _:
                return Response("there is nothing here", 404)

    def check_health(self) -> None:
        """Raises when no room can go on here any more. Servers that are away are no reason: they come back."""
        if self._life.done():
            raise RuntimeError("the replica has ended") from self._life.exception()

    def __del__(self) -> None:
        """Ray Serve calls it when no call is under way any more: the rooms are whose who is called for them next."""
        if not self._life.done():
            self._end.set()

    async def _batch(self, room_id: str, body: bytes) -> Response:
        try:
            records = unpack(room_id, body)
        except Garbled as error:
            return Response(str(error), 400)
        taken = await self._audience.result().take(room_id, records)
        return Response(taken.pack(), headers={REPLICA: ME}, media_type="application/json")

    async def _live(self, settings: Settings) -> None:
        processors = (otlp(settings.telemetry.otlp_endpoint),) if settings.telemetry.otlp_endpoint else ()
        telemetry = Telemetry("audience", processors=processors, clock=SystemClock())
        async with AsyncExitStack() as stack:
            stack.callback(telemetry.close)
            bus, state, _ = await Servers(settings, "audience", telemetry.metrics).reach(stack)
            ports = Ports(bus, state, SystemClock(), RandomIds(), telemetry)
            audience = building.decider(settings, ports, Shared(settings, stack), max_rooms=settings.ray.rooms)
            await stack.enter_async_context(audience.at_work())
            tasks = await stack.enter_async_context(Tasks())
            tasks.add(RayMetrics(telemetry.metrics.registry, ME).run(), "metrics")
            self._audience.set_result(audience)
            await self._end.wait()
