"""What one room showed, as its stream told it: decisions, turns, voice, frames, and what was heard to its end.

Times are `perf_counter` seconds, which are the same in all processes of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.core.events import Decision, StageFrame, Turn
from services.motion.frames import FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class Told:
    """A decision on an event."""

    at: float
    outcome: str
    """waiting, chosen, merged or dropped."""
    reason: str
    turn_id: str


@dataclass(slots=True)
class Spoken:
    """A turn that came to be heard."""

    turn_id: str
    epoch: int
    began: float
    start_sample: int
    opened_at_ms: int = 0
    events: tuple[tuple[str, int, int], ...] = ()
    """(event id, number of the viewer within the turn, received_at_ms) of what it answers."""
    first_voice: float | None = None
    first_frame: float | None = None
    ended: float | None = None
    segments: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Segment → media samples at which it begins and at which its last sound ends."""
    stopped_at: int | None = None
    """Media sample from which it was silenced."""

    def heard(self, segment: int) -> bool | None:
        """Whether a segment was heard to its end; None where only the target knows: it was cut at its very end."""
        if segment not in self.segments:
            return False
        if self.stopped_at is not None:
            if segment + 1 in self.segments and self.segments[segment + 1][0] <= self.stopped_at:
                return True
            return None if self.segments[segment][1] <= self.stopped_at else False
        return True if self.ended is not None else None


@dataclass
class Seen:
    """A room's record."""

    room_id: str
    decisions: dict[str, list[Told]] = field(default_factory=dict)
    """By event id, in order."""
    turns: dict[str, Spoken] = field(default_factory=dict)
    blind: list[tuple[float, float]] = field(default_factory=list)
    """When the stream was away, as far as it came back."""
    away_since: float | None = None
    rungs: set[str] = field(default_factory=set)
    """Voices that spoke."""
    _current: Spoken | None = None

    @property
    def speaking(self) -> bool:
        return self._current is not None

    def take(self, data: bytes, now: float) -> None:
        """One message of the stage."""
        frame = StageFrame.FromString(data)
        match frame.WhichOneof("content"):
            case "decision":
                self._decision(frame.decision, now)
            case "performing":
                self._performing(frame, now)
            case "voice":
                turn = self.turns.get(frame.voice.turn_id)
                if turn is not None:
                    turn.first_voice = now if turn.first_voice is None else turn.first_voice
            case "motion":
                end = frame.motion.start_sample + frame.motion.frame_count * FRAME_SAMPLES
                turn = self._current
                if turn is not None and turn.first_frame is None and end > turn.start_sample:
                    turn.first_frame = now
            case "caption":
                turn = self.turns.get(frame.caption.turn_id)
                if turn is not None:
                    turn.segments[frame.caption.segment] = (frame.caption.start_sample, frame.caption.end_sample)
            case "stop":
                for turn in self.turns.values():
                    if turn.epoch < frame.stop.epoch and turn.ended is None and turn.stopped_at is None:
                        turn.stopped_at = frame.stop.at_sample
            case "hello":
                self._rung(frame.hello.status.speech_rung)
            case "status":
                self._rung(frame.status.speech_rung)

    def _rung(self, name: str) -> None:
        if name:
            self.rungs.add(name)

    def _decision(self, decision: Decision, now: float) -> None:
        outcome = Decision.Outcome.Name(decision.outcome).removeprefix("OUTCOME_").lower()
        reason = Decision.Reason.Name(decision.reason).removeprefix("REASON_").lower()
        told = self.decisions.setdefault(decision.event_id, [])
        # The latest ones are told again to a stream that comes back.
        if not told or (told[-1].outcome, told[-1].turn_id) != (outcome, decision.turn_id):
            told.append(Told(now, outcome, reason, decision.turn_id))

    def _performing(self, frame: StageFrame, now: float) -> None:
        turn = frame.performing.turn
        if not frame.performing.speaking:
            known = self.turns.get(turn.turn_id)
            if known is not None and known.ended is None:
                known.ended = now
            if self._current is not None and self._current.turn_id == turn.turn_id:
                self._current = None
            return
        if turn.turn_id not in self.turns:
            self._current = self.turns[turn.turn_id] = Spoken(
                turn.turn_id, turn.epoch, began=now, start_sample=frame.performing.start_sample
            )
        spoken = self.turns[turn.turn_id]
        if not spoken.events:  # told again when the stage learns later whom it answers
            spoken.opened_at_ms, spoken.events = turn.opened_at_ms, _causes(turn)


def _causes(turn: Turn) -> tuple[tuple[str, int, int], ...]:
    viewers: dict[str, int] = {}
    return tuple(
        (event.event_id, viewers.setdefault(event.viewer.id, len(viewers)), event.received_at_ms)
        for event in turn.audience.events
    )
