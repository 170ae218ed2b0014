"""The page and the picture: README.md and measured.svg, written from the measurement and the simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import RAY, REPLICA, Demand, demand, installed
from loadtests.capacity.latency import WITHIN as LATENCY_WITHIN
from loadtests.capacity.latency import beyond_s, compared, known
from loadtests.capacity.measured import CLUSTER, REPLICAS, UP, Measured, line, resident_mb
from loadtests.capacity.picture import picture
from loadtests.capacity.scenes import STAGE, Tried, attempt, steps
from loadtests.capacity.sizing import MEMBERS, Capacity, plan
from loadtests.capacity.window import objective_s, stage_away_s

HERE = Path(__file__).parent
PAGE = HERE / "page.md"
"""The page's words, with places for figures."""
ROOMS = (1, 10, 100, 1_000, 10_000, 100_000)
VOICE = "fast"
"""The measured one; what her own costs more is assumed."""
COMPARED = 1_000
"""Rooms of the plan that is tried without the gateway's limit too."""
FLAT = 0.15
WITHIN = 0.3
"""How well measured steps are foretold."""
WORDS = ("rooms on air", "thousandths of a core", "where", "minute", "key", "unit", "because")
"""Headings of columns that hold words."""
TRIAL_COLUMNS = (
    "rooms", "USD/room·h, a day", "worst use", "minute", "rooms in it", "paid events",
    "p50 s", "p99 s", "longest s", "objective s", "late", "shed",
)  # fmt: skip
WITHOUT = ("room_per_s=0", "evenly=0.999")
BEGIN, END = "<!-- planned: begin -->", "<!-- planned: end -->"


def plan_rows(planned: Sequence[Capacity]) -> list[list[str]]:
    """The table of capacities: what is counted, and a number for each of the plans."""
    pods = [pod.name for pod in planned[0].pods]
    rows: dict[str, Callable[[Capacity], str]] = {
        "rooms that a release takes": lambda one: f"{one.release.rooms:,}",
        "bounded by": lambda one: one.release.bound,
        "releases": lambda one: f"{one.releases:,}",
        **{f"{name} pods of a release": _pods(name) for name in pods},
        "nodes": lambda one: f"{one.nodes:,}",
        "GPUs": lambda one: f"{one.gpus:,}",
        "cores used": lambda one: f"{one.cores_used:,.1f}",
        "records a second, without voice and frames": lambda one: f"{one.records_per_s:,.0f}",
        "MB/s to renderers": lambda one: f"{one.stream_mb_per_s:,.1f}",
        "USD an hour": lambda one: f"{one.cost_hour:,.2f}",
        "USD for a room and hour": lambda one: f"{one.room_hour:.4f}",
    }
    return [[name, *(of(one) for one in planned)] for name, of in rows.items()]


def _pods(name: str) -> Callable[[Capacity], str]:
    return lambda one: f"{one.pod(name).replicas:,}"


def trial_rows(tried: Tried) -> list[list[str]]:
    """The lines of one plan in the table of trials."""
    rows = []
    for number, minute in enumerate(tried.minutes):
        day = [f"{tried.capacity.rooms:,}", f"{tried.day.room_hour:.4f}", f"{tried.day.busiest.max():.0%}"]
        rows.append(
            [
                *(day if number == 0 else ["", "", ""]),
                minute.name,
                f"{minute.rooms:,}",
                f"{minute.paid:,}",
                f"{minute.p50_s:.2f}",
                f"{minute.p99_s:.2f}",
                f"{minute.worst_s:.1f}",
                f"{minute.limit_s:g}",
                f"{minute.late:,}",
                f"{minute.shed:,}",
            ]
        )
    return rows


def write(measured: Measured, assumed: Assumptions, seed: int, console: Console) -> None:
    """Plans and tries, and writes both files: every number of rooms, and one without the gateway's limit."""
    found, unlimited = known(measured, VOICE, assumed), _unlimited(assumed)
    asked = [
        (unlimited, plan(COMPARED, found, unlimited)), *((assumed, plan(count, found, assumed)) for count in ROOMS)
    ]  # fmt: skip
    with Progress(console=console) as progress:
        bar = progress.add_task("simulating", total=sum(steps(one, by) for by, one in asked))
        without, *tried = [attempt(one, found, by, seed, lambda: progress.advance(bar)) for by, one in asked]
    planned = [plan(count, found, assumed) for count in ROOMS]
    (HERE / "measured.svg").write_text(picture(measured, planned, tried))
    (HERE / "README.md").write_text(_page(measured, assumed, without, tried, seed))


def _unlimited(assumed: Assumptions) -> Assumptions:
    """A gateway that takes everything; then large rooms cannot be spread as evenly, whatever is paid for it."""
    return Assumptions([*assumed.given, *WITHOUT])


def tables(measured: Measured, assumed: Assumptions) -> str:
    """The capacities: what a test compares the page with."""
    found = installed(measured, VOICE, assumed)
    heading = ["rooms on air", *(f"{count:,}" for count in ROOMS)]
    said = {
        "With Lydia's own networks, on processors alone:": (assumed, False),
        "The same with large models on GPUs in their place (`--gpu`; the GPUs' speeds are assumed, see below):": (
            assumed,
            True,
        ),
        "Lydia's own networks, and a gateway that takes everything (here "
        f"`{' '.join(f'--assume {one}' for one in WITHOUT)}`):": (_unlimited(assumed), False),
    }
    lines = [BEGIN]
    for words, (by, gpu) in said.items():
        rows = plan_rows([plan(count, found, by, gpu=gpu) for count in ROOMS])
        lines += ["", words, "", *_markdown(heading, rows)]
    return _lines([*lines, "", END])


