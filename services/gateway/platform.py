"""What every platform adapter keeps to: bytes in, audience events out, nothing lost in between.

An adapter is pure: it neither waits nor remembers. The gateway publishes what it yields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.core import ids
from services.core.events import AudienceEvent


@dataclass(frozen=True, slots=True)
class Incoming:
    """One delivery of a platform, already found to be authentic."""

    room_id: str
    body: bytes
    received_at_ms: int
    """Unix time, milliseconds."""
    message_type: str = ""
    """The type that the transport announced outside the body; empty when each item names its own."""


@dataclass(frozen=True, slots=True)
class BadItem:
    """An item that is no event. It goes to the dead letters, so that a person can look at it."""

    raw: bytes
    """JSON."""
    reason: str
    """Names the field, never its content."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything that one delivery held."""

    events: tuple[AudienceEvent, ...] = ()
    bad: tuple[BadItem, ...] = ()
    unknown: int = 0
    """Items of types that this version does not know; they are ignored."""


class Unreadable(Exception):
    """The delivery as a whole is not in the platform's form, so no item of it could be found."""


class Adapter(Protocol):
    """One way in which a platform's events arrive. The same bytes always give the same events."""

    @property
    def platform(self) -> str:
        """The name in `AudienceEvent.platform`."""

    @property
    def transport(self) -> str:
        """The name in `AudienceEvent.transport`."""

    def parse(self, incoming: Incoming) -> Parsed:
        """Raises Unreadable; a bad item is in `Parsed.bad` and costs its neighbours nothing."""


def event_id(platform: str, room_id: str, message_id: str) -> str:
    """The id of an audience event: the same for every delivery of one message, by whatever transport."""
    return ids.derived("event", platform, room_id, message_id)
