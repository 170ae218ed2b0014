"""The run in the terminal: the few figures that everybody wants, the rest is in the report."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from loadtests.bench import table
from loadtests.load.compare import Comparison
from loadtests.load.result import Result
from loadtests.load.verdict import Checked

SHOWN = 20
"""Events named one by one."""


def show(console: Console, result: Result, checked: Sequence[Checked], comparison: Comparison | None) -> None:
    """Prints it."""
    rows: list[tuple[str, list[float]]] = []
    for name, profile in result.profiles.items():
        for lane in ("chat", "paid"):
            of = [one for one in profile.answers if one.lane == lane]
            if of:
                frames = [one.frame_ms for one in of if one.free and one.frame_ms is not None]
                rows.append((f"{name}, {lane}: voice", [one.voice_ms for one in of]))
                rows.append((f"{name}, {lane}: voice, no wait", [one.made_ms for one in of]))
                rows.append((f"{name}, {lane}: voice, free", [one.voice_ms for one in of if one.free]))
                rows.append((f"{name}, {lane}: frame, free", frames))
    rows += [(f"{name}: answer", way.answer_ms) for name, way in result.ways.items()]
    console.print(table("From the scheduled send", rows))
    for name, profile in result.profiles.items():
        if profile.stages:
            console.print(table(f"{name}: where the time goes", list(profile.stages.items())))
    fates = Table("", "lane", "what became of events", title="Fates", title_justify="left")
    for name, profile in result.profiles.items():
        for lane, outcomes in profile.outcomes.items():
            why = ", ".join(f"{reason} {number}" for reason, number in profile.reasons.get(lane, {}).items())
            told = ", ".join(f"{outcome} {number}" for outcome, number in outcomes.items())
            fates.add_row(name, lane, f"{told}{f' ({why})' if why else ''}")
    console.print(fates)
    troubles = [
        (word, one)
        for profile in result.profiles.values()
        for word, of in (("lost", profile.lost), ("twice", profile.twice))
        for one in of
    ]
    for word, one in troubles[:SHOWN]:
        console.print(
            f"{word}: {one.kind} {one.event_id} in {one.room_id} at {one.at_s:.1f} s: {one.where}", markup=False
        )
    if len(troubles) > SHOWN:
        console.print(f"… and {len(troubles) - SHOWN} more in the report")
    if comparison is not None:
        for note in comparison.unlike:
            console.print(f"not alike: {note}", markup=False, style="yellow")
        console.print("against the earlier run: " + ("WORSE" if comparison.worse else "no worse"), style="bold")
        for sentence in comparison.told()[:SHOWN]:
            console.print(f"  {sentence}", markup=False)
    for objective in checked:
        mark, style = ("kept  ", "green") if objective.kept else ("MISSED", "bold red")
        console.print(
            f"{mark} {objective.name}: {objective.found:.4g} {objective.unit} (at most {objective.limit:g})",
            style=style,
            markup=False,
        )
