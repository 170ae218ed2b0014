"""`python -m loadtests.capacity ROOMS`: what so many rooms need, and what that costs, from what was measured.

`--simulate` tries the plan: a day, and minutes in which a zone fails or a celebrity comes. `--report` writes the page
and the picture beside this program anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from loadtests.capacity import report
from loadtests.capacity.assumptions import Assumptions, Unknown
from loadtests.capacity.latency import known
from loadtests.capacity.measured import FILE, load
from loadtests.capacity.scenes import Tried, attempt, steps
from loadtests.capacity.sizing import Capacity, plan

MOST_ROOMS = 1_000_000
MEASURE = "python -m loadtests.capacity.measure"


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.capacity", description=__doc__)
    parser.add_argument("rooms", type=int, nargs="*", help="on air at once (default 1 10 100 … 100000)")
    parser.add_argument("--voice", default=report.VOICE, help="which of the measured voices (default fast)")
    parser.add_argument("--gpu", action="store_true", help="large models on GPUs in place of her own on processors")
    parser.add_argument("--assume", metavar="KEY=VALUE", action="append", default=[], help="another figure; repeatable")
    parser.add_argument("--assumptions", action="store_true", help="list them")
    parser.add_argument("--simulate", action="store_true", help="try the plan too (a minute for 10,000 rooms)")
    parser.add_argument("--seed", type=int, default=2112, help="of the simulation (default 2112)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--report", action="store_true", help="write README.md and measured.svg anew (minutes)")
    parser.add_argument("--measured", type=Path, default=FILE, help="default: the file beside this program")
    return parser


def main(given: argparse.Namespace, console: Console) -> int:
    """Returns the exit code."""
    if not console.is_terminal:
        console.width = 150
    try:
        assumed = Assumptions(given.assume)
        found = known(load(given.measured), given.voice, assumed)
        rooms = [_rooms(count) for count in given.rooms or report.ROOMS]
    except FileNotFoundError as missing:
        sys.stderr.write(f"{missing.filename}: nothing was measured yet. Mend: run {MEASURE}\n")
        return 2
    except (Unknown, OSError, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except KeyError as missing:
        sys.stderr.write(f"{missing.args[0]}: not measured. Mend: run {MEASURE}\n")
        return 2
    if given.assumptions:
        console.print(_assumptions(assumed))
        return 0
    if given.report:
        report.write(load(given.measured), assumed, given.seed, console)
        return 0
    planned = [plan(count, found, assumed, gpu=given.gpu) for count in rooms]
    tried: list[Tried] = []
    if given.simulate:
        with Progress(console=Console(stderr=True)) as progress:
            bar = progress.add_task("simulating", total=sum(steps(one, assumed) for one in planned))
            tried = [
                attempt(capacity, found, assumed, given.seed, lambda: progress.advance(bar)) for capacity in planned
            ]
    if given.json:
        values = [asdict(capacity) | {"room_hour": capacity.room_hour} for capacity in planned]
        for value, one in zip(values, tried, strict=False):
            value["day_room_hour"] = one.day.room_hour
            value["minutes"] = [asdict(minute) for minute in one.minutes]
        sys.stdout.write(json.dumps(values, indent=1) + "\n")
        return 0
    console.print(_plans(planned, given.voice))
    if tried:
        console.print(_trials(tried))
    return 0


def _rooms(count: int) -> int:
    """Raises ValueError."""
    if not 1 <= count <= MOST_ROOMS:
        raise ValueError(f"{count} rooms: must be from 1 to {MOST_ROOMS}.")
    return count


def _plans(planned: list[Capacity], voice: str) -> Table:
    table = Table(title=f"what rooms need, measured with the voice {voice}; pods of one release", title_justify="left")
    table.add_column("rooms on air")
    for capacity in planned:
        table.add_column(f"{capacity.rooms:,}", justify="right")
    for row in report.plan_rows(planned):
        table.add_row(*row)
    return table


def _trials(tried: list[Tried]) -> Table:
    table = Table(title="simulated: how long paid events wait for the machines", title_justify="left")
    for heading in report.TRIAL_COLUMNS:
        table.add_column(heading, justify="left" if heading == "minute" else "right")
    for one in tried:
        for row in report.trial_rows(one):
            table.add_row(*row)
    return table


def _assumptions(assumed: Assumptions) -> Table:
    table = Table(title="assumed, each to be given anew with --assume KEY=VALUE", title_justify="left")
    for heading in ("key", "value", "unit", "because"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for one in assumed.lines:
        table.add_row(one.key, f"{one.value:g}", one.unit, one.because)
    return table


if __name__ == "__main__":
    begun = time.perf_counter()
    code = main(arguments().parse_args(), Console())
    sys.stderr.write(f"took {time.perf_counter() - begun:.1f} s\n")
    sys.exit(code)
