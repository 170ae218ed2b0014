"""The performance timeline of one room: which sample of which turn is heard when, and what was really heard.

Audio is the clock. All times are media samples (24,000 a second since the room opened); the timeline has no clock of
its own, so a show of hours can be checked in milliseconds.

A chunk is performed when its voice and its frames are both there (voice alone after GRACE, so a lost frame never
silences her). A turn of a newer epoch takes over when its first chunk is there: until then the old one goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.core.events import Emotion, Gesture, MotionChunk, Performed, VoiceChunk

RATE = 24_000
FRAME = 400
"""Samples per animation frame: 60 frames a second."""
SLICE = 12 * FRAME
"""Voice is sent in pieces of at most 200 ms, so little is out that a stop must call back."""
GRACE = RATE // 8
"""How long a voice chunk waits for its frames (125 ms)."""
STARVED = 4 * RATE
"""A turn whose next chunk does not come for so long has ended."""


@dataclass(frozen=True, slots=True)
class Began:
    """A turn took the stage. `start` is the media sample of the turn's first performed sample."""

    turn_id: str
    epoch: int
    start: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of voice to send. `pcm` is s16le mono."""

    turn_id: str
    epoch: int
    sequence: int
    start: int
    pcm: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class Pose:
    """Frames of a chunk have their place: the first one belongs to media sample `start`."""

    start: int
    chunk: MotionChunk


@dataclass(frozen=True, slots=True)
class Words:
    """The text of a segment, when it is spoken, and how: as its voice says."""

    turn_id: str
    epoch: int
    segment: int
    text: str
    start: int
    end: int
    emotion: Emotion
    intensity: float
    gesture: Gesture


@dataclass(frozen=True, slots=True)
class Silence:
    """All voice of epochs below `epoch` fades from media sample `at` on."""

    epoch: int
    at: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the room heard of a turn; becomes a Performed event."""

    turn_id: str
    epoch: int
    state: Performed.State
    heard_samples: int
    heard_segments: int
    heard_text: str
    reason: str = ""


Effect = Began | Sound | Pose | Words | Silence | Report


@dataclass(frozen=True, slots=True)
class _Placed:
    """A chunk's place: turn sample `turn_start` is heard at media sample `start`."""

    turn_start: int
    start: int
    length: int


