"""What was measured, as it is kept, and the lines that go through it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

UP, CLUSTER, REPLICAS = "up", "cluster", "replicas"
"""Where."""
FILE = Path(__file__).parent / "measured.json"


@dataclass(frozen=True, slots=True)
class Step:
    """Some seconds in which nothing changed."""

    where: str
    """up: everything in one process; cluster: every service in its own, over Kafka, Redis and Triton; replicas: the
    same, with the audience deciding in one replica on Ray Serve.
    """
    voice: str
    """fast, lydia or finest."""
    quiet: int
    """Rooms with a renderer in which nothing happens."""
    speaking: int
    """Rooms in which she speaks without an end."""
    seconds: float
    cpu_s: dict[str, float]
    """Processor seconds by part."""
    voice_s: float
    """Of sound that arrived, over all rooms."""
    events: int
    """Audience events of a crowd: texts, likes and entrances, hardly one of them answered."""
    records: dict[str, int]
    """Topic → records, from the opening of the rooms until everything was finished."""
    sound_s: float
    """Of sound that arrived in that time."""
    stream_mb: float
    """Arrived at the renderers, one in each room."""
    resident_mb: dict[str, float]
    """Megabytes by part, at the end."""
    latencies_ms: list[float]
    """From the scheduled send of typed messages to the first voice, in rooms of their own."""
    holes: int
    """Voice that did not follow on."""
    rungs: dict[str, int]
    """Rung → rooms that had it at the end; another one than asked for could not keep up."""
    busy_with_others: float
    """Share of the machine's processor time that went to processes that have nothing to do with it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A whole measurement."""

    machine: str
    date: str
    remark: str
    steps: list[Step]

    def of(self, where: str, voice: str) -> list[Step]:
        """The steps of one voice. Raises KeyError when there are none."""
        found = [step for step in self.steps if (step.where, step.voice) == (where, voice)]
        if not found:
            raise KeyError(f"{voice} on {where}")
        return found


@dataclass(frozen=True, slots=True)
class Line:
    """Processor seconds = seconds · (start + quiet · rooms) + voice · seconds of sound + event · events."""

    start: float
    """Of a core, with no room at all."""
    room: float
    """Of a core, for each room with a renderer, whether she speaks or not."""
    voice: float
    """Processor seconds for a second of sound."""
    event: float
    """Processor seconds for an audience event that is not answered."""
    worst: float
    """Largest difference of a step from the line, as a share of the step and a tenth of the largest."""

    def cpu_s(self, seconds: float, rooms: float, voice_s: float, events: float) -> float:
        """What the line says."""
        return seconds * (self.start + self.room * rooms) + self.voice * voice_s + self.event * events


def save(measured: Measured, file: Path = FILE) -> None:
    """As JSON, whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(measured), indent=1) + "\n")
    fresh.replace(file)


def load(file: Path = FILE) -> Measured:
    """Raises OSError, ValueError, KeyError or TypeError for what is no such file."""
    values = json.loads(file.read_text())
    return Measured(values["machine"], values["date"], values["remark"], [Step(**step) for step in values["steps"]])


def line(steps: list[Step], part: str | None = None) -> Line:
    """The line through the steps, of one part or of all together: least squares, no coefficient below zero."""
    table = np.array([[s.seconds, s.seconds * (s.quiet + s.speaking), s.voice_s, s.events] for s in steps])
    found = np.array([sum(s.cpu_s.values()) if part is None else s.cpu_s[part] for s in steps])
    # Small steps count for less than their share, so that what is hardly measurable does not bend the line.
    weights = 1 / (found + 0.1 * found.max() + 1e-9)
    coefficients = _not_negative(table * weights[:, None], found * weights)
    worst = float((np.abs(table @ coefficients - found) * weights).max())
    start, room, voice, event = (float(value) for value in coefficients)
    return Line(start, room, voice, event, worst)


def _not_negative(table: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares with coefficients of at least zero: of all choices of columns the best that has none below."""
    columns = table.shape[1]
    best, least = np.zeros(columns), float(target @ target)
    for chosen in range(1, 2**columns):
        kept = [column for column in range(columns) if chosen >> column & 1]
        part, *_ = np.linalg.lstsq(table[:, kept], target, rcond=None)
        error = float(((table[:, kept] @ part - target) ** 2).sum())
        if (part >= 0).all() and error < least - 1e-12:
            best, least = np.zeros(columns), error
            best[kept] = part
    return best


def records_per_s(steps: list[Step]) -> dict[str, float]:
    """Topic → records for a second of sound, over the steps without a crowd."""
    chosen = [step for step in steps if step.sound_s and not step.events]
    sound = sum(step.sound_s for step in chosen)
    topics = sorted({topic for step in chosen for topic in step.records})
    return {topic: sum(step.records.get(topic, 0) for step in chosen) / sound for topic in topics}


def stream_mb(steps: list[Step]) -> tuple[float, float]:
    """Megabytes to one renderer: for each second, and for each second of sound beside that."""
    chosen = [step for step in steps if step.stream_mb]
    table = np.array([[step.seconds * (step.quiet + step.speaking), step.voice_s] for step in chosen])
    each, sound = _not_negative(table, np.array([step.stream_mb for step in chosen]))
    return float(each), float(sound)


def resident_mb(steps: list[Step], part: str | None = None) -> tuple[float, float]:
    """Megabytes of the processes without a room, and for each further room."""
    rooms = np.array([step.quiet + step.speaking for step in steps], dtype=float)
    memory = [sum(step.resident_mb.values()) if part is None else step.resident_mb[part] for step in steps]
    slope, first = np.polyfit(rooms, np.array(memory), 1)
    return float(first), max(float(slope), 0.0)
