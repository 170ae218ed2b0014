"""The motion service: her face and body."""

from __future__ import annotations

import logging

from services.building.part import Part, Ports, Shared
from services.core.inference import Inference, InProcess, Model, Placed
from services.core.settings import Settings
from services.motion.model.rules import Rules
from services.motion.service import NETWORK, RULES, Motion

log = logging.getLogger(__name__)

RULES_HERE = "motion.rules-here"
"""The same rules in this process, for when no model server answers: they cost next to nothing."""


def asked(settings: Settings) -> tuple[str, ...]:
    """The models that motion asks a model server for, where there is one, best first."""
    # Her own voices all tell their phonemes: only a foreign one needs an ear, and the time to load it.
    return (NETWORK, RULES) if settings.motion.network or settings.speech.base_url else (RULES,)


def build(settings: Settings, ports: Ports, _shared: Shared) -> Part:
    """Moves her by rules, and by ear where nobody knows the phonemes or the settings want it."""
    inference: Inference
    if ports.models is None:
        here: dict[str, Model] = {RULES: Rules()}
        if NETWORK in asked(settings) and (network := _network()) is not None:
            here[NETWORK] = network
        rungs = tuple(rung for rung in (NETWORK, RULES) if rung in here)
        inference = InProcess(here)
    else:
        there = asked(settings)
        rungs = (*there, RULES_HERE)
        inference = Placed(InProcess({RULES_HERE: Rules()}), ports.models, there)
    by_ear = () if settings.motion.network else (NETWORK,)
    motion = Motion(ports.bus, ports.state, inference, ports.clock, ports.telemetry, rungs=rungs, by_ear=by_ear)
    first = next(rung for rung in rungs if rung not in by_ear)
    return Part({"motion": motion}, listening=motion.listening, rung=first, drain=motion.drain)


def _network() -> Model | None:
    """The network, or nothing when it does not load: then the rules move her by ear."""
    from services.motion.model.network.rung import ByEar, Net

    try:
        return ByEar(Net())
    except Exception as error:  # ONNX Runtime's errors have no common class
        log.warning("the rules move her by ear, for the network does not load: %s", error)
        return None
