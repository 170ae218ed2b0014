"""Everything that waits in a room, whatever its lane."""

from __future__ import annotations

from services.audience.ambient import AmbientLane
from services.audience.chats import ChatLane
from services.audience.paid import PaidLane
from services.core.events import LANE_AMBIENT, LANE_CHAT, LANE_PAID, Lane, PendingEvent
from services.core.settings import Audience as Policy


class Queues:
    """The three lanes that audience events wait in."""

    def __init__(self, policy: Policy) -> None:
        self.paid = PaidLane(interrupt_fen=policy.interrupt_fen, thanks_at_once=policy.thanks_at_once)
        self.chats = ChatLane(lifetime_s=policy.chat_lifetime_s, size=policy.queue_size)
        self.ambient = AmbientLane()
        self.approved: dict[str, int] = {}
        """Ids of events that an operator wants answered, in that order, and from when on each may be. Unix time."""

    def __contains__(self, event_id: str) -> bool:
        return event_id in self.chats or event_id in self.paid or event_id in self.ambient

    def __len__(self) -> int:
        return len(self.chats) + len(self.paid) + len(self.ambient)

    def sizes(self) -> dict[Lane, int]:
        """Events by lane."""
        return {LANE_PAID: len(self.paid), LANE_CHAT: len(self.chats), LANE_AMBIENT: len(self.ambient)}

    def events(self) -> list[PendingEvent]:
        """All that wait; of the paid ones copies."""
        return [*self.paid.events(), *self.chats.events(), *self.ambient.events()]

    def get(self, event_id: str) -> PendingEvent:
        """A waiting event, of a paid one a copy. Raises KeyError."""
        if event_id in self.chats:
            return self.chats.get(event_id)
        if event_id in self.paid:
            return self.paid.get(event_id)
        return self.ambient.get(event_id)

    def approve(self, event_id: str) -> PendingEvent:
        """An operator wants a waiting event answered. Raises KeyError."""
        if event_id in self.paid:
            pending = self.paid.approve(event_id)
        else:
            pending = self.get(event_id)
            pending.approved = True
        self.approved[event_id] = 0
        return pending

    def remove(self, event_id: str) -> PendingEvent:
        """Takes one event out of its lane. Raises KeyError."""
        if event_id in self.paid:
            pending = self.paid.remove(event_id)
        else:
            pending = self.get(event_id)
            if event_id in self.chats:
                self.chats.withdraw(event_id)
            else:
                self.ambient.remove(event_id)
        self.approved.pop(event_id, None)
        return pending
