"""`python -m loadtests.faults`: what it costs when something breaks in the middle of a show, on a whole local cluster.

Real servers, every service a process of its own, one room with gifts and messages that never stop. Each fault comes so
many times; what is killed is started again a second later, as an orchestrator would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from deploy.local.process import ServerFailed
from loadtests.bench import machine, percentile
from loadtests.faults.kinds import faults
from loadtests.faults.rounds import Round, run

SEED = 2112


def main() -> int:
    """The command. 0: all as promised; 1: something was not; 2: the cluster does not start."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.faults", description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="rounds of each fault (10)")
    parser.add_argument("--only", nargs="+", choices=list(faults()), metavar="NAME", help=", ".join(faults()))
    parser.add_argument("--seed", type=int, default=SEED, help=f"of people and moments ({SEED})")
    parser.add_argument("--voice", default="fast", help="which of her own voices speaks: fast, lydia, lydia-soft")
    parser.add_argument("--json", type=Path, default=Path("faults.json"), help="where the figures go (faults.json)")
    parser.add_argument("--keep", type=Path, help="folder for the cluster's data and logs; by default they are removed")
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    progress = Console(stderr=True, highlight=False)
    names = given.only or list(faults())
    begun, rounds = time.monotonic(), list[Round]()
    where = machine()

    def tell(text: str) -> None:
        progress.print(f"[{time.monotonic() - begun:7.1f} s] {text}", markup=False, soft_wrap=True)

    def done(each: Round) -> None:
        rounds.append(each)
        figures = {"machine": where, "seed": given.seed, "rounds": [asdict(one) for one in rounds]}
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        tell(f"{len(rounds)} of {len(names) * given.times} rounds: {'well' if each.well else 'NOT WELL'}: {each}")

    with tempfile.TemporaryDirectory(prefix="lydia-faults-") as scratch:
        try:
            asyncio.run(run(given.keep or Path(scratch), names, given.times, given.seed, given.voice, tell, done))
        except ServerFailed as error:
            tell(f"the cluster does not start: {error}")
            return 2
        finally:
            print(
                where, f"seed {given.seed}, {given.times} rounds each, voice {given.voice}", "", table(rounds), sep="\n"
            )
    return 0 if all(each.well for each in rounds) else 1


def table(rounds: list[Round]) -> str:
    """A line for each fault, in Markdown."""
    headings = (
        *("fault", "rounds", "gifts", "thanked", "lost", "twice", "old frames"),
        *("gone, s (p50)", "speaks again after, s (p50)", "(max)", "longest silence, s", "well"),
    )
    lines = ["| " + " | ".join(headings) + " |", "|---" + "|--:" * (len(headings) - 1) + "|"]
    for name in dict.fromkeys(each.fault for each in rounds):
        of = [each for each in rounds if each.fault == name]
        again = [float("inf") if each.again_s is None else each.again_s for each in of]
        counts = zip(*((each.sent, each.thanked, each.lost, each.doubled, each.old) for each in of), strict=True)
        gone = percentile([each.back_s for each in of], 0.5)
        seconds = (gone, percentile(again, 0.5), max(again), max(each.silence_s for each in of))
        cells = (
            name,
            len(of),
            *map(sum, counts),
            *(f"{value:.1f}" for value in seconds),
            sum(each.well for each in of),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
