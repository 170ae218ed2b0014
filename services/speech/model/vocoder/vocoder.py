"""At run time: the encoder's features → sound, piece by piece. NumPy and ONNX Runtime only.

A clause's features are known at once, so a piece needs no waiting: its filters are computed with MARGIN frames of
context, which gives what the whole clause would give. Pulses follow the phase of the whole clause and noise has its
place in time, so pieces are parts of one sound; only the overlapping tail of the last window is carried over.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from services.speech.model.vocoder.excitation import EDGE, FRAME, Floats, Pulses, overlapped, spectra
from services.speech.natural.encoder import Features, session
from services.speech.natural.voices import TIMBRE
from services.speech.sound import CEILING, Samples, limited

WEIGHTS = Path(__file__).parent / "vocoder.onnx"
MARGIN = 12
"""Frames of context on each side of a piece: beyond them nothing changes its filters."""
FIRST, LONGEST = 14, 80
"""Frames of the first piece, enough for a turn's first two chunks, so that the next piece has 0.3 s time, and of the
longest. In between, each is twice as long as the one before.
"""
SOFT = 96
"""Samples over which the sound comes in and goes out (4 ms): it may be cut amid a vowel."""
NOISE = 1 << 18
"""Samples after which the noise begins again, eleven seconds: longer than a clause."""


class Vocoder:
    """Turns features into sound in the calling thread. May be used by several threads at once."""

    def __init__(self, path: Path = WEIGHTS, *, gpu: int | None = None) -> None:
        """Raises onnxruntime's errors when `path` is no such model. `gpu`: see `session`."""
        self._session = session(path, gpu=gpu)

    def stream(self, features: Features, start: int = 0, end: int | None = None) -> Iterator[Samples]:
        """The sound of the frames start … end (of all by default) at 24 kHz, FRAME samples each, in growing pieces.

        The first piece is short, for an early start. No sample is louder than CEILING. Raises ValueError when the
        frames are not within the clause.
        """
        total = features.inner.shape[1]
        stop = total if end is None else end
        if not 0 <= start <= stop <= total:
            raise ValueError(f"frames {start} … {stop} are not within a clause of {total} frames")
        return self._pieces(features, start, stop)

    def _pieces(self, features: Features, start: int, stop: int) -> Iterator[Samples]:
        pulses, style = Pulses(features.f0), features.style[:TIMBRE].reshape(1, -1)
        held: Samples = np.zeros(2 * EDGE, dtype=np.float32)
        begin, length, skip = start, FIRST, EDGE
        while begin < stop:
            until = min(begin + length, stop)
            sound = self._window(features, style, pulses, begin, until)
            sound[: len(held)] += held
            # What later windows still add to is held back; what lies before the first sample is dropped.
            ready = len(sound) - (EDGE if until == stop else 2 * EDGE)
            held = sound[ready:]
            if begin == start:
                sound[skip : skip + SOFT] *= _ramp()
            if until == stop:
                sound[ready - SOFT : ready] *= _ramp()[::-1]
            yield limited(sound[skip:ready])
            begin, length, skip = until, min(2 * length, LONGEST), 0

    def _window(self, features: Features, style: Floats, pulses: Pulses, begin: int, end: int) -> Samples:
        """The frames begin … end as sound, with EDGE samples more on each side, to be added to its neighbours'."""
        left, right = max(begin - MARGIN, 0), min(end + MARGIN, features.inner.shape[1])
        cos, sin, noise = self._session.run(
            None,
            {
                "inner": features.inner[None, :, left:right],
                "f0": features.f0[None, 2 * left : 2 * right],
                "energy": features.energy[None, 2 * left : 2 * right],
                "style": style,
            },
        )
        hops = cos.shape[1] // (right - left)
        own = slice(hops * (begin - left), hops * (end - left))
        first, last = FRAME * begin - EDGE, FRAME * end + EDGE
        filtered = spectra(pulses(first, last)) * (cos[0, own] + 1j * sin[0, own])
        filtered += spectra(_noise().take(np.arange(first, last), mode="wrap")) * noise[0, own]
        return overlapped(filtered)


@lru_cache(maxsize=1)
def _ramp() -> Floats:
    return np.linspace(0, 1, SOFT, dtype=np.float32)


@lru_cache(maxsize=1)
def _noise() -> Floats:
    """White noise of power 1, always the same: the same features sound the same."""
    return np.random.default_rng(2112).standard_normal(NOISE, dtype=np.float32)


assert CEILING < 1
