"""What became of each event, from what was sent and what its room showed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtests.load.plan import Event, Plan
from loadtests.load.seen import Seen, Spoken, Told
from loadtests.load.sending import Sent

Outcome = Literal["answered", "dropped", "waiting", "lost", "unseen", "refused"]
"""answered: she said it (paid: to its end). dropped: by choice, with a reason. waiting: it was still on its way when
the watching ended. lost: what came after it in its room has overtaken it, which a room's order forbids. unseen: perhaps
lost, but the stream was away meanwhile. refused: the target did not take it, and said so.
"""


@dataclass(frozen=True, slots=True)
class Fate:
    """One event's way. Times in seconds since the run's begin."""

    event: Event
    way: str
    at_s: float
    """When it was scheduled."""
    outcome: Outcome
    reason: str
    """Of the last decision, or of the refusal; of what was lost, how far it came."""
    times: int = 0
    """In how many turns it was certainly heard to its end."""
    free: bool = False
    """She neither spoke nor was about to when it was scheduled, and it was the next thing that she answered."""
    voice_ms: float | None = None
    """From the scheduled time to the first voice of its turn at the renderer; None when there was none."""
    frame_ms: float | None = None
    gateway_ms: float = 0.0
    """From the scheduled time to the target's answer that it has it."""
    choosing_ms: float | None = None
    """From receipt to the opening of its turn, by the target's clock."""


def accepted(plan: Plan, sent: Iterable[Sent]) -> list[Event]:
    """Events that the target took and that somebody waits for: an answer, or at least a reason.

    Messages of a push of which some were left out may be among those.
    """
    taken = [one for one in sent if not one.refusal]
    ids = {key: one.shed for one in taken for key in one.request.event_ids}
    return [
        plan.events[key]
        for key, shed in ids.items()
        if plan.events[key].lane in (("paid",) if shed else ("paid", "chat"))
    ]


def is_over(event: Event, seen: Seen) -> bool:
    """Whether nothing more can become of it."""
    told = seen.decisions.get(event.event_id, [])
    if told and told[-1].outcome == "dropped":
        return True
    turns = [seen.turns[one.turn_id] for one in told if one.turn_id in seen.turns]
    if event.lane != "paid":
        return any(turn.ended is not None for turn in turns)
    for turn in turns:
        heard = _heard(turn, event.event_id)
        # Cut at its very end: when she goes on with something else and it has not been put back, it was heard.
        moved_on = told[-1].turn_id == turn.turn_id and any(one.began > turn.began for one in seen.turns.values())
        if turn.ended is not None and (heard is True or (heard is None and moved_on)):
            return True
    return False


def fates(plan: Plan, sent: Sequence[Sent], rooms: Sequence[Seen], begin: float, until: float) -> list[Fate]:
    """One for each event that was sent. `begin`, `until`: when the run began and the watching ended."""
    by_room = {seen.room_id: seen for seen in rooms}
    requests: dict[str, list[Sent]] = defaultdict(list)
    for one in sent:
        for key in one.request.event_ids:
            requests[key].append(one)
    turns: dict[str, list[Spoken]] = defaultdict(list)
    for seen in rooms:
        for turn in seen.turns.values():
            for key, _, _ in turn.events:
                turns[key].append(turn)
        for key, told in seen.decisions.items():
            turns[key] += [seen.turns[turn_id] for turn_id in {one.turn_id for one in told} if _unnamed(seen, turn_id)]
    busy = {seen.room_id: _busy(seen, until) for seen in rooms}
    decided = _decided(requests, by_room, plan)
    found = []
    for key, deliveries in requests.items():
        event = plan.events[key]
        seen = by_room[event.room_id]
        found.append(
            _fate(
                event, deliveries, seen, turns.get(key, []), busy[event.room_id], begin, decided.get(event.room_id, 0.0)
            )
        )
    return sorted(found, key=lambda fate: fate.at_s)


