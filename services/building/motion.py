"""The motion service: her face and body."""

from __future__ import annotations

from services.building.part import Part, Ports, Shared
from services.core.inference import Inference, InProcess, Placed
from services.core.settings import Settings
from services.motion.model.rules import Rules
from services.motion.service import RULES, Motion

RULES_HERE = "motion.rules-here"
"""The same rules in this process, for when no model server answers: they cost next to nothing."""


def build(_settings: Settings, ports: Ports, _shared: Shared) -> Part:
    """Moves her by rules."""
    inference: Inference
    if ports.models is None:
        rungs: tuple[str, ...] = (RULES,)
        inference = InProcess({RULES: Rules()})
    else:
        rungs = (RULES, RULES_HERE)
        inference = Placed(InProcess({RULES_HERE: Rules()}), ports.models, {RULES})
    motion = Motion(ports.bus, ports.state, inference, ports.clock, ports.telemetry, rungs=rungs)
    return Part({"motion": motion}, rung=rungs[0], drain=motion.drain)
