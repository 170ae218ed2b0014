"""The chat lane: messages that wait for an answer, near-duplicates together, the best first, none for ever."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from heapq import nsmallest

from services.audience.selection import LOWEST, Worth, company, moving, terms, worth
from services.audience.similar import Form, SimilarIndex, form_of
from services.audience.viewers import WROTE, Viewer
from services.core.events import PendingEvent, ScoreTerm
from services.core.folding import plain

MAX_MERGED = 20
"""Events answered as one at most; more of the same meaning are dropped."""
MAX_WAITING = 4
"""Messages of one viewer in the queue at most."""
FLOOD_MESSAGES, FLOOD_MS = WROTE, 10_000
ANSWERED_MS = 120_000
"""So long a question counts as just answered."""
ANSWERED = 50
LEAVE = 20
"""The part of a lane that is too full that leaves at once."""
VERBATIM = 16
"""A text of so many signs is not written alike by chance: who sends the same is one voice, however many send it."""


@dataclass(slots=True, eq=False)
class Question:
    """One thing viewers said, with everybody who said it. `asked[0]` came first."""

    asked: list[PendingEvent]
    form: Form
    fixed: Worth
    fixed_total: float
    viewer: Viewer
    arrived_ms: int
    company: float = 0.0

    def count_viewers(self) -> None:
        """To be called when `asked` has changed. Nobody is company to what was answered a moment ago."""
        if self.fixed.repeated:
            return
        copied = len(self.form.key) >= VERBATIM
        said_by = {plain(p.event.chat.text) if copied else p.event.viewer.id for p in self.asked}
        self.company = company(len(said_by))

    @property
    def approved(self) -> bool:
        """Whether an operator wants it answered."""
        return any(pending.approved for pending in self.asked)


class ChatLane:
    """Bounded: `size` events; beyond it the lowest scores leave."""

    def __init__(self, *, lifetime_s: float, size: int) -> None:
        self._lifetime_ms = lifetime_s * 1000
        self._size = size
        self._questions: dict[str, Question] = {}
        """By the id of each event. Ordered by arrival, as far as first events go."""
        self._order: OrderedDict[Question, None] = OrderedDict()
        self._by_viewer: Counter[str] = Counter()
        self._similar: SimilarIndex[Question] = SimilarIndex()
        self._answered: OrderedDict[Form, int] = OrderedDict()
        self._similar_answered: SimilarIndex[Form] = SimilarIndex()

    def __len__(self) -> int:
        return len(self._questions)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._questions

    def events(self) -> list[PendingEvent]:
        """All that wait."""
        return [pending for question in self._order for pending in question.asked]

    def oldest_ms(self) -> int | None:
        """When the first question came. Unix time; None while nothing waits."""
        first = next(iter(self._order), None)
        return None if first is None else first.arrived_ms

    def question(self, event_id: str) -> Question:
        """The question an event asked. Raises KeyError."""
        return self._questions[event_id]

    def get(self, event_id: str) -> PendingEvent:
        """A waiting event. Raises KeyError."""
        return next(p for p in self._questions[event_id].asked if p.event.event_id == event_id)

    def floods(self, viewer_id: str, viewer: Viewer, now_ms: int) -> bool:
        """Whether the viewer writes more than she could ever answer. Asked before `add`."""
        hasty = len(viewer.wrote_ms) == FLOOD_MESSAGES and now_ms - viewer.wrote_ms[0] < FLOOD_MS
        return hasty or self._by_viewer[viewer_id] >= MAX_WAITING

    def add(self, pending: PendingEvent, viewer: Viewer, now_ms: int) -> Question | None:
        """Takes a message in; None when its question has been asked often enough."""
        event = pending.event
        form = form_of(event.chat.text)
        question = self._similar.find(form)
        if question is not None and len(question.asked) >= MAX_MERGED:
            return None
        if question is None:
            fixed = worth(event, form, viewer, now_ms, answered_before=self._was_answered(form, now_ms))
            question = Question([pending], form, fixed, fixed.total(), viewer, pending.arrived_at_ms)
            self._order[question] = None
            self._similar.add(question, form)
        else:
            question.asked.append(pending)
            question.count_viewers()
        self._questions[event.event_id] = question
        self._by_viewer[event.viewer.id] += 1
        viewer.wrote(pending.arrived_at_ms, form.key)
        return question

    def remove(self, question: Question) -> None:
        """Takes a question out with all its events."""
        for pending in question.asked:
            self._forget(pending)
        del self._order[question]
        self._similar.remove(question)

    def withdraw(self, event_id: str) -> None:
        """Takes one event out; its question goes on if others asked it too."""
        question = self._questions[event_id]
        if len(question.asked) == 1:
            self.remove(question)
            return
        for pending in question.asked:
            if pending.event.event_id == event_id:
                self._forget(pending)
        question.asked = [pending for pending in question.asked if pending.event.event_id != event_id]
        question.count_viewers()

    def answer(self, question: Question, now_ms: int) -> None:
        """Takes a question out because it gets its answer now."""
        self.remove(question)
        known = self._similar_answered.find(question.form) or question.form
        if known not in self._answered:
            self._similar_answered.add(known, known)
        self._answered[known] = now_ms
        self._answered.move_to_end(known)
        if len(self._answered) > ANSWERED:
            self._similar_answered.remove(self._answered.popitem(last=False)[0])

    def put_back(self, question: Question) -> None:
        """Takes in again, as it was, what was to be answered and then nobody answered."""
        known = self._similar_answered.find(question.form)
        if known is not None:
            del self._answered[known]
            self._similar_answered.remove(known)
        again = self._similar.find(question.form)
        if again is not None:
            self.remove(again)
            question.asked += again.asked
            question.count_viewers()
        for pending in question.asked:
            self._questions[pending.event.event_id] = question
            self._by_viewer[pending.event.viewer.id] += 1
        self._order = OrderedDict.fromkeys(sorted([*self._order, question], key=lambda waiting: waiting.arrived_ms))
        self._similar.add(question, question.form)

    def score(self, question: Question, now_ms: int) -> float:
        age = (now_ms - question.arrived_ms) / self._lifetime_ms
        freshness, waiting, fairness = moving(question.viewer, age, now_ms)
        return question.fixed_total + freshness + waiting + fairness + question.company

    def terms(self, question: Question, now_ms: int) -> list[ScoreTerm]:
        """Why the score is what it is."""
        age = (now_ms - question.arrived_ms) / self._lifetime_ms
        return terms(question.fixed, moving(question.viewer, age, now_ms), question.company)

    def best(self, now_ms: int) -> Question | None:
        """The question to answer now; of equals, the one that came first. None when none is worth it."""
        best, highest = None, LOWEST
        for question in self._order:
            score = self.score(question, now_ms)
            if score > highest:
                best, highest = question, score
        return best

    def overflow(self, now_ms: int) -> list[Question]:
        """The questions that must leave because too many wait, the lowest first; empty while there is room.

        A twentieth of the lane leaves at once: to weigh all that wait for every message of a crowd would cost more than
        everything else that is done with it.
        """
        if len(self._questions) <= self._size:
            return []
        waiting = [question for question in self._order if not question.approved]
        return nsmallest(max(self._size // LEAVE, 1), waiting, key=lambda question: self.score(question, now_ms))

    def expired(self, now_ms: int) -> list[Question]:
        """Questions older than their lifetime. What an operator wants answered waits as long as it must."""
        found = []
        for question in self._order:
            if now_ms - question.arrived_ms < self._lifetime_ms:
                break
            if not question.approved:
                found.append(question)
        return found

    def next_expiry_ms(self) -> int | None:
        """When the first question expires. Unix time."""
        first = next((question for question in self._order if not question.approved), None)
        return None if first is None else int(first.arrived_ms + self._lifetime_ms)

    def _was_answered(self, form: Form, now_ms: int) -> bool:
        """Whether something of the same meaning was, a moment ago."""
        known = self._similar_answered.find(form)
        return known is not None and now_ms - self._answered[known] < ANSWERED_MS

    def _forget(self, pending: PendingEvent) -> None:
        viewer_id = pending.event.viewer.id
        del self._questions[pending.event.event_id]
        self._by_viewer[viewer_id] -= 1
        if not self._by_viewer[viewer_id]:
            del self._by_viewer[viewer_id]
