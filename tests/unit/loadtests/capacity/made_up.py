"""A demand with round numbers, so that tests of the plan do not depend on what was measured."""

from __future__ import annotations

from loadtests.capacity.demand import Demand, Part
from loadtests.capacity.measured import Line

# start, a room, a second of sound, an event
LINES = {
    "gateway": (0.01, 0.0, 0.0, 0.001),
    "audience": (0.02, 0.0, 0.0, 0.001),
    "replica": (0.02, 0.0005, 0.002, 0.002),
    "ray": (0.05, 0.0, 0.0, 0.003),
    "chat": (0.02, 0.0, 0.003, 0.0),
    "speech": (0.02, 0.0, 0.004, 0.0),
    "motion": (0.02, 0.0, 0.008, 0.0),
    "stage": (0.02, 0.001, 0.009, 0.0005),
    "redis": (0.002, 0.0, 0.001, 0.0003),
    "kafka": (0.05, 0.0, 0.008, 0.001),
    "triton": (0.004, 0.0, 0.06, 0.0),
}
DEMAND = Demand(
    {name: Part(name, Line(*values, worst=0.0), 150, 0.5) for name, values in LINES.items()},
    {"lydia.voice": 1.2, "lydia.frames": 1.2, "lydia.text": 0.5},
    mb_per_s=0.01,
    mb_per_voice_s=0.1,
)
