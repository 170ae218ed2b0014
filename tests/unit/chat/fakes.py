"""What chat's tests share: a small persona without files, and requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from services.chat.persona import Persona, load
from services.core.events import (
    AudienceCause,
    AudienceEvent,
    Chat,
    ChatRequest,
    Gift,
    TextSegment,
    Turn,
    Viewer,
)
from services.core.inference import ModelFailed

PERSONA: Persona = load()


def asked(text: str, *, turn_id: str = "0123456789abcdef", epoch: int = 1, name: str = "小明") -> Turn:
    event = AudienceEvent(event_id=f"e{turn_id}", room_id="a", viewer=Viewer(id="v", name=name), chat=Chat(text=text))
    return Turn(turn_id=turn_id, room_id="a", epoch=epoch, audience=AudienceCause(events=[event]))


def gave(*gifts: tuple[str, str, int, int], turn_id: str = "0123456789abcdef") -> Turn:
    """Gifts as (viewer's name, gift's name, count, value in fen)."""
    events = [
        AudienceEvent(
            event_id=f"g{place}",
            room_id="a",
            viewer=Viewer(id=viewer, name=viewer),
            gift=Gift(gift_id=gift, name=gift, count=count, value_fen=value),
        )
        for place, (viewer, gift, count, value) in enumerate(gifts)
    ]
    return Turn(turn_id=turn_id, room_id="a", epoch=1, audience=AudienceCause(events=events))


class Scripted:
    """A model that says what it is told, and fails where it is told."""

    def __init__(self, *segments: str, fails_after: int | None = None) -> None:
        self.segments = segments
        self.fails_after = fails_after
        self.requests: list[ChatRequest] = []
        self.closed = 0

    async def ready(self) -> bool:
        return True

    async def stream(self, request: ChatRequest) -> AsyncIterator[TextSegment]:
        self.requests.append(request)
        turn = request.turn
        common: dict[str, Any] = {"room_id": turn.room_id, "turn_id": turn.turn_id, "epoch": turn.epoch}
        try:
            for place, text in enumerate(self.segments):
                if place == self.fails_after:
                    raise ModelFailed("as told")
                yield TextSegment(**common, sequence=place, text=text, last=place == len(self.segments) - 1)
            if self.fails_after is not None and self.fails_after >= len(self.segments):
                raise ModelFailed("as told")
        finally:
            self.closed += 1


CACHE = Path("data") / "cache"