@dataclass
class _Performance:
    """One turn as far as its chunks have come."""

    turn_id: str
    epoch: int
    skip_segments: int = 0
    voices: dict[int, VoiceChunk] = field(default_factory=dict)
    motions: dict[int, MotionChunk] = field(default_factory=dict)
    came: dict[int, int] = field(default_factory=dict)
    next: int = 0
    """Sequence number of the next chunk to place."""
    base: int | None = None
    """Media sample of the turn's sample 0; moves when a chunk comes too late to follow on."""
    placed: list[_Placed] = field(default_factory=list)
    unsent: list[Sound] = field(default_factory=list)
    sent: int = 0
    segment_ends: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Segment → media sample of its end, text."""
    heard_segments: int = 0
    heard_text: str = ""
    starts: dict[int, _Placed] = field(default_factory=dict)
    """Chunk without frames → its place."""
    late: list[Pose] = field(default_factory=list)
    """Frames that came after their voice had been placed without them."""
    complete: bool = False
    over: bool = False

    def length(self, sequence: int) -> int:
        return len(self.voices[sequence].pcm_s16le) // 2

    def ready(self, sequence: int, now: int) -> bool:
        """Voice is there, and frames too unless they had their chance."""
        if sequence not in self.voices:
            return False
        has_frames = sequence in self.motions or self.length(sequence) == 0
        return has_frames or now >= self.came[sequence] + GRACE

    def end(self) -> int:
        """Media sample after the last placed one."""
        return self.placed[-1].start + self.placed[-1].length if self.placed else (self.base or 0)

    def heard(self, now: int) -> int:
        """Samples of the turn that have left the stage by now."""
        heard = 0
        for piece in self.placed:
            if piece.start <= now:
                heard = piece.turn_start + min(now - piece.start, piece.length)
        return heard


class Timeline:
    """`lead` and `ahead` are how many samples before its time a piece is sent, at least and at most."""

    def __init__(self, *, lead: int, ahead: int, resume: tuple[str, int] | None = None) -> None:
        """`resume`: a turn that was cut by a crash, and how many of its segments were heard: they are not repeated."""
        self.epoch = 0
        self.underruns = 0
        self._lead = lead
        self._ahead = max(ahead, lead + SLICE)
        self._resume = resume
        self._current: _Performance | None = None
        self._incoming: _Performance | None = None

    @property
    def performing(self) -> str | None:
        """The turn on the stage."""
        return self._current.turn_id if self._current is not None and not self._current.over else None

    def performs(self, epoch: int) -> bool:
        """Whether a turn of this epoch is on the stage or about to be."""
        both = (self._current, self._incoming)
        return any(turn is not None and turn.epoch == epoch and not turn.over for turn in both)

    def voice(self, chunk: VoiceChunk, now: int) -> bool:
        """Takes a chunk; False when it is dead or already had."""
        performance = self._performance(chunk.turn_id, chunk.epoch)
        if performance is None or chunk.sequence < performance.next or chunk.sequence in performance.voices:
            return False
        performance.voices[chunk.sequence] = chunk
        performance.came[chunk.sequence] = now
        return True

    def motion(self, chunk: MotionChunk) -> bool:
        """Takes the frames of a chunk; False when they are dead or already had."""
        performance = self._performance(chunk.turn_id, chunk.epoch)
        if performance is None or chunk.sequence in performance.motions:
            return False
        if chunk.sequence in performance.starts:
            place = performance.starts.pop(chunk.sequence)
            performance.late.append(Pose(place.start + chunk.start_sample - place.turn_start, chunk))
            return True
        if chunk.sequence < performance.next:
            return False
        performance.motions[chunk.sequence] = chunk
        return True

    def interrupt(self, epoch: int, now: int, *, reason: str, keep: bool = False) -> list[Effect]:
        """Everything below `epoch` is dead. With `keep` what sounds goes on until the new epoch's voice is there."""
        if epoch <= self.epoch:
            return []
        self.epoch = epoch
        if self._incoming is not None and self._incoming.epoch < epoch:
            self._incoming = None
        current = self._current
        if current is None or current.over or current.epoch >= epoch or keep:
            return []
        return [Silence(epoch, now), self._close(current, now, Performed.STATE_STOPPED, reason)]

    def advance(self, now: int) -> list[Effect]:
        """What is due by now."""
        effects: list[Effect] = []
        if self._incoming is not None and self._incoming.ready(self._incoming.next, now):
            effects += self._take_over(self._incoming, now)
        if self._current is not None and not self._current.over:
            effects += self._current.late
            self._current.late = []
            effects += self._place(self._current, now)
            effects += self._send(self._current, now)
            effects += self._hear(self._current, now)
        return effects

    def next_due(self, now: int) -> int | None:
        """Media sample at which `advance` has something to do even if nothing arrives; None when never."""
        due: list[int] = []
        for performance in (self._incoming, self._current):
            if performance is None or performance.over:
                continue
            if performance.next in performance.voices and not performance.ready(performance.next, now):
                due.append(performance.came[performance.next] + GRACE)
        current = self._current
        if current is not None and not current.over:
            due += [sound.start - self._ahead + 1 for sound in current.unsent[:1]]
            if current.next in current.voices:
                due.append(current.end() - self._ahead + 1)
            due += [end for segment, (end, _) in current.segment_ends.items() if segment >= current.heard_segments]
            due.append(current.end() if current.complete else current.end() + STARVED)
        return min(due, default=None)

    def _performance(self, turn_id: str, epoch: int) -> _Performance | None:
        """The performance a chunk belongs to; None when its epoch is dead."""
        current, incoming = self._current, self._incoming
        if epoch < self.epoch:
            return None
        if current is not None and current.epoch == epoch:
            return None if current.over else current
        if current is not None and epoch < current.epoch:
            return None
        if incoming is None or incoming.epoch < epoch:
            skip = self._resume[1] if self._resume is not None and self._resume[0] == turn_id else 0
            self._incoming = incoming = _Performance(turn_id, epoch, skip_segments=skip, heard_segments=skip)
        return incoming if incoming.epoch == epoch else None

    def _take_over(self, incoming: _Performance, now: int) -> Iterator[Effect]:
        current = self._current
        if current is not None and not current.over:
            yield Silence(incoming.epoch, now)
            yield self._close(current, now, Performed.STATE_STOPPED, "superseded")
        self._current, self._incoming = incoming, None
        self.epoch = max(self.epoch, incoming.epoch)
        start = -(-(now + self._lead) // FRAME) * FRAME
        incoming.base = start - incoming.voices[incoming.next].start_sample
        yield Began(incoming.turn_id, incoming.epoch, start)
        yield self._report(incoming, now, Performed.STATE_STARTED)

    def _place(self, turn: _Performance, now: int) -> Iterator[Effect]:
        """Gives chunks their place while they follow on, a little ahead of their time."""
        while turn.ready(turn.next, now) and turn.end() < now + self._ahead:
            voice = turn.voices.pop(turn.next)
            motion = turn.motions.pop(turn.next, None)
            turn.came.pop(turn.next)
            turn.next += 1
            turn.complete = voice.last
            if voice.segment < turn.skip_segments:
                # Heard before a crash: what follows moves forward into its place.
                turn.base = (turn.base or 0) - len(voice.pcm_s16le) // 2
                continue
            start = (turn.base or 0) + voice.start_sample
            if turn.placed and start < now + self._lead // 2 and voice.pcm_s16le:
                self.underruns += 1
                late = -(-(now + self._lead - start) // FRAME) * FRAME
                turn.base, start = (turn.base or 0) + late, start + late
            yield from self._put(turn, voice, start)
            if motion is None:
                turn.starts[voice.sequence] = turn.placed[-1]
            elif motion.frame_count:
                yield Pose(start + motion.start_sample - voice.start_sample, motion)

    def _put(self, turn: _Performance, voice: VoiceChunk, start: int) -> Iterator[Effect]:
        length = len(voice.pcm_s16le) // 2
        turn.placed.append(_Placed(voice.start_sample, start, length))
        for offset in range(0, length, SLICE):
            pcm = voice.pcm_s16le[2 * offset : 2 * (offset + SLICE)]
            last = voice.last and offset + SLICE >= length
            turn.unsent.append(Sound(turn.turn_id, turn.epoch, turn.sent, start + offset, pcm, last))
            turn.sent += 1
        if voice.text and voice.segment not in turn.segment_ends:
            last_sound = max((p.end_sample for p in voice.phonemes), default=voice.start_sample + length)
            yield Words(
                turn.turn_id,
                turn.epoch,
                voice.segment,
                voice.text,
                start,
                start + last_sound - voice.start_sample,
                voice.emotion,
                voice.intensity,
                voice.gesture,
            )
        # Moves with every chunk of the segment; not heard before the chunk that ends the segment is.
        end = start + length if voice.last_of_segment or voice.last else start + length + STARVED
        if voice.text:
            turn.segment_ends[voice.segment] = (end, voice.text)
        elif voice.last and voice.segment in turn.segment_ends:
            turn.segment_ends[voice.segment] = (end, turn.segment_ends[voice.segment][1])

    def _send(self, turn: _Performance, now: int) -> Iterator[Effect]:
        while turn.unsent and turn.unsent[0].start < now + self._ahead:
            yield turn.unsent.pop(0)

    def _hear(self, turn: _Performance, now: int) -> Iterator[Effect]:
        """One report of all that has been heard by now: what ends the turn tells of its last segment too."""
        before = turn.heard_segments
        for segment, (end, text) in sorted(turn.segment_ends.items()):
            if segment >= turn.heard_segments and end <= now:
                turn.heard_segments = segment + 1
                turn.heard_text = f"{turn.heard_text} {text}".strip()
        if turn.complete and turn.end() <= now:
            yield self._close(turn, now, Performed.STATE_FINISHED, "")
        elif not turn.complete and turn.end() + STARVED <= now and turn.next not in turn.voices:
            yield self._close(turn, now, Performed.STATE_STOPPED, "no voice")
        elif turn.heard_segments > before:
            yield self._report(turn, now, Performed.STATE_HEARD)

    def _close(self, turn: _Performance, now: int, state: Performed.State, reason: str) -> Report:
        turn.over = True
        turn.unsent.clear()
        return self._report(turn, now, state, reason)

    def _report(self, turn: _Performance, now: int, state: Performed.State, reason: str = "") -> Report:
        heard = turn.heard(now)
        return Report(turn.turn_id, turn.epoch, state, heard, turn.heard_segments, turn.heard_text, reason)
