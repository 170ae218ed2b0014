"""Does the harness find what is wrong, and say where? Plants two faults and lets it look.

    python -m loadtests.load.planted
    python -m loadtests.load.planted --cluster

Three runs against `lydia up` or a whole cluster, each fresh: sound, with 50 ms of sleep in speech, and with one gift in
a thousand lost between gateway and bus. Exit code 0 when the comparison with the sound run names speech, and nothing
else that it has to wait for is blamed before it; and when the one lost gift is named by its id.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import Progress

from loadtests.load.compare import compare
from loadtests.load.faulty import LOSE, LOST, SLEEP
from loadtests.load.plan import Load, plan
from loadtests.load.report import report
from loadtests.load.result import Result
from loadtests.load.run import run
from loadtests.load.target import clustered, started
from loadtests.load.verdict import check, objectives

MODULE = "loadtests.load.faulty"
SLEEP_MS = 50
EVERY = 1000


async def slower(given: argparse.Namespace, console: Console) -> bool:
    """Whether the comparison blames speech, and speech alone among the stages, for 50 ms of sleep in it."""
    load = Load({"quiet": 4}, given.seconds, repeated=0, only=("chat",))
    sound = await one(load, "sound", {}, 1, given, console)
    asleep = await one(load, "asleep", {SLEEP: str(SLEEP_MS)}, 1, given, console, sound)
    found = compare(sound, asleep)
    for sentence in found.told():
        console.print(f"  {sentence}", markup=False)
    return {d.measure for d in found.slower if d.measure.startswith("stage ")} == {"stage speech"}


async def lost(given: argparse.Namespace, console: Console) -> bool:
    """Whether exactly the gifts that vanished are named: one in a thousand."""
    load = Load({"busy": 4}, given.seconds, repeated=0, only=("gift",))
    note = given.out.absolute() / "lost.txt"
    note.unlink(missing_ok=True)
    leaky = await one(load, "leaky", {LOSE: str(EVERY), LOST: str(note)}, 50, given, console)
    profile = leaky.profiles["busy"]
    for gift in profile.lost:
        console.print(f"  lost: {gift.kind} {gift.event_id} in {gift.room_id}: {gift.where}", markup=False)
    console.print(f"  {profile.events['gift']} gifts, {profile.outcomes['paid']}, answered twice {len(profile.twice)}")
    return sorted(gift.event_id for gift in profile.lost) == sorted(note.read_text().split())


async def one(
    load: Load,
    name: str,
    faults: Mapping[str, str],
    speed: float,
    given: argparse.Namespace,
    console: Console,
    earlier: Result | None = None,
) -> Result:
    """One run, with its report."""
    target = clustered if given.cluster else started
    console.print(f"[bold]{name}[/bold] {dict(faults) or ''}")
    with Progress(console=console) as progress:
        async with target(voice="fast", speed=speed, traced=True, module=MODULE, settings=faults) as running:
            found = await run(running, plan(load), processes=1, drain_s=240, progress=progress)
    found.save(given.out / f"{name}.json")
    page = report(found, check(found, objectives()), compare(earlier, found) if earlier else None)
    (given.out / f"{name}.html").write_text(page, encoding="utf-8")
    return found


async def main(given: argparse.Namespace) -> int:
    console = Console(stderr=True)
    results = {
        "50 ms of sleep in speech: speech is named": await slower(given, console),
        "one gift in a thousand: named by its id": await lost(given, console),
    }
    for name, good in results.items():
        console.print(f"{'found ' if good else 'MISSED'} {name}", style="green" if good else "bold red")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="how long each audience acts (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("planted"), help="folder of the reports (%(default)s)")
    parser.add_argument("--cluster", action="store_true", help="look into a whole cluster instead of `lydia up`")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main(arguments)))
