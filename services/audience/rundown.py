"""Idle talk: when she speaks by herself because the room is quiet. The words are chat's business."""

from __future__ import annotations

import random

from services.core.events import ShowState
from services.core.ids import derived

GREETING_MS = 3000
"""So long after somebody came to a quiet room."""
PRESENT_MS = 150_000
"""So long a stage's report that somebody watches holds; it is repeated every minute."""
WROTE_MS = 300_000
"""So long a viewer who wrote counts as listening."""
GROWTH, MOST = 0.5, 4.0
"""Each idle talk in a row makes the next pause longer by GROWTH of the first, up to MOST times it."""
JITTER = 0.15


class IdleTalk:
    """Keeps its place in `show`, and in memory whether anybody is there."""

    def __init__(self, room_id: str, show: ShowState, *, quiet_s: float, seed: int) -> None:
        self._room_id = room_id
        self._show = show
        self._quiet_ms = quiet_s * 1000
        self._seed = seed
        self._watched_until_ms = 0
        self._opened_ms = 0

    def presence(self, renderers: int, now_ms: int) -> None:
        """The stage says how many watch."""
        if not renderers:
            self._watched_until_ms = 0
        else:
            if now_ms >= self._watched_until_ms:
                self._opened_ms = now_ms
                self._show.idle_streak = 0
            self._watched_until_ms = now_ms + PRESENT_MS

    def wrote(self, now_ms: int) -> None:
        """A viewer wrote or gave something."""
        self._show.wrote_at_ms = self._show.quiet_since_ms = now_ms
        self._show.idle_streak = 0

    def spoke(self, now_ms: int) -> None:
        """A turn has ended."""
        self._show.quiet_since_ms = now_ms

    def next_ms(self, now_ms: int) -> int | None:
        """When she speaks next if nothing happens; None when nobody will be there. Unix time."""
        due = self._show.quiet_since_ms + self._gap_ms()
        if now_ms < self._watched_until_ms:
            due = max(due, self._opened_ms + GREETING_MS)
        wrote_ms = self._show.wrote_at_ms
        there_until = max(self._watched_until_ms, wrote_ms + WROTE_MS if wrote_ms else 0)
        return due if max(due, now_ms) < there_until else None

    def take(self) -> int:
        """The entry of the rundown that is due now; the next one is due later."""
        index: int = self._show.rundown_index
        self._show.rundown_index += 1
        self._show.idle_streak += 1
        return index

    def _gap_ms(self) -> int:
        # Drawn anew from the entry's own seed, so that a restarted room and a replay draw the same.
        draw = random.Random(derived(self._seed, self._room_id, "idle", self._show.rundown_index))
        grown = min(1 + GROWTH * self._show.idle_streak, MOST)
        return round(self._quiet_ms * grown * draw.uniform(1 - JITTER, 1 + JITTER))
