"""The rung `motion.network`: face and joints by ear, by a network of her own. NumPy and ONNX Runtime only.

It listens AHEAD, so the frames of a chunk are late: they begin up to LATE frames before the chunk's own first sample
and end as much before its last one. A segment's last chunk brings all that are left.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core import events
from services.core.events import MotionChunk, VoiceChunk
from services.motion.curves import ease
from services.motion.frames import CHANNELS, FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE
from services.motion.model.network.controls import NOD_AMOUNT
from services.motion.model.network.features import Ear
from services.motion.model.turns import TurnByTurn, motion_chunk
from services.motion.performance import MOOD_COMES_S, MOOD_GOES_S, MOODS, Performance
from services.speech.natural.encoder import session
from services.speech.sound import from_s16le

Floats = NDArray[np.float32]
Moods = Callable[[NDArray[np.int64]], NDArray[Any]]
"""Frame numbers [n] → how much of each mood they show [n, EMOTIONS]."""

WEIGHTS = Path(__file__).parent / "motion.onnx"
WIDTH = 128
"""Of the network's layers."""
STATE = 73
"""Steps that its layers remember together, and one of the shapes that it gave last."""
AHEAD = 4
"""Steps between hearing a frame's own sound and showing it."""
LATE = AHEAD + 1
"""Frames that are not known yet at the end of a sound: with 25 ms of sound that a frame's own features take, the
look-ahead is 90 ms.
"""
EMOTIONS = len(MOODS)
PLACE = {emotion: place for place, emotion in enumerate(MOODS)}
COMES_S = 0.1
"""From rest into what is heard first."""
STANDS_OUT = 0.35
"""How far she nods where the hands beat too."""


class Net:
    """The exported network."""

    def __init__(self, path: Path = WEIGHTS, *, gpu: int | None = None) -> None:
        """Raises onnxruntime's errors when `path` is no such model. `gpu`: see `session`."""
        self._session = session(path, gpu=gpu)

    def __call__(self, heard: Floats, emotion: Floats, state: Floats) -> tuple[Floats, Floats, Floats]:
        """Features [n, features.WIDTH], moods [n, EMOTIONS] and the state before [STATE, WIDTH] → rows [n, CHANNELS],
        controls [n, controls.SIZE] and the state after; n at least 1.
        """
        rows, heard_controls, after = self._session.run(
            None, {"heard": heard[None], "emotion": emotion[None], "state": state[None]}
        )
        return rows[0], heard_controls[0], after[0]


@dataclass
class _Mood:
    """A mood that comes at `at` and goes at `until`, in seconds of the turn."""

    place: int
    intensity: float
    at: float
    until: float = math.inf

    def shows(self, t: NDArray[Any]) -> NDArray[Any]:
        """How much of it shows at times [n]."""
        there = ease((t - self.at) / MOOD_COMES_S) * (1 - ease((t - self.until) / MOOD_GOES_S))
        return np.asarray(self.intensity * there)


class Listener:
    """What the network makes of a stream of sound, frame by frame."""

    def __init__(self, net: Net) -> None:
        self._net = net
        self._ear = Ear()
        self._state: Floats = np.zeros((STATE, WIDTH), np.float32)
        self._steps = 0

    @property
    def frames(self) -> int:
        """How many frames are known."""
        return max(self._steps - AHEAD, 0)

    def hear(self, sound: Floats, mood: Moods) -> tuple[Floats, Floats]:
        """The next samples → the next rows and controls."""
        heard = self._ear.hear(sound)
        if not len(heard):
            return np.zeros((0, CHANNELS), np.float32), np.zeros((0, NOD_AMOUNT + 1), np.float32)
        numbers = np.arange(self._steps, self._steps + len(heard)) - AHEAD
        rows, controls, self._state = self._net(heard, mood(numbers).astype(np.float32), self._state)
        self._steps += len(heard)
        known = numbers >= 0
        return rows[known], controls[known]

    def to_the_end(self, frames: int, mood: Moods) -> tuple[Floats, Floats]:
        """What follows up to this number of frames if the sound ends here. This listener is left as it is."""
        rest = copy.deepcopy(self, {id(self._net): self._net})
        silence = np.zeros((frames - self.frames + LATE + 1) * FRAME_SAMPLES, np.float32)
        rows, controls = rest.hear(silence, mood)
        return rows[: frames - self.frames], controls[: frames - self.frames]


