"""What a room needs of each part, from the measurement of the services as processes of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.measured import CLUSTER, Line, Measured, line, records_per_s, resident_mb, stream_mb
from services.core import topics

SERVICES = ("gateway", "audience", "chat", "speech", "motion", "stage")

WATCHED = (topics.CONTROL, topics.DECISIONS, topics.TURNS, topics.TEXT)
"""What services.stage.service reads outside of any group."""


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

    def records_per_s(self, assumed: Assumptions) -> dict[str, float]:
        """Topic → records of one room."""
        found = {topic: rate * assumed["speaking_share"] for topic, rate in self.records_per_voice_s.items()}
        return found | {topics.AUDIENCE: assumed.events_per_s, topics.DECISIONS: assumed.events_per_s}

    def watched_per_s(self, assumed: Assumptions) -> float:
        """Records of one room that every stage of its cell reads."""
        rates = self.records_per_s(assumed)
        return sum(rates.get(topic, 0.0) for topic in WATCHED)

    def stream_mb_per_s(self, assumed: Assumptions) -> float:
        """To the renderers of one room, in the mean."""
        return (self.mb_per_s + self.mb_per_voice_s * assumed["speaking_share"]) * assumed["renderers"]


def demand(measured: Measured, voice: str, natural: float = 0.0) -> Demand:
    """From the steps of a voice; `natural` is what another voice needs of Triton beside, for a second of its sound.

    Raises KeyError when the voice was not measured on the cluster.
    """
    steps = measured.of(CLUSTER, voice)
    parts = {}
    for name in steps[0].cpu_s:
        first, more = resident_mb(steps, name)
        through = line(steps, name)
        if name == "triton":
            through = replace(through, voice=through.voice + natural)
        parts[name] = Part(name, through, first, more)
    return Demand(parts, records_per_s(steps), *stream_mb(steps))
