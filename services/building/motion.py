"""The motion service: her face and body."""

from __future__ import annotations

from services.building.part import Part, Ports, Shared
from services.core.inference import InProcess
from services.core.settings import Settings
from services.motion.model.rules import Rules
from services.motion.service import RULES, Motion


def build(_settings: Settings, ports: Ports, _shared: Shared) -> Part:
    """Moves her by rules."""
    motion = Motion(ports.bus, ports.state, InProcess({RULES: Rules()}), ports.clock, ports.telemetry, rungs=(RULES,))
    return Part({"motion": motion}, rung=RULES, drain=motion.drain)