def _fate(
    event: Event,
    deliveries: Sequence[Sent],
    seen: Seen,
    turns: Sequence[Spoken],
    busy: Sequence[tuple[float, float]],
    begin: float,
    decided: float,
) -> Fate:
    first = min(deliveries, key=lambda one: one.scheduled)
    taken = [one for one in deliveries if not one.refusal]
    told = seen.decisions.get(event.event_id, [])
    spoken = [turn for turn in turns if turn.first_voice is not None]
    if event.lane == "paid":
        heard = [_heard(turn, event.event_id) for turn in spoken]
        times, answered = heard.count(True), any(one is not False for one in heard)
    else:
        times = sum(turn.ended is not None and turn.stopped_at is None for turn in spoken)
        answered = bool(spoken)
    outcome, reason = _outcome(
        event, taken, told, seen, answered=answered, performed=bool(turns), since=first.scheduled, decided=decided
    )
    if not taken:
        reason = first.refusal
    turn = min(spoken, key=lambda one: one.first_voice or 0.0, default=None)
    voice = frame = choosing = None
    if turn is not None:
        received = next((at_ms for key, _, at_ms in turn.events if key == event.event_id), 0)
        choosing = float(max(turn.opened_at_ms - received, 0)) if received else None
        voice = (turn.first_voice or 0.0) - first.scheduled
        frame = None if turn.first_frame is None else turn.first_frame - first.scheduled
    return Fate(
        event=event,
        way=first.request.way,
        at_s=first.scheduled - begin,
        outcome=outcome,
        reason=reason,
        times=times,
        free=turn is not None and _free(first.scheduled, turn, busy),
        voice_ms=None if voice is None else voice * 1000,
        frame_ms=None if frame is None else frame * 1000,
        gateway_ms=(min((one.answered for one in taken), default=first.answered) - first.scheduled) * 1000,
        choosing_ms=choosing,
    )


def _outcome(
    event: Event,
    taken: Sequence[Sent],
    told: Sequence[Told],
    seen: Seen,
    *,
    answered: bool,
    performed: bool,
    since: float,
    decided: float,
) -> tuple[Outcome, str]:
    last = told[-1] if told else None
    if not taken:
        return "refused", ""
    if answered:
        return "answered", last.reason if last else ""
    if last is not None and last.outcome == "dropped":
        return "dropped", last.reason
    if last is not None and last.outcome == "waiting":
        return "waiting", last.reason
    if event.lane in ("ambient", "silent"):  # gathered into a remark that something better cut off, or not worth a word
        return "dropped", last.reason if last else "not decided"
    if last is None and event.lane != "paid" and any(one.shed for one in taken):
        return "dropped", "left out by the gateway: too many"
    if last is None and decided <= min(one.answered for one in taken):
        return "waiting", "the audience had not come to it"
    if last is not None and not any(at > last.at for turn_id, at in opened(seen).items() if turn_id in seen.turns):
        return "waiting", "its turn was on the way"
    if seen.away_since is not None or any(end > since for _, end in seen.blind):
        return "unseen", "the stream was away meanwhile"
    if last is None:
        return "lost", "between gateway and audience: taken, but no decision was told"
    if not performed:
        return "lost", "between audience and stage: chosen, but its turn was never performed"
    return "lost", "on the stage: its turn was cut before it was heard, and it was not said again"


def _decided(requests: Mapping[str, Sequence[Sent]], rooms: Mapping[str, Seen], plan: Plan) -> dict[str, float]:
    """Room → when the last event was sent that has a decision."""
    latest: dict[str, float] = {}
    for key, deliveries in requests.items():
        room_id = plan.events[key].room_id
        if rooms[room_id].decisions.get(key):
            latest[room_id] = max(latest.get(room_id, 0.0), min(one.sent for one in deliveries))
    return latest


def _unnamed(seen: Seen, turn_id: str) -> bool:
    """Whether it was performed before the stage knew whom it answers, and over before it learned that."""
    return turn_id in seen.turns and not seen.turns[turn_id].events


def _heard(turn: Spoken, event_id: str) -> bool | None:
    """Whether the turn's answer to this event was heard to its end. Segment k thanks the k-th viewer."""
    if not turn.events:  # chosen for it, as the decision tells; of what was cut only the target knows
        return None if turn.ended is None or turn.stopped_at is not None else True
    viewer = next((number for key, number, _ in turn.events if key == event_id), None)
    return False if viewer is None else turn.heard(viewer)


def opened(seen: Seen) -> dict[str, float]:
    """Turn → when it was told of first."""
    first: dict[str, float] = {}
    for told in seen.decisions.values():
        for one in told:
            if one.turn_id:
                first[one.turn_id] = min(first.get(one.turn_id, one.at), one.at)
    return first


def _free(at: float, turn: Spoken, busy: Sequence[tuple[float, float]]) -> bool:
    """Whether nothing else was said or about to be said from a moment on until the turn that answers it."""
    return all(end <= at or start >= turn.began or at < start <= turn.began <= end for start, end in busy)


def _busy(seen: Seen, until: float) -> list[tuple[float, float]]:
    """When she spoke or was about to."""
    told = opened(seen)
    return [
        (min(told.get(turn.turn_id, turn.began), turn.began), turn.ended if turn.ended is not None else until)
        for turn in seen.turns.values()
    ]
