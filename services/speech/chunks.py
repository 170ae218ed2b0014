"""Cuts a turn's sound into pieces that start small, for an early first sound, and grow, for few messages."""

from __future__ import annotations

import numpy as np

from services.speech.sound import FRAME, SAMPLE_RATE, Samples

SIZES = tuple(round(seconds * SAMPLE_RATE) for seconds in (0.1, 0.2, 0.4, 0.8, 1.0))
"""Samples of a turn's first, second … piece; every later one is like the last. Multiples of FRAME."""


class Cutter:
    """Pieces of a turn's sound, segment after segment, gapless.

    Every piece is a multiple of FRAME samples. At least one frame is held back until the segment's end is known, so
    that the piece that closes a segment is never empty.
    """

    def __init__(self) -> None:
        self._cut = 0
        self._held: Samples = np.zeros(0, dtype=np.float32)

    def push(self, sound: Samples) -> list[Samples]:
        """Takes more of the segment's sound; gives the pieces that are complete."""
        self._held = np.concatenate((self._held, sound))
        pieces = []
        while len(self._held) >= (size := SIZES[min(self._cut, len(SIZES) - 1)]) + FRAME:
            pieces.append(self._held[:size])
            self._held = self._held[size:]
            self._cut += 1
        return pieces

    def finish(self) -> Samples:
        """The last piece of the segment, filled up with silence to whole frames; empty when nothing was pushed."""
        rest = self._held
        self._held = np.zeros(0, dtype=np.float32)
        if len(rest):
            self._cut += 1
        return np.pad(rest, (0, -len(rest) % FRAME))
