"""`lydia simulate douyin`: the simulated platform as a server of its own."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import httpx
import uvicorn
from pydantic import ValidationError

from services.core.clock import Clock, SystemClock
from services.core.ids import Ids, RandomIds
from services.gateway.simulator.app import build, lydia_settings
from services.gateway.simulator.audience import PROFILES, audience
from services.gateway.simulator.options import Faults, Options
from services.gateway.simulator.pipe import PipeEmitter
from services.gateway.simulator.platform import RUNNING, Platform
from services.gateway.simulator.push import Pusher

LOOK_EVERY_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command line, with the defaults of `Options`."""
    default = Options()
    parser.description = (
        "Plays the platform: tokens, one room, push tasks, signed pushes, failed data, reports, and a seeded "
        "audience that begins as soon as Lydia answers. GET /simulator on its port says what becomes of everything."
    )
    parser.epilog = (
        "To let Lydia play in it: curl -s http://127.0.0.1:8090/simulator/settings > simulated.yaml, then "
        "LYDIA_CONFIG=simulated.yaml lydia up. Ctrl-C ends it."
    )
    parser.add_argument(
        "--target", default=default.target, metavar="URL", help="where Lydia takes pushes (%(default)s)"
    )
    parser.add_argument("--host", default=default.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=default.port, help="port to listen on (%(default)s)")
    parser.add_argument("--pipe-port", type=int, metavar="PORT", help="Lydia's port for the plugin's events")
    parser.add_argument("--app-id", default=default.app_id, help="the app (%(default)s)")
    parser.add_argument("--app-secret", default=default.app_secret, help="its secret (%(default)s)")
    parser.add_argument("--room-id", default=default.room_id, help="the room, digits (%(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="of the audience (%(default)s)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default=default.profile, help="how lively (%(default)s)")
    parser.add_argument(
        "--keyword",
        action="append",
        dest="keywords",
        metavar="WORD",
        help=f"comments must hold one of these; may be repeated ({' '.join(default.keywords)})",
    )
    parser.add_argument("--unfiltered", action="store_true", help="push all comments, as the plugin's route does")
    parser.add_argument("--batch", type=int, default=default.batch, help="items of one push at most (%(default)s)")
    parser.add_argument(
        "--breaker-s",
        type=float,
        default=default.breaker_s,
        metavar="SECONDS",
        help="how long the breaker stays open (%(default)s)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        dest="faults",
        metavar="NAME=VALUE",
        help="may be repeated; "
        + "; ".join(f"{name}: {field.description}" for name, field in Faults.model_fields.items()),
    )


def options_of(arguments: argparse.Namespace) -> Options:
    """The options that the command line says. Raises ValueError with what is wrong."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(Options)}
    faults = dict(fault.split("=", 1) if "=" in fault else (fault, "true") for fault in given.pop("faults") or [])
    if given["keywords"] is not None:
        given["keywords"] = tuple(given["keywords"])
    for name in faults.keys() - Faults.model_fields.keys():
        raise ValueError(f"--fault {name}: there is no such fault; there are {', '.join(Faults.model_fields)}")
    try:
        checked = Faults.model_validate(faults)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"--fault {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    try:
        return Options(faults=checked, **{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise ValueError(f"--{error}") from None


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
