"""The ambient lane: likes, follows, shares and enters, gathered into an occasional remark."""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import chain, takewhile

from services.core.events import PendingEvent

REMARK_MS = 15_000
"""Pause between two remarks at least."""
OVERDUE_MS, PATIENCE_MS = 60_000, 10_000
"""In a lively room, where something better always waits, so long after the last remark one takes its turn before chat,
for what is worth it and has waited that long."""
WORTH_A_TURN = 2.0
LIFETIME_MS = 60_000
LIMIT = 100
"""Events of one kind that are gathered at most; beyond it the oldest leaves."""
LIKES = 30
"""So many likes are worth a remark."""
NAMED = 20
"""Viewers in one remark at most."""
WEIGHT = {"follow": 3.0, "share": 2.0, "enter": 1.0, "like": 1.0 / LIKES}
MOST = {"enter": 2.5, "like": 1.5}
"""However many they are, these weigh no more: a crowd must not hide the one who follows."""


class AmbientLane:
    """Gathers by kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, OrderedDict[str, PendingEvent]] = {kind: OrderedDict() for kind in WEIGHT}

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def __contains__(self, event_id: str) -> bool:
        return any(event_id in events for events in self._kinds.values())

    def events(self) -> list[PendingEvent]:
        """All that is gathered."""
        return [pending for events in self._kinds.values() for pending in events.values()]

    def oldest_ms(self) -> int | None:
        """When the first event came. Unix time; None while nothing is gathered."""
        firsts = [next(iter(events.values())).arrived_at_ms for events in self._kinds.values() if events]
        return min(firsts, default=None)

    def add(self, pending: PendingEvent) -> PendingEvent | None:
        """Takes an event in; returns the one that has to leave for it, if any."""
        events = self._kinds[pending.event.WhichOneof("kind") or ""]
        events[pending.event.event_id] = pending
        return events.popitem(last=False)[1] if len(events) > LIMIT else None

    def remove(self, event_id: str) -> PendingEvent:
        return next(events.pop(event_id) for events in self._kinds.values() if event_id in events)

    def get(self, event_id: str) -> PendingEvent:
        return next(events[event_id] for events in self._kinds.values() if event_id in events)

    def remark(self, now_ms: int, remarked_ms: int) -> list[PendingEvent]:
        """What to remark on now, all of one kind; empty when it is too early or not worth it."""
        if now_ms < remarked_ms + REMARK_MS:
            return []
        kind = max(self._kinds, key=self._weight)
        return self._gathered(kind) if self._weight(kind) >= 1 else []

    def overdue(self, now_ms: int, remarked_ms: int) -> list[PendingEvent]:
        """What to remark on although better things wait; empty when nothing is worth that."""
        if now_ms < remarked_ms + OVERDUE_MS:
            return []
        kind = max(self._kinds, key=self._weight)
        if self._weight(kind) < WORTH_A_TURN:
            return []
        events = self._gathered(kind)
        return events if now_ms - events[0].arrived_at_ms >= PATIENCE_MS else []

    def expired(self, now_ms: int) -> list[PendingEvent]:
        """Events nobody remembers any more."""
        old = [takewhile(lambda p: now_ms - p.arrived_at_ms >= LIFETIME_MS, e.values()) for e in self._kinds.values()]
        return list(chain.from_iterable(old))

    def next_due_ms(self, now_ms: int, remarked_ms: int) -> int | None:
        """When to look again: the next remark or the first expiry. Unix time; None while nothing is gathered."""
        firsts = [next(iter(events.values())) for events in self._kinds.values() if events]
        times = [first.arrived_at_ms + LIFETIME_MS for first in firsts]
        if firsts:
            times.append(remarked_ms + REMARK_MS)
        return min((time for time in times if time > now_ms), default=None)

    def _gathered(self, kind: str) -> list[PendingEvent]:
        events = list(self._kinds[kind].values())
        return events if kind == "like" else events[:NAMED]

    def _weight(self, kind: str) -> float:
        events = self._kinds[kind].values()
        number = sum(pending.event.like.count for pending in events) if kind == "like" else len(events)
        return min(number * WEIGHT[kind], MOST.get(kind, math.inf))
