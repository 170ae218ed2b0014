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
    """What a service does on the bus, besides reading what its groups read (`topics.READERS`)."""

    follows: tuple[str, ...] = ()
    """Topics that it reads without a group."""
    writes: tuple[str, ...] = ()


ACCESS: Mapping[Name, Access] = {
    "gateway": Access(
        follows=(topics.TURNS, topics.PERFORMED),
        writes=(topics.AUDIENCE, topics.dead(topics.AUDIENCE)),
    ),
    "audience": Access(writes=(topics.TURNS, topics.DECISIONS, topics.CONTROL, topics.STEPS)),
    "chat": Access(follows=(topics.CONTROL,), writes=(topics.TEXT,)),
    "speech": Access(follows=(topics.CONTROL,), writes=(topics.VOICE,)),
    "motion": Access(follows=(topics.CONTROL,), writes=(topics.FRAMES,)),
    "stage": Access(
        follows=(topics.CONTROL, topics.DECISIONS, topics.TURNS),
        writes=(topics.PERFORMED, topics.CONTROL),
    ),
}


def reads(name: Name) -> tuple[str, ...]:
    """The topics that a service reads, in a group or without one."""
    grouped = (topic for group in topics.groups_of(name).values() for topic in group)
    return tuple(dict.fromkeys((*grouped, *ACCESS[name].follows)))
