"""Cuts a turn's voice into chunks that start small, for an early first sound, and grow, for few messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.core.events import Phoneme, TextSegment, VoiceChunk
from services.speech.sound import FRAME, SAMPLE_RATE, from_s16le, silence, to_s16le

SIZES = tuple(round(seconds * SAMPLE_RATE) for seconds in (0.1, 0.2, 0.4, 0.8, 1.0))
"""Samples of a turn's first, second … chunk; every later one is like the last. Multiples of FRAME."""
BEAT_S = 0.2
"""Silence for a segment in which nothing can be said, so that its caption is shown and it counts as heard."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a turn's voice has got to."""

    sample: int = 0
    sequence: int = 0


BEGINNING = Position()


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a model gave at once. `end`: of the piece or of the last of its phonemes, which may come later. Samples."""

    start: int
    end: int
    phonemes: tuple[Phoneme, ...]


class SegmentCutter:
    """One segment's chunks, which follow on those of the segments before it.

    Every chunk is a multiple of FRAME samples; the segment's end is filled up with silence. At least one frame is held
    back until the end is known, so that the chunk that closes a segment is never empty.
    """

    def __init__(self, segment: TextSegment, start: Position) -> None:
        self._segment = segment
        self._start = start
        self._position = start
        self._held = silence(0)
        self._pieces: deque[_Piece] = deque()
        self._rung = ""

    @property
    def position(self) -> Position:
        """Up to where chunks have been given out."""
        return self._position

    def push(self, piece: VoiceChunk) -> list[VoiceChunk]:
        """Takes a model's next piece of the segment; gives the chunks that are complete.

        The piece's phonemes count from the same sample as its `start_sample`. They may be those of several pieces,
        which follow without any: a clause's are all known before its sound is.
        """
        sound = from_s16le(piece.pcm_s16le)
        start = self._position.sample + len(self._held)
        moved = start - piece.start_sample
        phonemes = tuple(
            Phoneme(ipa=p.ipa, start_sample=p.start_sample + moved, end_sample=p.end_sample + moved, stress=p.stress)
            for p in piece.phonemes
        )
        end = max(start + len(sound), phonemes[-1].end_sample if phonemes else 0)
        self._pieces.append(_Piece(start, end, phonemes))
        self._held = np.concatenate((self._held, sound))
        self._rung = piece.rung
        return list(self._complete())

    def finish(self) -> list[VoiceChunk]:
        """The chunk that closes the segment; none for an empty segment that does not close its turn."""
        if self._position == self._start and not len(self._held) and self._segment.text.strip():
            self._held = silence(BEAT_S)
        if not len(self._held) and not self._segment.last:
            return []
        self._held = np.pad(self._held, (0, -len(self._held) % FRAME))
        return [self._cut(len(self._held), closes=True)]

    def _complete(self) -> Iterator[VoiceChunk]:
        while len(self._held) >= (size := SIZES[min(self._position.sequence, len(SIZES) - 1)]) + FRAME:
            yield self._cut(size, closes=False)

    def _cut(self, size: int, *, closes: bool) -> VoiceChunk:
        start, sequence = self._position.sample, self._position.sequence
        sound, self._held = self._held[:size], self._held[size:]
        self._position = Position(start + size, sequence + 1)
        while len(self._pieces) > 1 and self._pieces[0].end <= start:
            self._pieces.popleft()
        first = sequence == 0 and self._segment.HasField("turn")
        return VoiceChunk(
            room_id=self._segment.room_id,
            turn_id=self._segment.turn_id,
            epoch=self._segment.epoch,
            sequence=sequence,
            segment=self._segment.sequence,
            sample_rate=SAMPLE_RATE,
            start_sample=start,
            pcm_s16le=to_s16le(sound),
            phonemes=[p for piece in self._pieces if piece.start <= start + size for p in piece.phonemes],
            text=self._segment.text,
            emotion=self._segment.emotion,
            intensity=self._segment.intensity,
            gesture=self._segment.gesture,
            last_of_segment=closes,
            last=closes and self._segment.last,
            rung=self._rung,
            words_rung=self._segment.rung,
            segment_start_sample=self._start.sample,
            turn=self._segment.turn if first else None,
        )
