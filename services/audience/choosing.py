"""Which turn comes next, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.audience.chats import Question
from services.audience.floor import Floor
from services.audience.queues import Queues
from services.audience.rundown import IdleTalk
from services.core.events import (
    LANE_AMBIENT,
    LANE_CHAT,
    LANE_MODERATION,
    LANE_PAID,
    MODE_AUTO,
    MODE_TAKEOVER,
    Control,
    Decision,
    Lane,
    PendingEvent,
    ShowState,
    Turn,
)
from services.core.ids import derived

THANKS_MS = 15_000
"""While thanks have followed upon thanks for so long, one question is answered in between: gifts may come faster than
she can thank, and then nobody else would ever hear her."""


@dataclass(slots=True)
class Pace:
    """How the turns followed upon each other lately."""

    thanking_since_ms: int | None = None
    """When the present row of thanks began."""
    large_first: bool = True
    """In a row of thanks, large gifts and those who have waited long come first by turns."""

    def opened(self, choice: Choice, now_ms: int) -> None:
        """A turn follows upon the one before."""
        if choice.between_thanks:
            self.rested()
        if not choice.thanked:
            return
        if self.thanking_since_ms is None:
            self.thanking_since_ms = now_ms
        self.large_first = not self.large_first

    def rested(self) -> None:
        """No thanks were due, or something else was heard to its end: what thanks cut off is no answer."""
        self.thanking_since_ms, self.large_first = None, True

    def owes_an_answer(self, now_ms: int) -> bool:
        return self.thanking_since_ms is not None and now_ms - self.thanking_since_ms >= THANKS_MS


@dataclass(slots=True)
class Choice:
    """What she will say next. Exactly one of `say`, `thanked`, `question` and `gathered` is set, or none: idle talk."""

    lane: Lane
    reason: Decision.Reason = Decision.REASON_UNSPECIFIED
    say: Control | None = None
    thanked: list[list[PendingEvent]] = field(default_factory=list)
    """Paid events by viewer."""
    question: Question | None = None
    gathered: list[PendingEvent] = field(default_factory=list)
    cutting: Floor | None = None
    """The turn it replaces."""
    between_thanks: bool = False
    """Thanks let it go first, and do not cut it off."""

    def events(self) -> list[PendingEvent]:
        """All events it answers, in their order in the turn."""
        asked = self.question.asked if self.question else []
        return [*asked, *(pending for group in self.thanked for pending in group), *self.gathered]


def choose(
    show: ShowState, floor: Floor | None, queues: Queues, idle: IdleTalk, pace: Pace, now_ms: int
) -> Choice | None:
    """The next turn; None when the floor is taken and nothing may cut in, or nothing is to be said."""
    if show.panic or show.muted:
        return None
    if floor is None:
        return _next(show, queues, idle, pace, now_ms)
    choice = _cutting(show, floor, queues, now_ms) if floor.yields() else None
    if choice is not None:
        choice.cutting = floor
    return choice


def held(show: ShowState) -> bool:
    """Whether answers are left to the operator."""
    return bool(show.panic or show.muted or show.mode != MODE_AUTO)


def allowed(show: ShowState, lane: Lane) -> bool:
    """Whether a running turn of the lane may go on."""
    if show.panic or show.muted:
        return False
    return bool(show.mode != MODE_TAKEOVER or lane == LANE_MODERATION)


def write_turn(choice: Choice, room_id: str, epoch: int, show: ShowState, idle: IdleTalk, now_ms: int) -> Turn:
    """The turn of a choice. Idle talk takes its entry of the rundown by this."""
    turn = Turn(room_id=room_id, epoch=epoch, lane=choice.lane, opened_at_ms=now_ms)
    events = choice.events()
    if choice.say is not None:
        turn.operator.text, turn.operator.attempt = choice.say.say.text, choice.say.say.attempt
        turn.turn_id = derived("turn", room_id, "say", choice.say.control_id)
    elif events:
        turn.audience.events.extend(pending.event for pending in events)
        turn.turn_id = derived("turn", room_id, *_ids(events), max(pending.attempt for pending in events))
    else:
        quiet_ms = now_ms - show.quiet_since_ms if show.quiet_since_ms else 0
        turn.silence.quiet_ms = max(quiet_ms, 0)
        turn.silence.rundown_index = idle.take()
        turn.turn_id = derived("turn", room_id, "silence", turn.silence.rundown_index, epoch)
    return turn


def _ids(events: Sequence[PendingEvent]) -> list[str]:
    return [pending.event.event_id for pending in events]


def _cutting(show: ShowState, floor: Floor, queues: Queues, now_ms: int) -> Choice | None:
    if show.says:
        return Choice(LANE_MODERATION, say=show.says[0])
    if show.mode != MODE_AUTO:
        return None
    if queues.paid.urgent(now_ms) and not floor.between_thanks:
        return Choice(LANE_PAID, Decision.REASON_PAID, thanked=queues.paid.thanks(now_ms, urgent_first=True))
    if not floor.fills_silence():
        return None
    if thanked := queues.paid.thanks(now_ms):
        return Choice(LANE_PAID, Decision.REASON_PAID, thanked=thanked)
    return _best_chat(queues, now_ms)


def _next(show: ShowState, queues: Queues, idle: IdleTalk, pace: Pace, now_ms: int) -> Choice | None:
    if show.says:
        return Choice(LANE_MODERATION, say=show.says[0])
    if show.mode == MODE_TAKEOVER:
        return None
    for event_id, from_ms in queues.approved.items():
        if from_ms <= now_ms:
            return _approved(queues, event_id)
    if show.mode != MODE_AUTO:
        return None
    if pace.owes_an_answer(now_ms) and (chat := _best_chat(queues, now_ms)):
        chat.between_thanks = True
        return chat
    if thanked := queues.paid.thanks(now_ms, urgent_first=pace.large_first):
        return Choice(LANE_PAID, Decision.REASON_PAID, thanked=thanked)
    if named := queues.ambient.overdue(now_ms, show.remarked_at_ms):
        return Choice(LANE_AMBIENT, Decision.REASON_GATHERED, gathered=named)
    if chat := _best_chat(queues, now_ms):
        return chat
    if gathered := queues.ambient.remark(now_ms, show.remarked_at_ms):
        return Choice(LANE_AMBIENT, Decision.REASON_GATHERED, gathered=gathered)
    idle_ms = idle.next_ms(now_ms)
    return Choice(LANE_AMBIENT) if idle_ms is not None and idle_ms <= now_ms else None


def _best_chat(queues: Queues, now_ms: int) -> Choice | None:
    question = queues.chats.best(now_ms)
    return None if question is None else Choice(LANE_CHAT, Decision.REASON_BEST_SCORE, question=question)


def _approved(queues: Queues, event_id: str) -> Choice:
    if event_id in queues.chats:
        return Choice(LANE_CHAT, Decision.REASON_APPROVED, question=queues.chats.question(event_id))
    if event_id in queues.paid:
        return Choice(LANE_PAID, Decision.REASON_APPROVED, thanked=[[queues.paid.get(event_id)]])
    return Choice(LANE_AMBIENT, Decision.REASON_APPROVED, gathered=[queues.ambient.get(event_id)])
