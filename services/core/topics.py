"""The topics of DESIGN.md and what each carries."""

from __future__ import annotations

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

CARRIES: dict[str, type[Message]] = {
    AUDIENCE: events.AudienceEvent,
    TURNS: events.Turn,
    DECISIONS: events.Decision,
    TEXT: events.TextSegment,
    VOICE: events.VoiceChunk,
    FRAMES: events.MotionChunk,
    PERFORMED: events.Performed,
    CONTROL: events.Control,
}


def dead(topic: str) -> str:
    """Where records of `topic` go that cannot be processed."""
    return f"{topic}.dead"
