"""`python -m loadtests.faults`: what it costs when something breaks in the middle of a show, on a whole local cluster.

Real servers, every service a process of its own, one room with gifts and messages that never stop. Each fault comes so
many times; what is killed is started again a second later, as an orchestrator would.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from deploy.local.process import ServerFailed
from loadtests.bench import machine
from loadtests.faults.figures import PAGE, Measured, page, read, table, write
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
    parser.add_argument(
        "--json", type=Path, default=Path("faults.json"), help="where the figures of each fault are kept (faults.json)"
    )
    parser.add_argument("--page", action="store_true", help="write them into loadtests/faults.md too")
    parser.add_argument("--keep", type=Path, help="folder for the cluster's data and logs; by default they are removed")
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    progress = Console(stderr=True, highlight=False)
    names = given.only or list(faults())
    begun, rounds = time.monotonic(), list[Round]()
    where, _, commit = machine().rpartition(", commit ")
    measured = read(given.json)

    def tell(text: str) -> None:
        progress.print(f"[{time.monotonic() - begun:7.1f} s] {text}", markup=False, soft_wrap=True)

    def done(each: Round) -> None:
        rounds.append(each)
        of = tuple(one for one in rounds if one.fault == each.fault)
        load = max(os.getloadavg()[0], measured[each.fault].load if len(of) > 1 else 0.0)
        measured[each.fault] = Measured(where, commit, load, of)
        write(given.json, measured)
        tell(f"{len(rounds)} of {len(names) * given.times} rounds: {'well' if each.well else 'NOT WELL'}: {each}")

    with tempfile.TemporaryDirectory(prefix="lydia-faults-") as scratch:
        try:
            asyncio.run(run(given.keep or Path(scratch), names, given.times, given.seed, given.voice, tell, done))
        except ServerFailed as error:
            tell(f"the cluster does not start: {error}")
            return 2
        finally:
            print(where, f"seed {given.seed}, {given.times} rounds each, voice {given.voice}", "", sep="\n")
            print(table({name: one for name, one in measured.items() if name in names}))
    if given.page:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    return 0 if all(each.well for each in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
