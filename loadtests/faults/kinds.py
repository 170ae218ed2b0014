"""What is broken in the middle of a show, and how it comes back. Each returns at the server's return."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httpx

from deploy.local.cluster import Cluster
from deploy.local.process import LocalServer
from deploy.local.slow import SlowWay
from loadtests.faults.room import ROOM
from services.audience.batch import pack
from services.audience.remote import REPLICA as WHO
from services.audience.remote import SESSION
from services.names import NAMES

AGAIN_S = 1.0
"""How long after its death an orchestrator starts a process again."""
STOPPED_S = 5.0
SLOW_S = 10.0
DELAY_S = 0.15
"""Later in either direction: each call of the state takes 0.3 s instead of one millisecond."""
RETURN_S = 300.0
LOOK_S = 0.1


BRIDGE, REPLICA, HEAD = "kill the bridge", "kill a replica", "kill the Ray head"
OF_REPLICAS = (BRIDGE, REPLICA, HEAD)
"""Faults of a cluster in which replicas on Ray Serve decide. In the other one the audience's own process does."""


@dataclass(frozen=True)
class World:
    """What can be broken."""

    made: Cluster
    way_to_redis: SlowWay


Fault = Callable[[World, int], Awaitable[None]]
"""Breaks something and returns when it is back; the number of the round chooses where there is a choice."""


def faults() -> Mapping[str, Fault]:
    """By name, in the order in which they are tried."""
    return {
        **{f"kill {name}": partial(_kill_service, name) for name in NAMES},
        **{f"kill {name}": partial(_kill_server, name) for name in ("kafka", "redis", "triton")},
        "stop a process": _stop,
        "slow Redis": _slow,
        BRIDGE: partial(_kill_service, "audience"),
        REPLICA: _kill_replica,
        HEAD: partial(_kill_server, "ray"),
    }


async def _kill_service(name: str, world: World, _round: int) -> None:
    services = {str(each): server for each, server in world.made.services.items()}
    await _again(services[name])
    await until(lambda: _ready(world, name))


async def _ready(world: World, name: str) -> bool:
    return name not in await world.made.unready()


async def _kill_server(name: str, world: World, _round: int) -> None:
    await _again(world.made.servers[name])


async def _again(server: LocalServer) -> None:
    await server.kill()
    await asyncio.sleep(AGAIN_S)
    await server.start()


async def _kill_replica(world: World, _round: int) -> None:
    replica = await _replica(world)
    assert replica is not None, "the room has a replica"
    os.kill(int(replica.rpartition(":")[2]), signal.SIGKILL)

    async def another() -> bool:
        return await _replica(world) not in (None, replica)

    await until(another)


async def _replica(world: World) -> str | None:
    """Who has the room, HOST:PID; None while nobody answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        try:
            answer = await client.post(
                f"{world.made.places['replicas']}/batch", content=pack([]), headers={SESSION: ROOM}
            )
        except httpx.HTTPError:
            return None
    return answer.headers[WHO] if answer.status_code == httpx.codes.OK else None


async def _stop(world: World, number: int) -> None:
    service = world.made.services[NAMES[number % len(NAMES)]]
    service.suspend()
    try:
        await asyncio.sleep(STOPPED_S)
    finally:
        service.resume()


async def _slow(world: World, _round: int) -> None:
    world.way_to_redis.delay_s = DELAY_S
    try:
        await asyncio.sleep(SLOW_S)
    finally:
        world.way_to_redis.delay_s = 0.0


async def until(happens: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again. Raises TimeoutError."""
    async with asyncio.timeout(RETURN_S):
        while True:
            if await happens():
                return
            await asyncio.sleep(LOOK_S)
