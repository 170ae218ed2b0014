"""The scenes that a plan is tried in: a day, and some minutes of its busiest hour, release by release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.day import Day, day
from loadtests.capacity.demand import RAY, REPLICA, Demand
from loadtests.capacity.sizing import TRITON_CORES, Capacity
from loadtests.capacity.window import FAILS_AT_S, Outcome, Scene, objective_s, simulate, stage_away_s

ORDINARY, ZONE, STAGE, CELEBRITY = "ordinary", "a zone fails", "the stage's zone fails", "a celebrity comes"
AFTER_S = 40.0
"""How long to look on once a stage is back."""


@dataclass(frozen=True, slots=True)
class Minute:
    """One scene, over all releases in which it was simulated."""

    name: str
    rooms: int
    """In those releases."""
    paid: int
    p50_s: float
    p99_s: float
    worst_s: float
    limit_s: float
    """The objective."""
    late: int
    """Paid events that waited longer for the machines."""
    events: int
    shed: int


@dataclass(frozen=True, slots=True)
class Tried:
    """A plan and what came of it."""

    capacity: Capacity
    day: Day
    minutes: list[Minute]


def scenes(capacity: Capacity, assumed: Assumptions) -> dict[str, list[Scene]]:
    """By name: one for each release. A zone takes the stages of a part of them along."""
    servers = {pod.name: pod.replicas for pod in capacity.pods}
    servers[RAY] = servers[REPLICA]
    if "triton" in servers:
        servers["triton"] *= TRITON_CORES
    full, more = divmod(capacity.rooms, capacity.releases)
    ordinary = [Scene(full + (number < more), servers) for number in range(capacity.releases)]
    zones = int(assumed["zones"])
    star = replace(ordinary[0], rooms=ordinary[0].rooms - 1, celebrity_per_s=assumed["celebrity_comments"])
    found = {ORDINARY: ordinary}
    if zones > 1:
        # A few have a scene of their own for either case.
        apart = capacity.releases >= zones
        nodes = ceil(min(capacity.nodes, assumed["cluster_nodes"]) / zones)
        found[ZONE] = [replace(one, zone_fails=True) for n, one in enumerate(ordinary) if n % zones or not apart]
        found[STAGE] = [
            _without_stage(one, stage_away_s(assumed, n // zones % nodes))
            for n, one in enumerate(ordinary)
            if n % zones == 0 or not apart
        ]
    return found | {CELEBRITY: [star]}


def _without_stage(scene: Scene, away_s: float) -> Scene:
    return replace(scene, zone_fails=True, stage_away_s=away_s, seconds=FAILS_AT_S + away_s + AFTER_S)


def steps(capacity: Capacity, assumed: Assumptions) -> int:
    """How often `attempt` tells of progress."""
    return 1 + sum(len(several) for several in scenes(capacity, assumed).values())


def attempt(
    capacity: Capacity, demand: Demand, assumed: Assumptions, seed: int, progressed: Callable[[], None]
) -> Tried:
    """Simulates a day of everything, and minutes of every release: none knows of another."""
    lived = day(capacity, demand, assumed, seed)
    progressed()
    minutes = []
    for name, several in scenes(capacity, assumed).items():
        outcomes = []
        for number, scene in enumerate(several):
            outcomes.append(simulate(scene, demand, assumed, seed + number))
            progressed()
        limit_s = objective_s(assumed, max(scene.stage_away_s for scene in several))
        rooms = sum(scene.rooms + bool(scene.celebrity_per_s) for scene in several)
        minutes.append(_minute(name, rooms, outcomes, limit_s))
    return Tried(capacity, lived, minutes)


def _minute(name: str, rooms: int, outcomes: list[Outcome], limit_s: float) -> Minute:
    waits = np.concatenate([part for found in outcomes for part in (found.waits, found.beside, found.celebrity)])
    p50, p99, worst = np.quantile(waits, (0.5, 0.99, 1.0)) if len(waits) else (0.0, 0.0, 0.0)
    return Minute(
        name, rooms, len(waits), float(p50), float(p99), float(worst), limit_s, int((waits > limit_s).sum()),
        sum(found.events for found in outcomes), sum(found.shed for found in outcomes),
    )  # fmt: skip
