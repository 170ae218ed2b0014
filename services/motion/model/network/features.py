"""What the network hears: log mel bands of sound at 16 kHz, 120 times a second. The same code in training and at run
time; NumPy only.

Everything is placed on the clock of frames: the columns of frame k lie around k / 60 s and 1 / 120 s later.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.motion.frames import FRAME_RATE
from services.motion.frames import SAMPLE_RATE as VOICE_RATE
from services.speech.sound import Resampler

Floats = NDArray[np.float32]

RATE = 16_000
"""Samples a second that the network hears. What lies above 7.5 kHz, it never hears."""
WINDOW, FFT = 400, 512
"""Samples of a column (25 ms, Hann) and of its transform."""
MELS = 48
LOWEST_HZ, HIGHEST_HZ = 60.0, 7_500.0
COLUMNS = 2
"""Of a frame."""
WIDTH = MELS * COLUMNS
"""Values of a frame."""
FLOOR = 1e-7
"""Power added to each band: -70 dB, what is softer counts as silence."""
MIDDLE, SPREAD = -3.5, 2.0
"""Brings log10 of the bands to about -1 … 1."""


class Ear:
    """Listens to a stream of sound at 24 kHz. Whatever its pieces, the same sound gives the same features, but for the
    last bits of the arithmetic.
    """

    def __init__(self) -> None:
        self._resampler = Resampler(VOICE_RATE, RATE)
        self._held: Floats = np.zeros(WINDOW // 2, np.float32)
        """Sound at RATE from sample `self._first` on."""
        self._first = -(WINDOW // 2)
        self._frame = 0

    def hear(self, sound: Floats) -> Floats:
        """The next samples, -1 to 1. Returns the features [n, WIDTH] of the frames that can be known by now: that of
        frame k needs the sound up to k / 60 s + 23 ms.
        """
        self._held = np.concatenate([self._held, self._resampler.push(sound)])
        starts = _starts(self._frame, self._first + len(self._held))
        if not len(starts):
            return np.zeros((0, WIDTH), np.float32)
        windows = self._held[(starts - self._first)[:, None] + np.arange(WINDOW)] * _hann()
        features = _log_mels(windows).reshape(-1, WIDTH)
        self._frame += len(features)
        begins = int(_column(self._frame * COLUMNS)) - WINDOW // 2
        self._held, self._first = self._held[begins - self._first :], begins
        return features


def hear(sound: Floats) -> Floats:
    """The features [n, WIDTH] of a whole sound at 24 kHz: all frames that begin within it; silence follows."""
    frames = -(-len(sound) * FRAME_RATE // VOICE_RATE)
    return Ear().hear(np.concatenate([sound, np.zeros(VOICE_RATE // 10, np.float32)]))[:frames]


def _column(number: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """The sample at RATE around which a column lies, rounded."""
    per_second = FRAME_RATE * COLUMNS
    return np.asarray((2 * RATE * number + per_second) // (2 * per_second), np.int64)


def _starts(frame: int, until: int) -> NDArray[np.int64]:
    """The first samples of the windows of all columns from a frame's on that end by sample `until`, by whole frames."""
    most = max((until - int(_column(frame * COLUMNS))) * FRAME_RATE // RATE + 1, 0)
    starts = _column(np.arange(frame * COLUMNS, (frame + most) * COLUMNS)) - WINDOW // 2
    whole = int((starts + WINDOW <= until).sum()) // COLUMNS * COLUMNS
    return starts[:whole]


def _log_mels(windows: Floats) -> Floats:
    """[n, MELS] of windows [n, WINDOW]."""
    spectrum = np.fft.rfft(windows, FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    # One product of small matrices, without the threads that BLAS would start for large ones.
    bands = np.einsum("nf,fm->nm", power, _bands())
    found: Floats = ((np.log10(bands + FLOOR) - MIDDLE) / SPREAD).astype(np.float32)
    return found


def band_edges() -> NDArray[np.float64]:
    """In Hz, on the mel scale (O'Shaughnessy 1987): band k rises from edge k to k + 1 and falls to k + 2."""
    lowest, highest = (2595 * float(np.log10(1 + hertz / 700)) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    edges: NDArray[np.float64] = 700 * (10 ** (np.linspace(lowest, highest, MELS + 2) / 2595) - 1)
    return edges


@lru_cache(maxsize=1)
def _hann() -> Floats:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=1)
def _bands() -> Floats:
    """Triangles [FFT bins, MELS], each of area 1, over the window's power."""
    edges = band_edges()
    hertz = np.arange(FFT // 2 + 1) * RATE / FFT
    rising = (hertz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(np.minimum(rising, falling), 0)
    triangles /= np.maximum(triangles.sum(0), 1e-9)
    found: Floats = (triangles / float((_hann() ** 2).sum()) / WINDOW * 2).astype(np.float32)
    return found
