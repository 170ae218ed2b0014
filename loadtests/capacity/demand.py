"""What a room needs of each part, from the measurement of the services as processes of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.measured import (
    CLUSTER,
    REPLICAS,
    Line,
    Measured,
    Step,
    line,
    records_per_s,
    resident_mb,
    stream_mb,
)
from services.core import topics

SERVICES = ("gateway", "audience", "chat", "speech", "motion", "stage")
REPLICA, RAY = "replica", "ray"
"""A replica of the audience, which decides, and Ray beside it, which leads every event to its room's replica. The
service is the bridge to them then.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of process."""

    name: str
    line: Line
    resident_mb: float
    """Of one process without a room."""
    room_mb: float
    """For each further room."""

    def room_cores(self, assumed: Assumptions, events_per_s: float | None = None) -> float:
        """Of one room, with so many events a second or the mean of all rooms."""
        events = assumed.events_per_s if events_per_s is None else events_per_s
        sound = assumed["speaking_share"]
        shed = assumed.shed_per_s * assumed["shed_s"] if self.name == "gateway" else 0.0
        return self.line.room * assumed["renderers"] + self.line.voice * sound + self.line.event * events + shed


@dataclass(frozen=True, slots=True)
class Demand:
    """Of everything."""

    parts: dict[str, Part]
    records_per_voice_s: dict[str, float]
    """Topic → records for a second of sound."""
    mb_per_s: float
    """To one renderer, whether she speaks or not."""
    mb_per_voice_s: float
    """Beside that."""
    beyond_s: float = 0.0
    """What a first voice waits for beside processors and hops (loadtests.capacity.latency)."""

    def records_per_s(self, assumed: Assumptions) -> dict[str, float]:
        """Topic → records of one room."""
        found = {topic: rate * assumed["speaking_share"] for topic, rate in self.records_per_voice_s.items()}
        return found | {topics.AUDIENCE: assumed.events_per_s, topics.DECISIONS: assumed.events_per_s}

    def stream_mb_per_s(self, assumed: Assumptions) -> float:
        """To the renderers of one room, in the mean."""
        return (self.mb_per_s + self.mb_per_voice_s * assumed["speaking_share"]) * assumed["renderers"]


def demand(measured: Measured, voice: str) -> Demand:
    """Of what was measured: the steps of a voice. Raises KeyError when it was not measured on the cluster."""
    steps = measured.of(CLUSTER, voice)
    parts = {name: _part(steps, name) for name in steps[0].cpu_s}
    return Demand(parts, records_per_s(steps), *stream_mb(steps))


def installed(measured: Measured, voice: str, assumed: Assumptions) -> Demand:
    """Of what the chart installs: the audience decides on Ray Serve, and Triton has her own voice, as assumed.

    Raises KeyError as `demand` does, and where nothing was measured with replicas.
    """
    found = demand(measured, voice)
    triton = found.parts["triton"]
    own = replace(triton, line=replace(triton.line, voice=triton.line.voice + assumed["natural_voice"]))
    apart = measured.of(REPLICAS, "fast")
    audience = {name: _part(apart, name) for name in ("audience", REPLICA, RAY)}
    return replace(found, parts=found.parts | audience | {"triton": own})


def _part(steps: list[Step], name: str) -> Part:
    return Part(name, line(steps, name), *resident_mb(steps, name))
