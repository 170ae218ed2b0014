"""`lydia simulate douyin`: the simulated platform as a server of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import uvicorn

from services.core.clock import Clock, SystemClock
from services.core.ids import Ids, RandomIds
from services.gateway.simulator.app import build, lydia_settings
from services.gateway.simulator.audience import audience
from services.gateway.simulator.options import Options
from services.gateway.simulator.pipe import PipeEmitter
from services.gateway.simulator.platform import RUNNING, Platform
from services.gateway.simulator.push import Pusher

LOOK_EVERY_S = 0.5


def demo_settings(options: Options) -> Mapping[str, Any]:
    """What to change in Lydia's settings so that she plays in the simulated room, in the shape of the YAML file."""
    return lydia_settings(options)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


async def serve(
    options: Options, *, clock: Clock | None = None, ids: Ids | None = None, tell: Callable[[str], None] = _tell
) -> None:
    """Runs the platform and its audience until cancelled or interrupted.

    `tell` gets a line for a person whenever something changes. Raises SystemExit when the port is taken.
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    try:
        listener = socket.create_server(
            (options.host, options.port), family=socket.AF_INET6 if ":" in options.host else socket.AF_INET
        )
    except OSError as error:
        why = os.strerror(error.errno or 0)
        tell(f"{options.host}:{options.port} cannot be listened on ({why}): choose another --port or --host")
        raise SystemExit(1) from None
    platform = Platform(options, clock, ids)
    pipe = PipeEmitter(options.pipe_port) if options.pipe_port is not None else None
    async with httpx.AsyncClient(trust_env=False) as http:
        pusher = Pusher(platform, clock, ids, http, pipe=pipe)
        try:
            with listener:
                async with asyncio.TaskGroup() as tasks:
                    work = [
                        tasks.create_task(pusher.run(audience(options.seed, options.profile)), name="simulator"),
                        tasks.create_task(_report(options, platform, pusher, tell), name="simulator's reports"),
                    ]
                    if pipe is not None:
                        work.append(tasks.create_task(pipe.run(), name="simulated plugin"))
                    app = build(platform, pusher, ids)
                    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
                    await uvicorn.Server(config).serve(sockets=[listener])
                    for task in work:
                        task.cancel()
        finally:
            counts = ", ".join(f"{number} {name}" for name, number in pusher.counts.items())
            tell(f"simulated Douyin ends: {counts or 'nothing happened'}")


async def _report(options: Options, platform: Platform, pusher: Pusher, tell: Callable[[str], None]) -> None:
    """Tells a person what is going on, each thing once, until cancelled."""
    base = f"http://{options.host}:{options.port}"
    tell(f"simulated Douyin on {base}: room {options.room_id}, {options.profile} audience, seed {options.seed}")
    tell(f"  what becomes of everything: {base}/simulator · settings for Lydia: {base}/simulator/settings")
    told, last, refusals = "", "", set[str]()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        now = _state(options, platform, pusher)
        if now == last != told:  # what changes at once again is not worth a line
            tell(f"  {now}")
            told = now
        last = now
        for reason in pusher.refusals.keys() - refusals:
            tell(f"  a push failed: {reason}")
            refusals.add(reason)


def _state(options: Options, platform: Platform, pusher: Pusher) -> str:
    """How it stands between platform and Lydia, in words."""
    if not pusher.online:
        return f"waiting for Lydia: {options.target} does not answer HEAD with 200"
    pushed = ", ".join(sorted(name for name, status in platform.room.tasks.items() if status == RUNNING))
    return f"Lydia answers, pushed are: {pushed}" if pushed else "Lydia answers, but has not asked for pushes"
