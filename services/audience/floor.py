"""The floor: which turn the room hears, and until when its reports are waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar

from services.audience.chats import Question
from services.core.events import LANE_AMBIENT, LANE_CHAT, LANE_PAID, FloorState, PendingEvent, Turn

START_MS = 8000
"""A turn that is not heard so long after it was opened is given up."""
SILENT_MS = 30_000
"""So is one that was heard, when no report of it comes for so long."""
REPORT_MS = 2000
"""How long to wait for the last report of a turn that was killed."""


@dataclass(slots=True)
class Floor:
    """The turn that has the floor. It loses it by its last report, by its death, or by time."""

    turn: Turn
    thanked: list[list[PendingEvent]] = field(default_factory=list)
    """Paid events by viewer, in the order of the turn's segments."""
    ids: frozenset[str] = field(init=False)
    """Of the thanked events."""
    question: Question | None = None
    phase: FloorState.Phase = FloorState.PHASE_OPEN
    heard: int = 0
    """Segments heard to their end."""
    skipped: bool = False
    """What is not heard of it need not be said again."""
    between_thanks: bool = False
    """Thanks let it go first, and do not cut it off. Forgotten by a restart, which only costs the answer its end."""
    since_ms: int = 0
    """The last sign of life. Unix time."""

    _PATIENCE: ClassVar[dict[int, int]] = {
        FloorState.PHASE_OPEN: START_MS,
        FloorState.PHASE_SPEAKING: SILENT_MS,
        FloorState.PHASE_ENDING: REPORT_MS,
    }

    def __post_init__(self) -> None:
        self.ids = frozenset(pending.event.event_id for group in self.thanked for pending in group)

    def deadline_ms(self) -> int:
        """When patience with it ends. Unix time."""
        return self.since_ms + self._PATIENCE[self.phase]

    def alive(self) -> bool:
        return self.phase != FloorState.PHASE_ENDING

    def fills_silence(self) -> bool:
        """Whether it only fills a silence, and ends when a viewer has something to say."""
        return bool(self.turn.WhichOneof("cause") == "silence")

    def yields(self) -> bool:
        """Whether more urgent things may cut it off."""
        return self.alive() and self.turn.lane in (LANE_CHAT, LANE_AMBIENT)

    def answered(self) -> list[PendingEvent]:
        """The events of a turn that is no thanks."""
        if self.question is not None:
            return self.question.asked
        return [PendingEvent(event=event) for event in self.turn.audience.events]

    def thanks(self, event_id: str) -> bool:
        """Whether it is thanking for this event."""
        return event_id in self.ids

    def state(self) -> FloorState:
        return FloorState(turn=self.turn, phase=self.phase, heard_segments=self.heard, skipped=self.skipped)


def restored(state: FloorState, pending: dict[str, PendingEvent], now_ms: int) -> Floor:
    """The floor after a restart. Whoever performs the turn has START_MS to say so."""
    thanked: list[list[PendingEvent]] = []
    if state.turn.lane == LANE_PAID:
        # One list for each segment, the empty ones of those that have been heard too.
        for _, events in groupby(state.turn.audience.events, key=lambda event: event.viewer.id):
            thanked.append([pending[event.event_id] for event in events if event.event_id in pending])
    floor = Floor(state.turn, thanked, phase=state.phase, heard=state.heard_segments, skipped=state.skipped)
    floor.since_ms = now_ms - (SILENT_MS - START_MS if state.phase == FloorState.PHASE_SPEAKING else 0)
    return floor
