"""`lydia simulate douyin`: the simulated platform as a server of its own."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import httpx
import uvicorn
import yaml
from pydantic import ValidationError

from services.core.clock import Clock, SystemClock
from services.core.ids import Ids, RandomIds
from services.gateway.simulator import words
from services.gateway.simulator.app import build
from services.gateway.simulator.audience import PROFILES, audience
from services.gateway.simulator.options import Faults, Options
from services.gateway.simulator.pipe import PipeEmitter
from services.gateway.simulator.platform import Platform
from services.gateway.simulator.push import Pusher


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command line, with the defaults of `Options`."""
    default = Options()
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
    parser.add_argument("--keyword", action="append", dest="keywords", help="comments must hold one; may be repeated")
    parser.add_argument("--unfiltered", action="store_true", help="push all comments, as the plugin's route does")
    parser.add_argument("--batch", type=int, default=default.batch, help="items of one push at most (%(default)s)")
    parser.add_argument("--breaker-s", type=float, default=default.breaker_s, help="how long the breaker stays open")
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
    if not arguments.room_id.isdecimal():
        raise ValueError("--room-id must be digits, as the platform's are")
    try:
        checked = Faults.model_validate({name: yaml.safe_load(value) for name, value in faults.items()})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"--fault {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return Options(faults=checked, **{name: value for name, value in given.items() if value is not None})


def demo_settings(options: Options) -> Mapping[str, Any]:
    """What to change in Lydia's settings so that she plays in the simulated room, in the shape of the YAML file."""
    base = f"http://{options.host}:{options.port}"
    return {
        "room": options.room_id,
        "douyin": {
            "app_id": options.app_id,
            "app_secret": options.app_secret,
            "push_secrets": dict(options.push_secrets),
            "token_url": f"{base}/api/apps/v2/token",
            "api_url": base,
            "rooms": [options.room_id],
            "gifts": {gift.gift_id: {"name": gift.name, "price_fen": gift.price_fen} for gift in words.GIFTS},
            "pipe_port": options.pipe_port,
        },
    }


async def serve(options: Options, *, clock: Clock | None = None, ids: Ids | None = None) -> None:
    """Runs the platform and its audience until cancelled or interrupted. Raises SystemExit when the port is taken."""
    clock, ids = clock or SystemClock(), ids or RandomIds()
    platform = Platform(options, clock, ids)
    pipe = PipeEmitter(options.pipe_port) if options.pipe_port is not None else None
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as tasks:
        pusher = Pusher(platform, clock, ids, http, pipe=pipe)
        pushing = tasks.create_task(pusher.run(audience(options.seed, options.profile)), name="simulator")
        piping = tasks.create_task(pipe.run(), name="simulated plugin") if pipe is not None else None
        app = build(platform, pusher, ids)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=options.host,
                port=options.port,
                log_level="warning",
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        await server.serve()
        pushing.cancel()
        if piping is not None:
            piping.cancel()
