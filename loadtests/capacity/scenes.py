"""The scenes that a plan is tried in: a day, and three minutes of its busiest hour, cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.day import Day, day
from loadtests.capacity.demand import Demand
from loadtests.capacity.sizing import TRITON_CORES, Capacity
from loadtests.capacity.window import Outcome, Scene, objective_s, simulate

ORDINARY, ZONE, CELEBRITY = "ordinary", "a zone fails", "a celebrity comes"


@dataclass(frozen=True, slots=True)
class Minute:
    """One scene, over the cells that were simulated."""

    name: str
    rooms: int
    """In those cells."""
    paid: int
    p50_s: float
    p99_s: float
    worst_s: float
    late: int
    """Paid events that waited longer for the machines than the objective allows."""
    events: int
    shed: int


@dataclass(frozen=True, slots=True)
class Tried:
    """A plan and what came of it."""

    capacity: Capacity
    day: Day
    minutes: list[Minute]


def scenes(capacity: Capacity, assumed: Assumptions) -> dict[str, Scene]:
    """Of one cell. A celebrity is in one cell only, but which one does not matter."""
    servers = {pod.name: pod.replicas for pod in capacity.pods}
    if "triton" in servers:
        servers["triton"] *= TRITON_CORES
    ordinary = Scene(ceil(capacity.rooms / capacity.cells), servers)
    return {
        ORDINARY: ordinary,
        ZONE: replace(ordinary, zone_fails=True),
        CELEBRITY: replace(ordinary, celebrity_per_s=assumed["celebrity_comments"]),
    }


def steps(capacity: Capacity, cells: int) -> int:
    """How often `attempt` tells of progress."""
    return 1 + 2 * min(capacity.cells, cells) + 1


def attempt(
    capacity: Capacity, demand: Demand, assumed: Assumptions, seed: int, cells: int, progressed: Callable[[], None]
) -> Tried:
    """Simulates a day of everything, and minutes of so many cells at most: they are alike, and none knows another."""
    lived = day(capacity, demand, assumed, seed)
    progressed()
    minutes = []
    for name, scene in scenes(capacity, assumed).items():
        outcomes = []
        for cell in range(1 if scene.celebrity_per_s else min(capacity.cells, cells)):
            outcomes.append(simulate(scene, demand, assumed, seed + cell))
            progressed()
        minutes.append(_minute(name, scene.rooms * len(outcomes), outcomes, objective_s(assumed)))
    return Tried(capacity, lived, minutes)


def _minute(name: str, rooms: int, outcomes: list[Outcome], limit_s: float) -> Minute:
    waits = np.concatenate([part for found in outcomes for part in (found.waits, found.beside, found.celebrity)])
    p50, p99, worst = np.quantile(waits, (0.5, 0.99, 1.0)) if len(waits) else (0.0, 0.0, 0.0)
    return Minute(
        name, rooms, len(waits), float(p50), float(p99), float(worst), int((waits > limit_s).sum()),
        sum(found.events for found in outcomes), sum(found.shed for found in outcomes),
    )  # fmt: skip