@dataclass
class _Turn:
    """A turn as far as it was performed."""

    performance: Performance
    listener: Listener
    start: int
    """The sample of the listener's first one."""
    heard_until: int
    from_rest: bool
    """Nothing of the turn was performed before `start`."""
    shown: int = 0
    """Frames given out since `start`."""
    segment: int | None = None
    moods: list[_Mood] = field(default_factory=list)

    def mood(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """[n, EMOTIONS] at frames [n] since `start`."""
        t = self.start / SAMPLE_RATE + numbers / FRAME_RATE
        shown = np.zeros((len(t), EMOTIONS))
        for mood in self.moods:
            shown[:, mood.place] += mood.shows(t)
        return shown


class ByEar(TurnByTurn[_Turn]):
    """Chunks of a turn come in order; after some that another rung took, it begins to listen anew. Sequence 0 begins
    the turn anew.
    """

    def __init__(self, net: Net) -> None:
        super().__init__()
        self._net = net

    def _turn(self, chunk: VoiceChunk, known: _Turn | None) -> _Turn:
        if chunk.sequence == 0 or known is None:
            return self._begin(chunk, Performance(chunk.turn_id))
        return known if known.heard_until == chunk.start_sample else self._begin(chunk, known.performance)

    def _begin(self, chunk: VoiceChunk, performance: Performance) -> _Turn:
        start = chunk.start_sample
        return _Turn(performance, Listener(self._net), start, start, from_rest=chunk.sequence == 0)

    def _frames(self, turn: _Turn, chunk: VoiceChunk) -> MotionChunk:
        sound = from_s16le(chunk.pcm_s16le)
        now, ends = chunk.start_sample / SAMPLE_RATE, (chunk.start_sample + len(sound)) / SAMPLE_RATE
        if chunk.segment != turn.segment:
            turn.segment = chunk.segment
            _feel(turn, chunk, now)
            turn.performance.begin_segment(now, emotion=events.EMOTION_UNSPECIFIED, intensity=0, gesture=chunk.gesture)
        turn.heard_until = chunk.start_sample + len(sound)
        skip = turn.shown - turn.listener.frames
        rows, controls = turn.listener.hear(sound, turn.mood)
        settles, rests = turn.performance.settles(ends) if chunk.last else (math.inf, math.inf)
        if chunk.last_of_segment or chunk.last:
            until = rests + 1 / FRAME_RATE if chunk.last else ends
            count = math.ceil((until - turn.start / SAMPLE_RATE) * FRAME_RATE - 1e-6)
            rest = turn.listener.to_the_end(count, turn.mood)
            rows, controls = (np.concatenate(parts) for parts in zip((rows, controls), rest, strict=True))
        # What was shown at the end of a segment, as if silence followed, stays as it was shown.
        rows, controls = rows[skip:].astype(np.float64), controls[skip:]
        first = turn.start + turn.shown * FRAME_SAMPLES
        turn.shown += len(rows)
        t = (first + FRAME_SAMPLES * np.arange(len(rows))) / SAMPLE_RATE
        if turn.from_rest:
            rows *= ease((t - turn.start / SAMPLE_RATE) / COMES_S)[:, None]
        if len(rows):
            _beats(turn.performance, controls[:, NOD_AMOUNT], t)
            rows += turn.performance.rows(t)
        if chunk.last:
            rows *= 1 - ease((t - settles) / (rests - settles))[:, None]
        return motion_chunk(chunk, rows, start_sample=first, rung="network")


def _feel(turn: _Turn, chunk: VoiceChunk, now: float) -> None:
    """The segment's mood comes, and the one before goes, unless they are the same."""
    place, intensity = PLACE.get(chunk.emotion), min(max(chunk.intensity, 0.0), 1.0)
    last = turn.moods[-1] if turn.moods else None
    if last is not None and math.isinf(last.until):
        if (last.place, last.intensity) == (place, intensity):
            return
        last.until = now
    turn.moods = [mood for mood in turn.moods if mood.until + MOOD_GOES_S > now - 1]
    if place is not None:
        turn.moods.append(_Mood(place, intensity, now))


def _beats(performance: Performance, nods: Floats, t: NDArray[Any]) -> None:
    """Hands beat where she nods most."""
    peaks = np.flatnonzero((nods[1:-1] > STANDS_OUT) & (nods[1:-1] >= nods[:-2]) & (nods[1:-1] > nods[2:])) + 1
    for frame in peaks:
        performance.beat(float(t[0]), float(t[frame]), float(nods[frame]))
