"""The network's own vocoder: the best sound, at the price of most of a core for one speaking room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from services.speech.natural.encoder import Features, session
from services.speech.natural.files import DECODER, ENERGY, F0, FEATURES, HARMONICS, SOURCE
from services.speech.sound import Samples

FRAME = 600
LONGEST, CRUMB = 120, 30
"""Frames that are decoded at once, and of the shortest rest that is worth a piece of its own. The network takes means
over all that it is given: in a first piece of 0.3 s or 0.75 s a recogniser misheard the first word of every third
sentence, in whole clauses none of them.
"""
LEFT, RIGHT = 40, 10
"""Frames of context that are decoded too and thrown away."""
CROSS_FADE = 240
"""Samples over which one piece becomes the next."""


class TeacherVocoder:
    """May be used by several threads at once."""

    def __init__(self, folder: Path, *, gpu: int | None = None) -> None:
        """`folder`: see services/speech/natural/files.py. `gpu`: see `session`."""
        self._source = session(folder / SOURCE, gpu=gpu)
        self._decoder = session(folder / DECODER, threads=min(4, os.cpu_count() or 1), gpu=gpu)

    def stream(self, features: Features, start: int = 0, end: int | None = None) -> Iterator[Samples]:
        """The sound of the frames start … end; most clauses are one piece."""
        end = features.inner.shape[1] if end is None else end
        harmonics = self._source.run(None, {F0: features.f0[None]})[0]
        held: Samples = np.zeros(0, dtype=np.float32)
        at = start
        while at < end:
            stop = at + LONGEST if end - at - LONGEST >= CRUMB else end
            fade = CROSS_FADE if stop < end else 0
            sound = self._window(features, harmonics, max(start, at - LEFT), min(end, stop + RIGHT))
            begin = (at - max(start, at - LEFT)) * FRAME
            sound = sound[begin : begin + (stop - at) * FRAME + fade]
            if held.size:
                ramp = np.linspace(0, 1, len(held), dtype=np.float32)
                sound[: len(held)] = sound[: len(held)] * ramp + held * (1 - ramp)
            held = sound[len(sound) - fade :].copy()
            yield sound[: len(sound) - fade]
            at = stop

    def _window(self, features: Features, harmonics: Samples, begin: int, end: int) -> Samples:
        sound: Samples = self._decoder.run(
            None,
            {
                FEATURES: np.ascontiguousarray(features.inner[None, :, begin:end]),
                F0: features.f0[None, 2 * begin : 2 * end],
                ENERGY: features.energy[None, 2 * begin : 2 * end],
                HARMONICS: np.ascontiguousarray(harmonics[:, :, 120 * begin : 120 * end + 1]),
                "style": features.style[None],
            },
        )[0]
        return sound.reshape(-1).copy()
