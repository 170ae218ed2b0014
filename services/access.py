"""Who reads and writes which topic: the table of DESIGN.md as each service's rights. Charts render users from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.core import topics
from services.names import Name

NOBODY = "lydia.nobody"
"""The group that a reader names who belongs to none: Kafka's library wants one."""
READINESS = (topics.AUDIENCE, "audience")
"""The topic and the group whose lag every service asks for, to see that the bus answers."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a service does on the bus."""

    groups: tuple[str, ...] = ()
    """In which it reads."""
    reads: tuple[str, ...] = ()
    """Topics, in a group or without one."""
    writes: tuple[str, ...] = ()

    @property
    def buries(self) -> tuple[str, ...]:
        """Where its records go that cannot be processed."""
        return tuple(topics.dead(topic) for topic in self.reads)


ACCESS: Mapping[Name, Access] = {
    "gateway": Access(
        reads=(topics.TURNS, topics.PERFORMED),
        writes=(topics.AUDIENCE, topics.dead(topics.AUDIENCE)),
    ),
    "audience": Access(
        groups=("audience",),
        reads=(topics.AUDIENCE, topics.PERFORMED, topics.CONTROL),
        writes=(topics.TURNS, topics.DECISIONS, topics.CONTROL, topics.STEPS),
    ),
    "chat": Access(
        groups=("chat", "chat-history"),
        reads=(topics.TURNS, topics.PERFORMED, topics.CONTROL),
        writes=(topics.TEXT,),
    ),
    "speech": Access(groups=("speech",), reads=(topics.TEXT, topics.CONTROL), writes=(topics.VOICE,)),
    "motion": Access(groups=("motion",), reads=(topics.VOICE, topics.CONTROL), writes=(topics.FRAMES,)),
    "stage": Access(
        groups=("stage",),
        reads=(topics.VOICE, topics.FRAMES, topics.CONTROL, topics.DECISIONS, topics.TURNS, topics.TEXT),
        writes=(topics.PERFORMED, topics.CONTROL),
    ),
}
