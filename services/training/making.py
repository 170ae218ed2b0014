"""What a network learns from, made by several processes at once."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

Make = Callable[[argparse.Namespace, tuple[int, int]], None]
"""Makes one part of so many: a module's function, for another process finds it by its name."""

DATA = "data.json"
"""In a run's folder: what it learned from, for its card."""


def add_makers(parser: argparse.ArgumentParser) -> None:
    """The option that says how many."""
    parser.add_argument("--makers", type=int, default=1, help="processes that make what it learns from (default 1)")


def make_all(make: Make, given: argparse.Namespace) -> None:
    """All parts, each by a process of its own when there are several. Raises what a part raises."""
    makers = max(given.makers, 1)
    if makers == 1:
        make(given, (0, 1))
        return
    # Spawned: what is forked from a process with threads can hang.
    with ProcessPoolExecutor(makers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(make, given, (part, makers)) for part in range(makers)]):
            done.result()


def keep_amount(folder: Path, count: int, seconds: float) -> None:
    """Notes how many things a run learned from, and how long they are."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA).write_text(json.dumps({"count": count, "minutes": round(seconds / 60, 1)}) + "\n", encoding="utf-8")


def add_card(parser: argparse.ArgumentParser) -> None:
    """The option of who measures a network: not to write its card."""
    parser.add_argument("--no-card", action="store_true", help="only print what is measured")


def check_card(parser: argparse.ArgumentParser, given: argparse.Namespace, run: Path) -> None:
    """Ends the program, before it measures for minutes, when a card is wanted and the run's facts are not there."""
    if not given.no_card and not (run / DATA).exists():
        parser.error(f"{run} holds no run to write a card of. Mend: name the run's --folder, or add --no-card")


def amount(folder: Path) -> tuple[int, float]:
    """How many they were, and minutes. Raises FileNotFoundError when the folder has no run."""
    read = json.loads((folder / DATA).read_text(encoding="utf-8"))
    return read["count"], read["minutes"]
