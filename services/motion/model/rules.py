"""The rung `motion.rules`: lips from phonemes by rules of coarticulation, body and mood by rules of performance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.events import MotionChunk, VoiceChunk
from services.motion import face, lips
from services.motion.curves import ease
from services.motion.frames import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE
from services.motion.model.turns import TurnByTurn, motion_chunk
from services.motion.performance import Performance
from services.motion.voice import Heard, Voice

LOUD, LOUD_EMPHASIS = 0.85, 0.6
"""Level from which a peak of the sound passes for a stressed syllable, and how much that stands out."""


@dataclass
class _Turn:
    """A turn as far as it was performed."""

    performance: Performance
    voice: Voice = field(default_factory=Voice)
    segment: int | None = None
    known_until: int = 0
    """The sample up to which phonemes have been taken in."""
    lips: lips.SegmentLips | None = None
    """None while nobody knows the segment's phonemes."""
    articulation: NDArray[Any] = field(default_factory=lambda: np.zeros(lips.WIDTH))
    """Of the last frame."""


class Rules(TurnByTurn[_Turn]):
    """Chunks of a turn come in order, from its first; sequence 0 begins the turn anew."""

    def _turn(self, chunk: VoiceChunk, known: _Turn | None) -> _Turn:
        return _Turn(Performance(chunk.turn_id)) if chunk.sequence == 0 or known is None else known

    def _frames(self, turn: _Turn, chunk: VoiceChunk) -> MotionChunk:
        pcm = np.frombuffer(chunk.pcm_s16le, "<i2")
        now, ends = chunk.start_sample / SAMPLE_RATE, (chunk.start_sample + len(pcm)) / SAMPLE_RATE
        if chunk.segment != turn.segment:
            turn.segment, turn.lips = chunk.segment, None
            turn.performance.begin_segment(now, emotion=chunk.emotion, intensity=chunk.intensity, gesture=chunk.gesture)
        if chunk.phonemes and chunk.phonemes[-1].end_sample > turn.known_until:
            _learn(turn, chunk, now)
        settles, rests = turn.performance.settles(ends) if chunk.last else (math.inf, math.inf)
        count = math.ceil((rests - now) * FRAME_RATE) + 1 if chunk.last else -(-len(pcm) // FRAME_SAMPLES)
        t = (chunk.start_sample + FRAME_SAMPLES * np.arange(count)) / SAMPLE_RATE
        heard = turn.voice.hear(np.pad(pcm, (0, count * FRAME_SAMPLES - len(pcm))))
        if turn.lips is None:
            _accents(turn, heard, now)
        rows = turn.performance.rows(t)
        articulation = turn.voice.lips(heard, turn.articulation) if turn.lips is None else turn.lips(t)
        turn.articulation = articulation[-1]
        lips.mouth(rows[:, : face.SIZE], articulation, turn.voice.jaw_gain(heard))
        if chunk.last:
            rows *= 1 - ease((t - settles) / (rests - settles))[:, None]
        return motion_chunk(chunk, rows, start_sample=chunk.start_sample, rung="rules")


def _learn(turn: _Turn, chunk: VoiceChunk, now: float) -> None:
    """Takes in phonemes that were not known before: a segment's all at once, or a long one's next part."""
    new = [phoneme for phoneme in chunk.phonemes if phoneme.start_sample >= turn.known_until]
    turn.known_until = chunk.phonemes[-1].end_sample
    turn.lips = lips.SegmentLips(chunk.phonemes, turn.articulation, now)
    turn.performance.say(now, new, chunk.text)


def _accents(turn: _Turn, heard: Heard, now: float) -> None:
    """Stress by ear: the loudest moments."""
    level = heard.level
    peaks = np.flatnonzero((level[1:-1] > LOUD) & (level[1:-1] >= level[:-2]) & (level[1:-1] > level[2:])) + 1
    for frame in peaks:
        turn.performance.accent(now, now + frame / FRAME_RATE, LOUD_EMPHASIS)
