"""The paid lane: gifts, super-chats and the fans club, each thanked, none dropped, what belongs together at once."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass, field

from services.core.events import PendingEvent
from services.core.lanes import given_fen, value_fen

COMBO_MS = 1500
"""A combo is thanked when nothing was added to it for so long,"""
COMBO_LIMIT_MS = 6000
"""and at the latest so long after its first message that waits."""
COMBOS = 1000
"""Combos remembered; the one that rested longest is forgotten first, at the latest after COMBO_LIMIT_MS."""
PATIENCE_MS = 20_000
"""Who has waited longer comes before larger gifts."""
RETRY_MS = (1000, 2000, 5000, 15_000, 60_000)
"""Pause before the next attempt, after 1, 2, 3 … attempts that were not heard."""
MAX_TURN_BYTES = 400_000

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Waiting:
    """An event that waits. Thousands may, and a message that can be read takes ten times what it is written in."""

    key: Key
    combo: str
    """The name of the combo that it may belong to; empty when it cannot."""
    written: bytes
    """As a PendingEvent, but for `not_before_ms`."""
    order: int
    arrived_at_ms: int
    not_before_ms: int
    value_fen: int
    given_fen: int

    def pending(self) -> PendingEvent:
        """To be read."""
        pending = PendingEvent.FromString(self.written)
        pending.not_before_ms = self.not_before_ms
        return pending


@dataclass(slots=True)
class _Group:
    """What one viewer gave of one kind."""

    events: dict[str, _Waiting] = field(default_factory=dict)
    value_fen: int = 0


@dataclass(slots=True)
class _Combo:
    """The same gift of one viewer again and again."""

    waiting: set[str]
    since_ms: int
    """When the first came of those that wait."""
    last_ms: int


class PaidLane:
    """Not bounded by number: what was paid is never dropped. Viewers' money bounds it."""

    def __init__(self, *, interrupt_fen: int, thanks_at_once: int) -> None:
        self._interrupt_fen = interrupt_fen
        self._thanks_at_once = thanks_at_once
        self._groups: OrderedDict[Key, _Group] = OrderedDict()
        self._events: dict[str, _Waiting] = {}
        self._urgent: set[Key] = set()
        self._held_back: set[str] = set()
        """The events that may not be thanked yet, as far as is known: few, however many wait."""
        self._combos: OrderedDict[tuple[str, str], _Combo] = OrderedDict()

    def __len__(self) -> int:
        return len(self._events)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._events

    def events(self) -> list[PendingEvent]:
        """Copies of all that wait."""
        return [waiting.pending() for group in self._groups.values() for waiting in group.events.values()]

    def get(self, event_id: str) -> PendingEvent:
        """A copy. Raises KeyError."""
        return self._events[event_id].pending()

    def oldest_ms(self) -> int | None:
        """When the oldest came. Unix time."""
        return min((waiting.arrived_at_ms for waiting in self._events.values()), default=None)

    def given_fen(self) -> int:
        """What was really given with all of them, in fen (0.01 CNY)."""
        return sum(waiting.given_fen for waiting in self._events.values())

    def approve(self, event_id: str) -> PendingEvent:
        """Notes that an operator wants it answered, and returns a copy. Raises KeyError."""
        pending = self.get(event_id)
        pending.approved = True
        self._events[event_id].written = pending.SerializeToString()
        return pending

    def arrive(self, pending: PendingEvent, now_ms: int) -> None:
        """Takes an event in; a new one of a combo makes the whole combo wait for the next.

        A platform that knows no combos sends a gift for each: the first is thanked at once, as any gift, and what
        follows fast upon it is a combo.
        """
        waiting = self._add(pending)
        self._hold_back(pending.event.event_id, pending.not_before_ms)
        name = (waiting.key[0], waiting.combo)
        if not waiting.combo or pending.attempt:
            return
        combo = self._combos.get(name)
        follows = combo is not None and now_ms - combo.last_ms <= COMBO_MS
        if combo is None or not (combo.waiting or follows):
            combo = self._combos[name] = _Combo(set(), now_ms, now_ms)
        if not combo.waiting:
            combo.since_ms = now_ms
        combo.waiting.add(pending.event.event_id)
        combo.last_ms = now_ms
        self._combos.move_to_end(name)
        oldest = next(iter(self._combos.values()))
        while len(self._combos) > COMBOS or now_ms - oldest.last_ms > COMBO_LIMIT_MS:
            self._combos.popitem(last=False)
            oldest = next(iter(self._combos.values()))
        if not (follows or pending.event.gift.combo_id):
            return
        until = 0 if waiting.key in self._urgent else min(now_ms + COMBO_MS, combo.since_ms + COMBO_LIMIT_MS)
        for event_id in combo.waiting:
            self._hold_back(event_id, until)
        pending.not_before_ms = until

    def remove(self, event_id: str) -> PendingEvent:
        """Takes an event out: it is being thanked, or an operator decided otherwise."""
        waiting = self._events.pop(event_id)
        self._held_back.discard(event_id)
        group = self._groups[waiting.key]
        del group.events[event_id]
        group.value_fen -= waiting.value_fen
        if not group.events:
            del self._groups[waiting.key]
        self._weigh(waiting.key)
        combo = self._combos.get((waiting.key[0], waiting.combo))
        if combo is not None:
            combo.waiting.discard(event_id)
        return waiting.pending()

    def urgent(self, now_ms: int) -> bool:
        """Whether something waits that cuts in at once."""
        events = (waiting for key in self._urgent for waiting in self._groups[key].events.values())
        return any(waiting.not_before_ms <= now_ms for waiting in events)

    def thanks(self, now_ms: int, *, urgent_first: bool = False) -> list[list[PendingEvent]]:
        """What to thank next, one list for each viewer, all of one kind; empty when nothing is due.

        Who has waited long comes first, then the largest gift. A super-chat with a text stands alone, to be answered.
        """
        due = [(key, events) for key, group in self._groups.items() if (events := _ready(group, now_ms))]
        due.sort(key=lambda entry: (urgent_first and entry[0] not in self._urgent, *_rank(entry[1], now_ms)))
        if not due:
            return []
        (_, kind, alone), _ = due[0]
        same = [events for key, events in due if key[1:] == (kind, alone)]
        return _within_size(same[: self._thanks_at_once])

    def next_ready_ms(self, now_ms: int, *, urgent_only: bool) -> int | None:
        """When the next waiting event may be thanked that may not be now. Unix time."""
        for event_id in list(self._held_back):
            if self._events[event_id].not_before_ms <= now_ms:
                self._hold_back(event_id, 0)  # from now on it may be thanked, even if the clock is set back
        held_back = [self._events[event_id] for event_id in self._held_back]
        wanted = (waiting for waiting in held_back if not urgent_only or waiting.key in self._urgent)
        return min((waiting.not_before_ms for waiting in wanted), default=None)

    def _add(self, pending: PendingEvent) -> _Waiting:
        event = pending.event
        event_id = event.event_id
        kind = sys.intern(event.WhichOneof("kind") or "")
        key = (event.viewer.id, kind, event_id if event.super_chat.text else "")
        gift = event.gift
        waiting = _Waiting(
            key,
            sys.intern(gift.combo_id or gift.gift_id or gift.name),
            pending.SerializeToString(),
            pending.order,
            pending.arrived_at_ms,
            pending.not_before_ms,
            value_fen(event),
            given_fen(event),
        )
        group = self._groups.setdefault(key, _Group())
        group.events[event_id] = waiting
        group.value_fen += waiting.value_fen
        self._events[event_id] = waiting
        self._weigh(key)
        return waiting

    def _hold_back(self, event_id: str, until_ms: int) -> None:
        self._events[event_id].not_before_ms = until_ms
        if until_ms:
            self._held_back.add(event_id)
        else:
            self._held_back.discard(event_id)

    def _weigh(self, key: Key) -> None:
        if key in self._groups and self._groups[key].value_fen >= self._interrupt_fen:
            self._urgent.add(key)
        else:
            self._urgent.discard(key)


