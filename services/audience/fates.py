"""What becomes of events: told as decisions, and forgotten when nothing more can become of them."""

from __future__ import annotations

from services.audience.chats import Question
from services.audience.choosing import Choice
from services.audience.ledger import Ledger
from services.audience.queues import Queues
from services.core.events import Decision, PendingEvent, Turn


class Fates:
    """Writes decisions on events into the ledger."""

    def __init__(self, queues: Queues, ledger: Ledger) -> None:
        self._queues = queues
        self._ledger = ledger

    def waits(self, pending: PendingEvent, now_ms: int, *, detail: str = "") -> None:
        """It is in its queue, with its present score."""
        waiting, chats = Decision.OUTCOME_WAITING, self._queues.chats
        if pending.event.event_id not in chats:
            self._ledger.tell(pending, waiting, Decision.REASON_PAID, now_ms, detail=detail)
            return
        question = chats.question(pending.event.event_id)
        reason = Decision.REASON_UNSPECIFIED if question.asked[0] is pending else Decision.REASON_NEAR_DUPLICATE
        self._ledger.tell(pending, waiting, reason, now_ms, terms=chats.terms(question, now_ms), detail=detail)

    def chosen(self, choice: Choice, turn: Turn, now_ms: int) -> None:
        """The first event of a question, of each thanked viewer and of a remark is chosen, the others go with it."""
        question = choice.question
        terms = self._queues.chats.terms(question, now_ms) if question else []
        for group in (question.asked if question else [], *choice.thanked, choice.gathered):
            for i, pending in enumerate(group):
                reason = Decision.REASON_NEAR_DUPLICATE if i and question else choice.reason
                outcome = Decision.OUTCOME_MERGED if i else Decision.OUTCOME_CHOSEN
                told = terms if not i else []
                self._ledger.tell(pending, outcome, reason, now_ms, turn_id=turn.turn_id, terms=told)

    def heard_after_all(self, pending: PendingEvent, turn: Turn, now_ms: int) -> None:
        """It had been put back, and the stage reports late that its thanks were heard in `turn`."""
        chosen, reason = Decision.OUTCOME_CHOSEN, Decision.REASON_PAID
        self._ledger.tell(pending, chosen, reason, now_ms, turn_id=turn.turn_id)
        self._ledger.thanked(pending)

    def dropped(self, pending: PendingEvent, reason: Decision.Reason, now_ms: int, *, detail: str = "") -> None:
        """It will not be answered. The caller has taken it out of its lane."""
        self._ledger.tell(pending, Decision.OUTCOME_DROPPED, reason, now_ms, detail=detail)
        self._ledger.forget(pending)

    def question_dropped(self, question: Question, reason: Decision.Reason, now_ms: int) -> None:
        """Takes a question out of its lane, because none of its events will be answered."""
        terms = self._queues.chats.terms(question, now_ms)
        self._queues.chats.remove(question)
        for pending in question.asked:
            self._queues.approved.pop(pending.event.event_id, None)
            self._ledger.tell(pending, Decision.OUTCOME_DROPPED, reason, now_ms, terms=terms)
            self._ledger.forget(pending)
