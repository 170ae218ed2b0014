"""What the filters shape: pulses at the pitch, and noise. NumPy only; training and running share it.

Sound is made of overlapping windows of WINDOW samples, one every HOP. Hop j is centred on sample HOP j + HOP / 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]

RATE = 24_000
FRAME = 600
"""Samples of a frame of features: 25 ms."""
STEP = 300
"""Samples of one value of F0 and energy."""
HOP = 150
WINDOW = 600
BINS = WINDOW // 2 + 1
EDGE = (WINDOW - HOP) // 2
"""Samples by which the windows of some hops reach beyond those hops, on each side."""
HANN: Floats = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
"""Used before filtering and after it; the squares of overlapping windows add up to OVERLAP."""
OVERLAP = 1.5
VOICELESS_HZ, VOICED_HZ = 45.0, 70.0
"""Pulses fade in between these: lone pulses of a lower pitch would be heard as clicks."""
TOP_HZ = 11_700.0
"""Pulses have harmonics up to here."""


class Pulses:
    """A train of band-limited pulses that follows the pitch of a whole clause, computed piece by piece.

    Its power is 1 where there is voice. Pulse k peaks where the phase, the integral of F0, passes k: the same phase as
    inside the teacher, so a filter's phase can be learned.
    """

    def __init__(self, f0: Floats) -> None:
        """`f0`: Hz, one value per STEP samples."""
        exact = f0.astype(np.float64)
        self._cycles = np.cumsum(exact * (STEP / RATE))
        self._pitch = np.maximum(exact, VOICELESS_HZ)
        self._voicing = np.clip((exact - VOICELESS_HZ) / (VOICED_HZ - VOICELESS_HZ), 0, 1)

    def __call__(self, begin: int, end: int) -> Floats:
        """The samples begin … end; nothing beyond the clause."""
        first, last = max(begin, 0), min(end, STEP * len(self._cycles))
        sound = np.zeros(end - begin, dtype=np.float32)
        if first >= last:
            return sound
        # Values hold at the middle of their step; in between, the phase runs on linearly.
        at = (np.arange(first, last) + 0.5) / STEP - 0.5
        values = np.arange(len(self._cycles))
        cycles = np.interp(at, values, self._cycles)
        harmonics = TOP_HZ / np.interp(at, values, self._pitch)
        gain = np.interp(at, values, self._voicing) * np.sqrt(2 / harmonics)
        sound[first - begin : last - begin] = gain * _cosines(cycles - np.floor(cycles), harmonics)
        return sound


def _cosines(cycles: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of cos(2 pi k cycles) for k = 1 … count; the last one comes in gradually, so that pitch may glide."""
    whole = np.floor(count)
    half = np.pi * cycles
    below = np.sin(half)
    flat = np.abs(below) < 1e-6  # where all cosines are 1
    summed = np.where(flat, whole, (np.sin((2 * whole + 1) * half) / np.where(flat, 1, below) - 1) / 2)
    return np.asarray(summed + (count - whole) * np.cos(2 * (whole + 1) * half))


def spectra(sound: Floats) -> Spectra:
    """[hops, BINS] The windows' spectra of `sound`, which has EDGE samples more than its hops on each side."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    found: Spectra = np.fft.rfft(windows * HANN, axis=-1).astype(np.complex64, copy=False)
    return found


def overlapped(filtered: Spectra) -> Floats:
    """The sound of [hops, BINS] spectra, with EDGE samples more than their hops on each side."""
    windows = np.fft.irfft(filtered, n=WINDOW, axis=-1) * (HANN / np.float32(OVERLAP))
    hops, per_window = len(windows), WINDOW // HOP
    parts = windows.reshape(hops, per_window, HOP)
    sound = np.zeros((hops + per_window - 1, HOP), dtype=np.float32)
    for part in range(per_window):
        sound[part : part + hops] += parts[:, part]
    return sound.reshape(-1)