def retry_at(attempt: int, now_ms: int) -> int:
    """When to try again after one attempt more than `attempt` was not heard. Unix time."""
    return now_ms + RETRY_MS[min(attempt, len(RETRY_MS) - 1)]


def _order(waiting: _Waiting) -> int:
    return waiting.order


def _ready(group: _Group, now_ms: int) -> list[_Waiting]:
    return sorted((w for w in group.events.values() if w.not_before_ms <= now_ms), key=_order)


def _rank(events: list[_Waiting], now_ms: int) -> tuple[int, int, int]:
    first = events[0]
    if now_ms - first.arrived_at_ms >= PATIENCE_MS:
        return 0, 0, first.order
    return 1, -sum(waiting.value_fen for waiting in events), first.order


def _within_size(groups: list[list[_Waiting]]) -> list[list[PendingEvent]]:
    """As many of the events, in order, as one record can carry; at least one."""
    left = MAX_TURN_BYTES
    kept: list[list[PendingEvent]] = []
    for events in groups:
        taken: list[PendingEvent] = []
        for waiting in events:
            pending = waiting.pending()
            left -= pending.event.ByteSize() + 8
            if left < 0 and (kept or taken):
                break
            taken.append(pending)
        if taken:
            kept.append(taken)
        if left < 0:
            break
    return kept
