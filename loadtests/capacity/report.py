"""The page and the picture: README.md and measured.svg, written from the measurement and the simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from loadtests.bench import percentile
from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import SERVICES, Demand, demand
from loadtests.capacity.measured import CLUSTER, UP, Measured, line, resident_mb
from loadtests.capacity.picture import picture
from loadtests.capacity.scenes import Tried, attempt, steps
from loadtests.capacity.sizing import Capacity, plan
from loadtests.capacity.window import objective_s

HERE = Path(__file__).parent
PAGE = HERE / "page.md"
"""The page's words, with places for figures."""
ROOMS = (1, 10, 100, 1_000, 10_000, 100_000)
VOICE = "lydia"
TRIAL_COLUMNS = (
    "rooms", "USD/room·h, a day", "worst use", "minute", "paid events", "p50 s", "p99 s", "longest s", "late", "shed",
)  # fmt: skip
BEGIN, END = "<!-- planned: begin -->", "<!-- planned: end -->"


def plan_rows(planned: Sequence[Capacity]) -> list[list[str]]:
    """The table of capacities: what is counted, and a number for each of the plans."""
    pods = [name for name in (*SERVICES, "triton", "redis", "kafka") if any(_has(one, name) for one in planned)]
    rows: dict[str, Callable[[Capacity], str]] = {
        "cells": lambda one: f"{one.cells:,}",
        **{f"{name} pods": _pods(name) for name in pods},
        "partitions of a topic and cell": lambda one: f"{one.partitions:,}",
        "nodes": lambda one: f"{one.nodes:,}",
        "GPUs": lambda one: f"{one.gpus:,}",
        "cores used": lambda one: f"{one.cores_used:,.1f}",
        "records a second": lambda one: f"{one.records_per_s:,.0f}",
        "MB/s to renderers": lambda one: f"{one.stream_mb_per_s:,.1f}",
        "USD an hour": lambda one: f"{one.cost_hour:,.2f}",
        "USD for a room and hour": lambda one: f"{one.room_hour:.4f}",
    }
    return [[name, *(of(one) for one in planned)] for name, of in rows.items()]


def _has(capacity: Capacity, name: str) -> bool:
    return any(pod.name == name for pod in capacity.pods)


def _pods(name: str) -> Callable[[Capacity], str]:
    return lambda one: f"{one.replicas(name):,}"


def trial_rows(tried: Tried) -> list[list[str]]:
    """The lines of one plan in the table of trials."""
    rows = []
    for number, minute in enumerate(tried.minutes):
        day = [f"{tried.capacity.rooms:,}", f"{tried.day.room_hour:.4f}", f"{tried.day.busiest.max():.0%}"]
        rows.append(
            [
                *(day if number == 0 else ["", "", ""]),
                minute.name,
                f"{minute.paid:,}",
                f"{minute.p50_s:.2f}",
                f"{minute.p99_s:.2f}",
                f"{minute.worst_s:.1f}",
                f"{minute.late:,}",
                f"{minute.shed:,}",
            ]
        )
    return rows


def write(measured: Measured, assumed: Assumptions, seed: int, console: Console) -> None:
    """Plans and tries every number of rooms, and writes both files."""
    found = demand(measured, VOICE)
    planned = [plan(count, found, assumed) for count in ROOMS]
    with Progress(console=console) as progress:
        bar = progress.add_task("simulating", total=sum(steps(capacity) for capacity in planned))
        tried = [attempt(capacity, found, assumed, seed, lambda: progress.advance(bar)) for capacity in planned]
    (HERE / "measured.svg").write_text(picture(measured, planned, tried))
    (HERE / "README.md").write_text(_page(measured, found, assumed, tried, seed))


def tables(measured: Measured, assumed: Assumptions) -> str:
    """The capacities: what a test compares the page with."""
    found = demand(measured, VOICE)
    own, large = ([plan(count, found, assumed, gpu=gpu) for count in ROOMS] for gpu in (False, True))
    heading = ["rooms on air", *(f"{count:,}" for count in ROOMS)]
    return "\n".join(
        [
            BEGIN,
            "",
            "Lydia's own networks, on processors alone:",
            "",
            *_markdown(heading, plan_rows(own)),
            "",
            "Large models on GPUs in their place (`--gpu`; the GPUs' speeds are assumed, see below):",
            "",
            *_markdown(heading, plan_rows(large)),
            "",
            END,
        ]
    )


