"""What was measured of each fault, kept over runs, and as the table of a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtests.bench import percentile
from loadtests.faults.kinds import faults
from loadtests.faults.rounds import Round

PAGE = Path(__file__).parents[1] / "faults.md"
BEGIN, END = "<!-- figures: written by the command -->\n", "<!-- end of the figures -->\n"
HEADINGS = (
    *("fault", "rounds", "gifts", "thanked", "lost", "twice", "old frames"),
    *("gone, s (p50)", "speaks again after, s (p50)", "(max)", "longest silence, s", "well", "load", "commit"),
)


@dataclass(frozen=True)
class Measured:
    """One run of one fault."""

    machine: str
    commit: str
    load: float
    """The highest load average (of one minute) at the end of a round: how many processes wanted a processor."""
    rounds: tuple[Round, ...]


def read(path: Path) -> dict[str, Measured]:
    """Fault → its newest run; nothing where there is no file. Raises ValueError when it holds something else."""
    try:
        told: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    try:
        return {
            name: Measured(**one | {"rounds": tuple(Round(**each) for each in one["rounds"])})
            for name, one in told.items()
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} holds no figures of faults ({error!r}). Mend: name another file.") from None


def write(path: Path, measured: Mapping[str, Measured]) -> None:
    """Keeps what `read` reads."""
    path.write_text(json.dumps({name: asdict(one) for name, one in measured.items()}, indent=1) + "\n", "utf-8")


def page(text: str, measured: Mapping[str, Measured]) -> str:
    """The page with these figures in the place of its own. Raises ValueError when it has no place for them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN.strip()} and {END.strip()}")
    machines = sorted({one.machine for one in measured.values()})
    return f"{before}{BEGIN}{'; '.join(machines)}.\n\n{table(measured)}\n{END}{after}"


def table(measured: Mapping[str, Measured]) -> str:
    """A line for each fault, in Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---" + "|--:" * (len(HEADINGS) - 1) + "|"]
    lines += [_line(name, measured[name]) for name in faults() if name in measured]
    return "\n".join(lines)


def _line(name: str, one: Measured) -> str:
    rounds = one.rounds
    again = [float("inf") if each.again_s is None else each.again_s for each in rounds]
    seconds = (
        percentile([each.back_s for each in rounds], 0.5),
        percentile(again, 0.5),
        max(again),
        max(each.silence_s for each in rounds),
    )
    cells: Iterable[object] = (
        *(name, len(rounds)),
        *(sum(getattr(each, what) for each in rounds) for what in ("sent", "thanked", "lost", "doubled", "old")),
        *(f"{value:.1f}" for value in seconds),
        *(sum(each.well for each in rounds), f"{one.load:.0f}", one.commit),
    )
    return "| " + " | ".join(map(str, cells)) + " |"
