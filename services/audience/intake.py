"""Takes audience events in: into their lane's queue, or refused with a reason."""

from __future__ import annotations

from services.audience.choosing import held
from services.audience.fates import Fates
from services.audience.ledger import Ledger
from services.audience.queues import Queues
from services.audience.rundown import IdleTalk
from services.audience.viewers import Viewers
from services.core.events import (
    LANE_AMBIENT,
    LANE_CHAT,
    LANE_PAID,
    Decision,
    Heard,
    Lane,
    PendingEvent,
    ShowState,
)
from services.core.lanes import lane_of, value_fen


class Intake:
    """The way into a room's queues, and, by time, out of them."""

    def __init__(
        self,
        show: ShowState,
        queues: Queues,
        viewers: Viewers,
        idle: IdleTalk,
        fates: Fates,
        ledger: Ledger,
        *,
        chat_lifetime_s: float,
    ) -> None:
        self._show = show
        self._queues = queues
        self._viewers = viewers
        self._idle = idle
        self._fates = fates
        self._ledger = ledger
        self._chat_lifetime_ms = chat_lifetime_s * 1000

    def hear(self, heard: Heard, now_ms: int) -> PendingEvent | None:
        """A new event; returned when it waits now."""
        event = heard.event
        pending = PendingEvent(
            event=event,
            traceparent=heard.traceparent,
            arrived_at_ms=min(event.received_at_ms, now_ms) or now_ms,
            order=self._show.next_order,
        )
        self._show.next_order += 1
        self._ledger.seen(pending)
        lane = lane_of(event)
        refusal = self._refusal(pending, lane, heard.refused_by, now_ms)
        if refusal is not None:
            reason, detail = refusal
            self._fates.dropped(pending, reason, now_ms, detail=detail)
            return None
        if lane == LANE_PAID:
            if heard.refused_by:
                # What was paid is thanked even when its words are refused.
                pending.event.super_chat.text = ""
            if not event.test:
                self._viewers.gave(event.viewer.id, value_fen(event))
        if lane != LANE_AMBIENT:
            self._idle.wrote(now_ms)
        if not self.queue(pending, now_ms):
            return None
        if lane == LANE_PAID:
            self._ledger.owe(pending)
        self._ledger.keep(pending)
        return pending

    def queue(self, pending: PendingEvent, now_ms: int) -> bool:
        """Puts an event into its lane; False when it was dropped for lack of room."""
        lane = lane_of(pending.event)
        if lane == LANE_PAID:
            self._queues.paid.arrive(pending, now_ms)
        elif lane == LANE_CHAT:
            viewer = self._viewers.meet(pending.event.viewer.id)
            if self._queues.chats.add(pending, viewer, now_ms) is None:
                self._fates.dropped(pending, Decision.REASON_NEAR_DUPLICATE, now_ms, detail="asked often enough")
                return False
            lowest = self._queues.chats.overflow(now_ms)
            for question in lowest:
                self._fates.question_dropped(question, Decision.REASON_QUEUE_FULL, now_ms)
            if lowest:
                return pending.event.event_id in self._queues
        else:
            leaving = self._queues.ambient.add(pending)
            if leaving is not None:
                self._fates.dropped(leaving, Decision.REASON_QUEUE_FULL, now_ms)
        return True

    def expire(self, now_ms: int) -> None:
        """Drops what has waited for its whole lifetime."""
        reason = Decision.REASON_HELD if held(self._show) else Decision.REASON_EXPIRED
        for question in self._queues.chats.expired(now_ms):
            self._fates.question_dropped(question, reason, now_ms)
        for pending in self._queues.ambient.expired(now_ms):
            self._fates.dropped(self._queues.remove(pending.event.event_id), reason, now_ms)

    def _refusal(
        self, pending: PendingEvent, lane: Lane | None, refused_by: str, now_ms: int
    ) -> tuple[Decision.Reason, str] | None:
        """Why an event is not even queued, and the detail."""
        event = pending.event
        if event.message_id and event.message_id in self._show.withdrawn:
            return Decision.REASON_WITHDRAWN, ""
        if lane is None:
            return Decision.REASON_NOT_SPEAKABLE, ""
        if lane != LANE_CHAT:
            return None
        if refused_by:
            return Decision.REASON_MODERATED, f"refused by the rule {refused_by}"
        if not event.chat.text.strip():
            return Decision.REASON_NOT_SPEAKABLE, "no words"
        if now_ms - pending.arrived_at_ms >= self._chat_lifetime_ms:
            return Decision.REASON_EXPIRED, "came too late"
        viewer = self._viewers.meet(event.viewer.id)
        if self._queues.chats.floods(event.viewer.id, viewer, now_ms):
            viewer.wrote(now_ms)
            return Decision.REASON_FLOODING, ""
        return None