def _page(measured: Measured, found: Demand, assumed: Assumptions, tried: Sequence[Tried], seed: int) -> str:
    trials = [row for one in tried for row in trial_rows(one)]
    costs = {one.capacity.rooms: one.day.room_hour for one in tried}
    largest = costs[ROOMS[-1]]
    flat = [rooms for rooms, cost in costs.items() if abs(cost / largest - 1) <= 0.15]
    late = {name: sum(m.late for one in tried for m in one.minutes if m.name == name) for name in _scene_names(tried)}
    assumptions = [[f"`{one.key}`", f"{one.value:g}", one.unit, one.because] for one in assumed.lines]
    return PAGE.read_text().format(
        machine=measured.machine,
        date=measured.date,
        remark=measured.remark,
        lines=_lines_text(measured),
        tables=tables(measured, assumed),
        up=_up_text(measured, assumed),
        money=_money(tried[-1].capacity),
        seed=seed,
        day_steps=len(tried[0].day.rooms),
        limit=objective_s(assumed),
        session_s=assumed["session_s"],
        rejoin_s=assumed["rejoin_s"],
        trials=_lines(_markdown(TRIAL_COLUMNS, trials)),
        largest=ROOMS[-1],
        flat_from=min(flat),
        late="; ".join(f"{name}: {count:,}" for name, count in late.items()),
        assumptions=_lines(_markdown(("key", "value", "unit", "because"), assumptions)),
        records=_records_text(found, assumed),
    )


def _scene_names(tried: Iterable[Tried]) -> list[str]:
    return list(dict.fromkeys(minute.name for one in tried for minute in one.minutes))


def _lines_text(measured: Measured) -> str:
    rows = []
    for where, voice in dict.fromkeys((step.where, step.voice) for step in measured.steps):
        chosen = measured.of(where, voice)
        for part in (None, *(chosen[0].cpu_s if where == CLUSTER and voice == VOICE else ())):
            found = line(chosen, part)
            first, more = resident_mb(chosen, part)
            name = f"**{where}, {voice}**" if part is None else f"– {part}"
            figures = [f"{1000 * value:.1f}" for value in (found.start, found.room, found.voice, found.event)]
            rows.append([name, *figures, f"{found.worst:.0%}", f"{first:.0f}", f"{more:.1f}"])
    figures = ["no room", "a room", "a second of sound", "an event, ms"]
    heading = ["thousandths of a core", *figures, "off by at most", "MB", "MB a room"]
    text = _lines(_markdown(heading, rows))
    latencies = [
        f"{step.where}, {step.voice}, {step.speaking} speaking: p50 {percentile(step.latencies_ms, 0.5):.0f} ms "
        f"({step.busy_with_others:.0%} of the machine busy with others)"
        for step in measured.steps
        if step.latencies_ms and step.where == UP
    ]
    return f"{text}\n\nTyped message to first voice meanwhile: {'; '.join(latencies)}."


def _up_text(measured: Measured, assumed: Assumptions) -> str:
    chosen = line(measured.of(UP, VOICE))
    sound, events = assumed["speaking_share"], assumed.events_per_s
    room = chosen.room + chosen.voice * sound + chosen.event * events
    return (
        f"{1000 * chosen.start:.0f} thousandths of a core for herself and {1000 * room:.0f} for each room as assumed, "
        f"so one event loop carries about {max(int((assumed['busy_core'] - chosen.start) / room), 0)} of them."
    )


def _money(capacity: Capacity) -> str:
    return ", ".join(f"{name} {cost / capacity.cost_hour:.0%}" for name, cost in capacity.cost.items() if cost)


def _records_text(found: Demand, assumed: Assumptions) -> str:
    rates = found.records_per_s(assumed)
    return ", ".join(f"`{topic}` {rate:.2f}" for topic, rate in sorted(rates.items())) + " a second and room"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(heading)} |",
        f"|---|{'---:|' * (len(heading) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
