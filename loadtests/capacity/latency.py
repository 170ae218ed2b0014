"""How long a typed message takes to its first voice when little else happens: measured, and as the simulation says.

The simulation knows processor time, queues and hops. What it does not know is in one figure for all steps of a voice:
threads and processes that have to be woken, the state that is asked, what the stage sends ahead of its sound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import SERVICES, Demand, demand, installed
from loadtests.capacity.measured import CLUSTER, Measured, Step
from loadtests.capacity.window import Scene, simulate

WITHIN = 0.5
"""Of the measured median: how well a step is foretold by the others. Few messages were typed in each."""
HOUR_S = 3600
"""So that chance plays no part."""
RARE = [f"{kind}_comments=0.01" for kind in ("quiet", "normal", "busy")]
PAID = ["events_per_comment=2", "paid_per_comment=1"]
"""The simulation looks at gifts only; they go the same way as messages."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One step. Seconds."""

    step: Step
    measured_s: float
    """Median."""
    simulated_s: float
    """Median, by processors, queues and hops alone."""


def compared(steps: list[Step], found: Demand) -> list[Compared]:
    """Every step in which somebody typed, beside the same simulated: as many rooms and as much sound."""
    return [
        Compared(step, float(np.median(step.latencies_ms)) / 1000, _simulated_s(step, found))
        for step in steps
        if step.latencies_ms
    ]


def beyond_s(pairs: list[Compared]) -> float:
    """What the simulation does not know of. Raises ValueError where there is nothing to compare."""
    if not pairs:
        raise ValueError("nobody typed in any step")
    return float(np.median([max(pair.measured_s - pair.simulated_s, 0.0) for pair in pairs]))


def known(measured: Measured, voice: str, assumed: Assumptions) -> Demand:
    """What the chart installs, with what a first voice waits for beside. Raises KeyError as `installed` does."""
    pairs = compared(measured.of(CLUSTER, voice), demand(measured, voice))
    return replace(installed(measured, voice, assumed), beyond_s=beyond_s(pairs))


def scene(step: Step) -> tuple[Scene, Assumptions]:
    """A step as a scene: one of each, and nobody in the audience but who types."""
    rooms = step.quiet + step.speaking
    share = min(step.voice_s / step.seconds / rooms, 1)
    assumed = Assumptions([*RARE, *PAID, f"speaking_share={share}"])
    return Scene(rooms, dict.fromkeys((*SERVICES, "triton"), 1), seconds=HOUR_S), assumed


def _simulated_s(step: Step, found: Demand) -> float:
    alone, assumed = scene(step)
    return float(np.median(simulate(alone, found, assumed, 1).waits))
