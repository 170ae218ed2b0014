"""Where audience keeps what it knows of a room in the state."""

from __future__ import annotations

from services.core.state.port import DAY_S

ROOMS = "audience:rooms"
"""Hash: rooms with something unfinished, which are taken up again after a restart."""
KEEP_S = 7 * DAY_S
HELD_S = 30
SEEN_PAID_S = 2 * DAY_S
"""Longer than a platform hands out again what it could not deliver (a day)."""
SEEN_S = 3600


def lease_key(room_id: str) -> str:
    """Lease: who holds it decides for the room, and alone writes the keys below."""
    return f"room:{room_id}:lease"


def held_key(room_id: str) -> str:
    """Set while a process that reads the topics itself has the room, with something unfinished in it."""
    return f"room:{room_id}:held"


def show_key(room_id: str) -> str:
    """ShowState."""
    return f"room:{room_id}:show"


def pending_key(room_id: str) -> str:
    """Hash: event id → PendingEvent."""
    return f"room:{room_id}:pending"


def outbox_key(room_id: str) -> str:
    """Outbox: what was decided last and may not have been published."""
    return f"room:{room_id}:outbox"


def seen_key(room_id: str, event_id: str) -> str:
    """Set when the event has been taken in."""
    return f"room:{room_id}:seen:{event_id}"
