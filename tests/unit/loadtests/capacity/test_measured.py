"""What was measured, and the lines through it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtests.capacity import report
from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import SERVICES, demand
from loadtests.capacity.latency import WITHIN as LATENCY_WITHIN
from loadtests.capacity.latency import Compared, beyond_s, compared
from loadtests.capacity.measured import (
    CLUSTER,
    FILE,
    UP,
    Measured,
    Step,
    line,
    load,
    records_per_s,
    resident_mb,
    save,
    stream_mb,
)
from loadtests.capacity.window import Scene, simulate

MEASURED = load()
WITHIN = report.WITHIN
PAIRS = {voice: compared(MEASURED.of(CLUSTER, voice), demand(MEASURED, voice)) for voice in ("fast", "lydia")}


def step(quiet: int, speaking: int, voice_s: float, events: int, cores: float) -> Step:
    return Step(
        where=UP, voice="fast", quiet=quiet, speaking=speaking, seconds=10, cpu_s={"lydia": cores * 10, "redis": 0.0},
        voice_s=voice_s, events=events, records={"lydia.voice": int(voice_s * 2)}, sound_s=voice_s,
        stream_mb=0.1 * (quiet + speaking) + 0.05 * voice_s, resident_mb={"lydia": 300 + quiet + speaking, "redis": 10},
        latencies_ms=[], holes=0, rungs={}, busy_with_others=0.0,
    )  # fmt: skip


def made_up() -> list[Step]:
    rooms = [(0, 0, 0.0, 0), (8, 0, 0.0, 0), (4, 1, 12.0, 0), (4, 4, 45.0, 0), (0, 1, 10.0, 200), (0, 1, 11.0, 900)]
    return [
        step(*each, 0.02 + 0.003 * (each[0] + each[1]) + 0.02 * each[2] / 10 + 0.004 * each[3] / 10) for each in rooms
    ]


def test_a_line_finds_what_it_was_made_of() -> None:
    found = line(made_up())
    assert (found.start, found.room, found.voice, found.event) == pytest.approx((0.02, 0.003, 0.02, 0.004))
    assert found.worst < 1e-6


def test_nothing_costs_less_than_nothing() -> None:
    steps = [replace(one, cpu_s={"lydia": 1.0 - 0.1 * one.speaking, "redis": 0.0}) for one in made_up()]
    found = line(steps)
    assert min(found.start, found.room, found.voice, found.event) >= 0
    assert line(steps, "redis").cpu_s(10, 5, 5, 5) == 0


def test_records_traffic_and_memory_come_for_each_room() -> None:
    steps = made_up()
    assert records_per_s(steps)["lydia.voice"] == pytest.approx(2, rel=0.05)
    assert stream_mb(steps) == pytest.approx((0.01, 0.05))
    assert resident_mb(steps) == pytest.approx((310, 1))


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    kept = Measured("a machine", "2112-01-01", "", made_up())
    save(kept, tmp_path / "kept.json")
    assert load(tmp_path / "kept.json") == kept
    with pytest.raises(KeyError, match="loud on up"):
        kept.of(UP, "loud")


def speaking() -> list[tuple[Step, list[Step]]]:
    """Every measured step with one to eight speaking rooms in the plan's voice, and the other steps of its run.

    Her own stepped down to that one in some steps, so that no line goes through all of them.
    """
    runs = [(UP, report.VOICE), (CLUSTER, report.VOICE)]
    return [
        (one, [other for other in MEASURED.of(*run) if other is not one])
        for run in runs
        for one in MEASURED.of(*run)
        if 1 <= one.speaking <= 8 and not one.events
    ]


def name(one: Step | list[Step]) -> str:
    return f"{one.where}, {one.voice}, {one.speaking}" if isinstance(one, Step) else "others"


@pytest.mark.parametrize(("one", "others"), speaking(), ids=name)
def test_each_measured_step_is_foretold_by_the_others(one: Step, others: list[Step]) -> None:
    foretold = line(others).cpu_s(one.seconds, one.quiet + one.speaking, one.voice_s, one.events)
    assert foretold == pytest.approx(sum(one.cpu_s.values()), rel=WITHIN)


@pytest.mark.parametrize("one", [one for one, _ in speaking() if one.where == CLUSTER], ids=name)
def test_the_simulation_works_as_much_as_the_real_services_did(one: Step) -> None:
    """As many rooms, as much sound, one replica of each service, and nobody in the audience but the probes."""
    rooms = one.quiet + one.speaking
    share = one.voice_s / one.seconds / rooms
    silent = [f"{kind}_comments=0.0001" for kind in ("quiet", "normal", "busy")]
    assumed = Assumptions([*silent, f"speaking_share={min(share, 1)}"])
    found = demand(MEASURED, one.voice)
    parts = (*SERVICES, "triton")
    # An hour, so that chance plays no part.
    scene = Scene(rooms, dict.fromkeys(parts, 1), seconds=3600)
    worked = simulate(scene, found, assumed, 1).work_s
    cores = sum(worked[part] for part in parts) / 3600
    measured = sum(one.cpu_s[part] for part in parts) / one.seconds
    assert cores == pytest.approx(measured, rel=WITHIN)


@pytest.mark.parametrize(
    ("pair", "others"),
    [(pair, [other for other in pairs if other is not pair]) for pairs in PAIRS.values() for pair in pairs],
    ids=lambda one: name(one.step) if isinstance(one, Compared) else "others",
)
def test_the_simulated_median_to_the_first_voice_is_the_measured_one(pair: Compared, others: list[Compared]) -> None:
    """What it does not know of is taken from the other steps."""
    assert pair.simulated_s < pair.measured_s
    assert pair.simulated_s + beyond_s(others) == pytest.approx(pair.measured_s, rel=LATENCY_WITHIN)


def test_latencies_were_measured_at_one_two_and_four_speaking_rooms() -> None:
    assert [[pair.step.speaking for pair in pairs] for pairs in PAIRS.values()] == [[1, 2, 4]] * 2


def test_the_page_shows_what_the_plan_says_now() -> None:
    page = (FILE.parent / "README.md").read_text()
    shown = page[page.index(report.BEGIN) : page.index(report.END) + len(report.END)]
    assert shown == report.tables(MEASURED, Assumptions()), "run python -m loadtests.capacity --report"


def test_what_was_measured_says_where_and_when() -> None:
    assert "commit" in MEASURED.machine
    assert MEASURED.date >= "2026-11-26"
    assert all(np.isfinite(one.voice_s) and one.seconds > 0 for one in MEASURED.steps)
