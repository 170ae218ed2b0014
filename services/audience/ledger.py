"""What follows from a step of the director, written down while it decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.audience import keys
from services.core.events import LANE_AMBIENT, LANE_PAID, Control, Decision, PendingEvent, ScoreTerm, ShowState, Turn
from services.core.ids import derived
from services.core.lanes import lane_of
from services.core.state.port import Change, DropField, Put, PutField, PutNew


@dataclass(frozen=True, slots=True)
class Opened:
    """A turn, and the traces of what caused it, the first one first."""

    turn: Turn
    traceparents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A decision, and the trace of its event."""

    decision: Decision
    traceparent: str


@dataclass(slots=True)
class Outputs:
    """What follows from an input. To be published in the order controls, turns, decisions."""

    controls: list[Control] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    accepted: list[PendingEvent] = field(default_factory=list)
    """Paid events that came in and are owed thanks from now on."""
    thanked: list[PendingEvent] = field(default_factory=list)
    """Paid events whose thanks were heard to their end."""
    changes: list[Change] = field(default_factory=list)
    """Of the state, to be applied all at once, before anything is published."""
    wants_epoch: bool = False
    """The room's next epoch must be taken and handed in as EpochTaken before any other input."""
    wake_at_ms: int | None = None
    """When a Tick is due if nothing happens before. Unix time."""


class Ledger:
    """Collects the outputs of one room's steps."""

    def __init__(self, room_id: str) -> None:
        self._room_id = room_id
        self._out = Outputs()

    def close(self, *, wants_epoch: bool, wake_at_ms: int | None) -> Outputs:
        """The outputs since the last time."""
        out, self._out = self._out, Outputs()
        out.wants_epoch, out.wake_at_ms = wants_epoch, wake_at_ms
        return out

    def open(self, turn: Turn, cause: Sequence[PendingEvent]) -> None:
        self._out.opened.append(Opened(turn, tuple(p.traceparent for p in cause if p.traceparent)))

    def tell(
        self,
        pending: PendingEvent,
        outcome: Decision.Outcome,
        reason: Decision.Reason,
        now_ms: int,
        *,
        turn_id: str = "",
        terms: Sequence[ScoreTerm] = (),
        detail: str = "",
    ) -> None:
        """What became of an event."""
        event = pending.event
        decision = Decision(
            decision_id=derived("decision", self._room_id, event.event_id, outcome, pending.attempt),
            room_id=self._room_id,
            decided_at_ms=now_ms,
            event_id=event.event_id,
            outcome=outcome,
            reason=reason,
            lane=lane_of(event) or LANE_AMBIENT,
            score=round(sum(term.value for term in terms), 4),
            terms=terms,
            turn_id=turn_id,
            detail=detail,
            event=event,
        )
        self._out.told.append(Told(decision, pending.traceparent))

    def control(self, control: Control, now_ms: int, *cause: str | int) -> None:
        """Audience itself has something to say to all; `cause` makes its id."""
        control.control_id = derived("control", self._room_id, *cause)
        control.room_id = self._room_id
        control.at_ms = now_ms
        control.issued_by = "audience"
        self._out.controls.append(control)

    def seen(self, pending: PendingEvent) -> None:
        """The event is known from now on."""
        life = keys.SEEN_PAID_S if lane_of(pending.event) == LANE_PAID else keys.SEEN_S
        self._out.changes.append(PutNew(keys.seen_key(self._room_id, pending.event.event_id), b"1", life))

    def owe(self, pending: PendingEvent) -> None:
        """The event was paid for, and waits for its thanks."""
        self._out.accepted.append(pending)

    def thanked(self, pending: PendingEvent) -> None:
        """Its thanks were heard to their end: it is forgotten."""
        self._out.thanked.append(pending)
        self.forget(pending)

    def keep(self, pending: PendingEvent) -> None:
        """The event waits."""
        key = keys.pending_key(self._room_id)
        self._out.changes.append(PutField(key, pending.event.event_id, pending.SerializeToString(), keys.KEEP_S))

    def forget(self, pending: PendingEvent) -> None:
        """The event waits no more."""
        self._out.changes.append(DropField(keys.pending_key(self._room_id), pending.event.event_id))

    def keep_show(self, show: ShowState) -> None:
        self._out.changes.append(
            Put(keys.show_key(self._room_id), show.SerializeToString(deterministic=True), keys.KEEP_S)
        )

    def register(self, *, busy: bool) -> None:
        """Whether the room has something unfinished that must be taken up after a restart."""
        change = (
            PutField(keys.ROOMS, self._room_id, b"1", keys.KEEP_S) if busy else DropField(keys.ROOMS, self._room_id)
        )
        self._out.changes.append(change)