def _page(measured: Measured, assumed: Assumptions, without: Tried, tried: Sequence[Tried], seed: int) -> str:
    found = known(measured, VOICE, assumed)
    costs = {one.capacity.rooms: one.day.room_hour for one in tried}
    flat = [rooms for rooms, cost in costs.items() if abs(cost / costs[ROOMS[-1]] - 1) <= FLAT]
    late = {name: sum(m.late for one in tried for m in one.minutes if m.name == name) for name in _scene_names(tried)}
    assumptions = [[f"`{one.key}`", f"{one.value:g}", one.unit, one.because] for one in assumed.lines]
    return PAGE.read_text().format(
        machine=measured.machine,
        date=measured.date,
        remark=measured.remark,
        lines=_lines_text(measured),
        tables=tables(measured, assumed),
        up=_up_text(measured, assumed),
        events=_events_text(found, assumed),
        money=_money(plan(ROOMS[-1], found, assumed)),
        seed=seed,
        waits=_waits_text(measured),
        beyond=1000 * found.beyond_s,
        off=f"{WITHIN:.0%}",
        within=f"±{LATENCY_WITHIN:.0%}",
        members=MEMBERS,
        busy=assumed["busy_core"],
        release=tried[0].capacity.release,
        day_steps=len(tried[0].day.rooms),
        limit=objective_s(assumed),
        away=stage_away_s(assumed),
        limit_stage=objective_s(assumed, stage_away_s(assumed)),
        limit_last=next(m.limit_s for m in tried[-1].minutes if m.name == STAGE),
        node_lost_s=assumed["node_lost_s"],
        evict_every_s=assumed["evict_every_s"],
        tolerated_s=assumed["tolerated_s"],
        pod_start_s=assumed["pod_start_s"],
        replica_s=assumed["replica_s"],
        cluster_nodes=assumed["cluster_nodes"],
        session_s=assumed["session_s"],
        rejoin_s=assumed["rejoin_s"],
        taken=assumed["room_per_s"],
        compared=COMPARED,
        without_said=" ".join(f"--assume {one}" for one in WITHOUT),
        without=_lines(_markdown(TRIAL_COLUMNS, trial_rows(without))),
        trials=_lines(_markdown(TRIAL_COLUMNS, [row for one in tried for row in trial_rows(one)])),
        flat=f"{FLAT:.0%}",
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
        shown = {(CLUSTER, VOICE): tuple(chosen[0].cpu_s), (REPLICAS, VOICE): ("audience", REPLICA, RAY)}
        for part in (None, *shown.get((where, voice), ())):
            found = line(chosen, part)
            first, more = resident_mb(chosen, part)
            name = f"**{where}, {voice}**" if part is None else f"– {part}"
            figures = [f"{1000 * value:.1f}" for value in (found.start, found.room, found.voice, found.event)]
            rows.append([name, *figures, f"{found.worst:.0%}", f"{first:.0f}", f"{more:.1f}"])
    figures = ["no room", "a room", "a second of sound", "an event, ms"]
    heading = ["thousandths of a core", *figures, "off by at most", "MB", "MB a room"]
    return _lines(_markdown(heading, rows))


def _waits_text(measured: Measured) -> str:
    """Typed message to first voice, measured beside simulated."""
    rows = []
    for voice in dict.fromkeys(step.voice for step in measured.steps if step.where == CLUSTER):
        pairs = compared(measured.of(CLUSTER, voice), demand(measured, voice))
        for pair in pairs:
            figures = (pair.measured_s, pair.simulated_s, pair.simulated_s + beyond_s(pairs))
            counts = (pair.step.speaking, len(pair.step.latencies_ms))
            rows.append([f"{CLUSTER}, {voice}", *map(str, counts), *(f"{1000 * value:.0f}" for value in figures)])
    heading = ("where", "speaking", "messages", "measured p50, ms", "processors and hops alone", "simulated p50, ms")
    return _lines(_markdown(heading, rows))


def _up_text(measured: Measured, assumed: Assumptions) -> str:
    chosen = line(measured.of(UP, VOICE))
    sound, events = assumed["speaking_share"], assumed.events_per_s
    room = chosen.room + (chosen.voice + assumed["natural_voice"]) * sound + chosen.event * events
    rooms = int((assumed["busy_core"] - chosen.start) / (chosen.room + chosen.voice * sound + chosen.event * events))
    return (
        f"{1000 * chosen.start:.0f} thousandths of a core for herself and {1000 * room:.0f} for each room. "
        "Her voice has threads of its own, everything else is one event loop: "
        f"it carries about {max(rooms, 0)} rooms as assumed."
    )


def _events_text(found: Demand, assumed: Assumptions) -> str:
    """How much of it all is the reading of what the audience does."""
    whole = plan(10_000, found, assumed)
    read = sum(pod.demand for pod in whole.pods if pod.name in ("gateway", "audience", REPLICA)) * whole.releases
    busy, mean = (found.parts["stage"].room_cores(assumed, e) for e in (assumed.kinds[-1].events_per_s, None))
    return (
        f"gateway and audience use {read / whole.cores_used:.0%} of the cores; and a busy room costs the stage "
        f"{1000 * busy:.0f} thousandths of a core, where the mean is {1000 * mean:.0f}"
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
        f"|{'|'.join('---' if name in WORDS else '---:' for name in heading)}|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
