"""The topics of DESIGN.md: what each carries, and how a cluster keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from google.protobuf.message import Message

from services.core import events

AUDIENCE = "lydia.audience"
TURNS = "lydia.turns"
DECISIONS = "lydia.decisions"
TEXT = "lydia.text"
VOICE = "lydia.voice"
FRAMES = "lydia.frames"
PERFORMED = "lydia.performed"
CONTROL = "lydia.control"
STEPS = "lydia.steps"
"""The log of every room, for `lydia record`, where the settings want it."""
DEAD = ".dead"

CARRIES: dict[str, type[Message]] = {
    AUDIENCE: events.AudienceEvent,
    TURNS: events.Turn,
    DECISIONS: events.Decision,
    TEXT: events.TextSegment,
    VOICE: events.VoiceChunk,
    FRAMES: events.MotionChunk,
    PERFORMED: events.Performed,
    CONTROL: events.Control,
    STEPS: events.LogEntry,
}


READERS: Mapping[str, tuple[str, ...]] = {
    "audience": (AUDIENCE, PERFORMED, CONTROL),
    "chat": (TURNS,),
    "chat-history": (PERFORMED,),
    "speech": (TEXT,),
    "motion": (VOICE,),
    "stage": (VOICE, FRAMES),
}
"""What each group reads. A group belongs to the service whose name it begins with; what is read without a group is not
here.
"""


def groups_of(*services: str) -> dict[str, tuple[str, ...]]:
    """The groups of these services, and what they read."""
    return {group: topics for group, topics in READERS.items() if group.partition("-")[0] in services}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a topic is kept in a Kafka cluster. Drivers create it so, and charts render it."""

    partitions: int = 12
    """How many members of a group can share the work. The same for all, so that a room's number is the same in all."""
    retention_s: int = 7 * 86_400
    retention_bytes: int = 1_000_000_000
    """Of one partition; the older records go first."""
    cleanup: Literal["delete", "compact"] = "delete"
    """Nothing is compacted: the key is the room, so only a room's last record would stay."""
    max_record_bytes: int = 1_048_588

    def config(self) -> dict[str, str]:
        """As Kafka's topic settings."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_s * 1000),
            "retention.bytes": str(self.retention_bytes),
            "max.message.bytes": str(self.max_record_bytes),
        }


MEDIA = Layout(retention_s=3_600)
"""For voice and frames: 30 to 50 kB a record, a record a second in a speaking room."""
LAYOUTS: Mapping[str, Layout] = {name: MEDIA if name in (VOICE, FRAMES) else Layout() for name in CARRIES}
DEAD_LETTERS = Layout(partitions=1, retention_s=30 * 86_400)


def layout(topic: str, *, partitions: int | None = None) -> Layout:
    """How a topic of this module, or its dead letters, is kept, in so many partitions if given. Raises KeyError for any
    other.
    """
    if topic.endswith(DEAD) and topic.removesuffix(DEAD) in LAYOUTS:
        return DEAD_LETTERS
    return LAYOUTS[topic] if partitions is None else replace(LAYOUTS[topic], partitions=partitions)


def dead(topic: str) -> str:
    """Where records of `topic` go that cannot be processed."""
    return topic + DEAD
