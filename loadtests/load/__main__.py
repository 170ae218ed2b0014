"""`make load`: an audience that writes whether she keeps up or not, and what becomes of every single event.

    python -m loadtests.load                                    her own `lydia up`, six rooms, a minute
    python -m loadtests.load --profile busy --profile quiet:4   other rooms
    python -m loadtests.load --cluster                          her own cluster: Kafka, Redis, Triton, every service
    python -m loadtests.load --address 127.0.0.1:8080           one that runs already
    python -m loadtests.load --against load.json                compare with an earlier run

Exit code: 0 all objectives kept, 1 not, or worse than the earlier run; 2 it could not run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from collections import Counter
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from loadtests.load import target as targets
from loadtests.load.compare import compare
from loadtests.load.plan import WAYS, Load, plan
from loadtests.load.report import report
from loadtests.load.result import Result, Unfit, load
from loadtests.load.run import HarnessFailed, run
from loadtests.load.sending import Keys
from loadtests.load.terminal import show
from loadtests.load.verdict import OBJECTIVES, Objectives, check, objectives
from services.gateway.simulator.audience import PROFILES
from services.process import signals

ROOMS = ("quiet:4", "normal:2")
TRACED_EVENTS = 50_000
"""Above this the traces themselves would be the load."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_argument_group("the audience")
    what.add_argument(
        "--profile",
        action="append",
        metavar="NAME[:ROOMS]",
        help=f"{', '.join(PROFILES)}; may be repeated (default: {' '.join(ROOMS)})",
    )
    what.add_argument("--seconds", type=float, default=60, help="how long it acts (%(default)s)")
    what.add_argument("--drain", type=float, default=60, help="how long answers may take afterwards (%(default)s)")
    what.add_argument("--seed", type=int, default=2112, help="the same seed gives the same audience (%(default)s)")
    what.add_argument("--way", action="append", choices=WAYS, help="signed pushes or plain messages (default: both)")
    what.add_argument(
        "--only", action="append", default=[], metavar="KIND", help="chat, gift, like, …; may be repeated"
    )
    what.add_argument(
        "--repeated", type=float, default=0.02, help="share of Douyin's items that come twice (%(default)s)"
    )
    who = parser.add_argument_group("whom it plays to")
    who.add_argument("--address", metavar="HOST:PORT", help="one that runs; without it `lydia up` is started")
    who.add_argument("--cluster", action="store_true", help="start a whole cluster instead, as `make cluster` does")
    who.add_argument("--token", default="", help="its auth.message_token, if it has one")
    who.add_argument(
        "--push-secrets",
        type=Path,
        metavar="FILE",
        help="JSON of message type → secret, as in its douyin.push_secrets; without it only plain messages are sent",
    )
    who.add_argument(
        "--collect",
        type=int,
        metavar="PORT",
        help="collect its traces here; start it with LYDIA_TELEMETRY__OTLP_ENDPOINT=http://127.0.0.1:PORT",
    )
    who.add_argument("--voice", default="fast", help="of a started one: lydia, lydia-soft or fast (%(default)s)")
    who.add_argument(
        "--speed", type=float, default=1, help="of a started one: its show runs so much faster (%(default)s)"
    )
    who.add_argument("--no-traces", action="store_true", help="of a started one: do not collect its traces")
    how = parser.add_argument_group("the harness")
    how.add_argument("--processes", type=int, default=1, help="that send and watch (%(default)s)")
    how.add_argument("--out", type=Path, default=Path("load.html"), help="the report; JSON beside it (%(default)s)")
    how.add_argument("--against", type=Path, metavar="JSON", help="an earlier run to compare with")
    how.add_argument("--objectives", type=Path, default=OBJECTIVES, help="what must be kept to (%(default)s)")
    return parser


def asked(given: argparse.Namespace) -> Load:
    """The load that the command line asks for. Raises ValueError."""
    rooms: Counter[str] = Counter()
    for text in given.profile or ROOMS:
        name, _, number = text.partition(":")
        if number and not number.isdecimal():
            raise ValueError(f"--profile {text}: write it like quiet or quiet:4")
        rooms[name] += int(number or 1)
    ways = tuple(given.way or WAYS)
    if given.address and given.push_secrets is None:
        ways = tuple(way for way in ways if way != "douyin")
    if given.address and given.cluster:
        raise ValueError("--cluster starts one, --address names one that runs: give one of them")
    if not ways:
        raise ValueError("--way douyin needs --push-secrets when the target is not started here")
    return Load(
        rooms=dict(rooms),
        seconds=given.seconds,
        seed=given.seed,
        ways=ways,
        only=tuple(given.only),
        repeated=given.repeated,
        run=f"load{secrets.token_hex(3)}",
    )


async def interruptible(given: argparse.Namespace, console: Console) -> int:
    """`main`, which whatever asks the process to end only cancels: a Lydia that was started here must end with it."""
    running = asyncio.current_task()
    assert running is not None

    def stop() -> None:
        running.cancel()

    try:
        with signals(stop):
            return await main(given, console)
    except asyncio.CancelledError:
        return 130


async def main(given: argparse.Namespace, console: Console) -> int:
    """Runs, reports, judges. Returns the exit code."""
    try:
        wanted = objectives(given.objectives)
        earlier = load(given.against) if given.against else None
        planned = plan(asked(given))
        secrets_ = json.loads(given.push_secrets.read_text()) if given.push_secrets else None
    except (ValueError, OSError, Unfit) as error:
        console.print(str(error), markup=False, style="bold red")
        return 2
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=console) as progress:
            at = (
                targets.running(given.address, Keys(given.token, secrets_), collect=given.collect)
                if given.address
                else (targets.clustered if given.cluster else targets.started)(
                    voice=given.voice,
                    speed=given.speed,
                    traced=not given.no_traces and len(planned.events) <= TRACED_EVENTS,
                )
            )
            async with at as target:
                found = await run(target, planned, processes=given.processes, drain_s=given.drain, progress=progress)
    except (targets.Unreachable, RuntimeError, HarnessFailed) as error:
        console.print(str(error) or type(error).__name__, markup=False, style="bold red")
        return 2
    return judged(found, wanted, earlier, given, console)


def judged(
    found: Result, wanted: Objectives, earlier: Result | None, given: argparse.Namespace, console: Console
) -> int:
    """Writes the report and the JSON, prints the verdict. Returns the exit code."""
    checked = check(found, wanted)
    comparison = compare(earlier, found) if earlier is not None else None
    given.out.parent.mkdir(parents=True, exist_ok=True)
    found.save(given.out.with_suffix(".json"))
    given.out.write_text(report(found, checked, comparison), encoding="utf-8")
    show(console, found, checked, comparison)
    console.print(f"report: {given.out}, figures: {given.out.with_suffix('.json')}", markup=False)
    kept = all(one.kept for one in checked) and not (comparison is not None and comparison.worse)
    return 0 if kept else 1


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(interruptible(arguments().parse_args(), Console(stderr=True))))
