"""The simulator's options on the command line."""

from __future__ import annotations

import argparse
from dataclasses import fields

from pydantic import ValidationError

from services.gateway.simulator.audience import PROFILES
from services.gateway.simulator.options import Faults, Options


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
