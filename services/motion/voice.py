"""What the sound alone tells: how loud she is, and a mouth for a voice whose phonemes nobody knows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.motion.frames import FRAME_SAMPLES, SAMPLE_RATE
from services.motion.lips import CLOSED, FUNNEL, HISSING, JAW, LOWER, PUCKER, SPREAD, UPPER, WIDTH

Array = NDArray[Any]

QUIET_DB, RANGE_DB = -26.0, 30.0
"""The loudest level expected before anything was heard (dB below full scale), and how far below it silence begins."""
FORGETS_DB_S = 3.0
"""How fast the loudest level sinks when she grows softer."""
WINDOW = 2 * FRAME_SAMPLES
_HANN = np.hanning(WINDOW).astype(np.float32)
_BANDS = tuple(
    slice(low * WINDOW // SAMPLE_RATE, high * WINDOW // SAMPLE_RATE)
    for low, high in ((100, 500), (500, 1200), (1200, 3000), (4000, 11_000))
)

LOUD_JAW = 0.3
"""How much farther a very loud voice opens the jaw than a middling one; a soft one opens it less by half of this."""
GAIN_S = 0.12
SOFT = 0.3
"""Level up to which a sound opens nothing: what is left of the voice between the sounds."""
LAG_S = 0.008


class Heard(NamedTuple):
    """Per frame, [n] each."""

    level: Array
    """0 silence, 1 the loudest of late."""
    open: Array
    """0 to 1: share of 500 to 1200 Hz in what is below 3 kHz, where open vowels have their first formant."""
    front: Array
    """0 to 1: how much more is above than below 1200 Hz: high for i and e, low for o and u, whose lips are round."""
    hiss: Array
    """0 to 1: whether the sound is mostly above 4 kHz."""


class Voice:
    """Listens to one turn, chunk by chunk."""

    def __init__(self) -> None:
        self._before = np.zeros(FRAME_SAMPLES, np.float32)
        self._peak_db = QUIET_DB
        self._gain = 1.0
        self._unsmoothed = np.zeros((2, WIDTH))

    def hear(self, pcm: Array) -> Heard:
        """The next samples, int16; a window of two frames around each frame's first sample is looked at."""
        count = -(-len(pcm) // FRAME_SAMPLES)
        sound = np.zeros((count + 1) * FRAME_SAMPLES, np.float32)
        sound[:FRAME_SAMPLES] = self._before
        sound[FRAME_SAMPLES : FRAME_SAMPLES + len(pcm)] = pcm
        sound[FRAME_SAMPLES:] /= 32_768
        self._before = sound[-FRAME_SAMPLES:]
        halves = sound.reshape(-1, FRAME_SAMPLES)
        windows = np.concatenate([halves[:-1], halves[1:]], 1) * _HANN
        spectrum = np.fft.rfft(windows)
        power = spectrum.real**2 + spectrum.imag**2
        low, mid, front, high = (power[:, band].sum(1) for band in _BANDS)
        db = 10 * np.log10((windows * windows).mean(1) / 0.375 + 1e-10)
        level = np.clip((db - self._peaks(db)) / RANGE_DB + 1, 0, 1)
        hiss = np.clip((high / (low + mid + front + high + 1e-9) - 0.35) / 0.3, 0, 1)
        return Heard(level, mid / (low + mid + front + 1e-9), front / (mid + front + 1e-9), hiss)

    def _peaks(self, db: Array) -> Array:
        sinks = FORGETS_DB_S / 60 * np.arange(1, len(db) + 1)
        peaks: Array = np.maximum(np.maximum.accumulate(db + sinks), self._peak_db) - sinks
        if len(peaks):
            self._peak_db = max(float(peaks[-1]), QUIET_DB - 20)
        return peaks

    def jaw_gain(self, heard: Heard) -> Array:
        """How far loudness opens the jaw, about 1, [n]."""
        gain = np.empty(len(heard.level))
        step = 1 - np.exp(-1 / (60 * GAIN_S))
        for frame, level in enumerate(heard.level):
            # In silence there is nothing to be louder or softer than.
            if level > 0.1:
                self._gain += step * (1 - LOUD_JAW / 2 + 1.5 * LOUD_JAW * (level - 0.4) - self._gain)
            gain[frame] = self._gain
        return np.clip(gain, 1 - LOUD_JAW / 2, 1 + LOUD_JAW)

    def lips(self, heard: Heard, came_from: Array) -> Array:
        """An articulation [n, WIDTH] without phonemes: the jaw follows level and first formant, the second formant
        spreads or rounds the lips, a hiss closes the teeth, a murmur the lips. `came_from` is the articulation [WIDTH]
        just before.
        """
        level, hiss = np.maximum((heard.level - SOFT) / (1 - SOFT), 0) ** 1.2, heard.hiss
        voiced = level * (1 - hiss)
        wanted = np.zeros((len(level), WIDTH))
        wanted[:, JAW] = voiced * (0.14 + 0.45 * np.minimum(heard.open / 0.6, 1))
        wanted[:, SPREAD] = 0.45 * voiced * np.clip((heard.front - 0.3) / 0.4, 0, 1)
        rounded = voiced * np.clip((0.12 - heard.front) / 0.1, 0, 1)
        wanted[:, PUCKER], wanted[:, FUNNEL] = 0.45 * rounded, 0.5 * rounded
        wanted[:, UPPER] = 0.06 * voiced + 0.20 * level * hiss
        wanted[:, LOWER] = 0.12 * voiced + 0.24 * level * hiss
        wanted[:, HISSING] = level * hiss
        # What is heard through closed lips is soft and has nothing above 500 Hz.
        wanted[:, CLOSED] = (
            np.clip((0.14 - heard.open) / 0.06, 0, 1)
            * np.clip((0.55 - heard.front) / 0.15, 0, 1)
            * np.clip((0.75 - heard.level) / 0.15, 0, 1)
            * np.clip((heard.level - 0.05) / 0.05, 0, 1)
        )
        padded = np.concatenate([self._unsmoothed, wanted, np.repeat(wanted[-1:], 2, axis=0)])
        self._unsmoothed = padded[-4:-2]
        smooth = np.empty_like(wanted)
        for columns, weights in ((slice(None, CLOSED), (1, 2, 3, 2, 1)), (slice(CLOSED, None), (0, 1, 2, 1, 0))):
            total = sum(weight * padded[i : i + len(wanted), columns] for i, weight in enumerate(weights))
            smooth[:, columns] = total / sum(weights)
        shown = np.empty_like(wanted)
        step = 1 - np.exp(-1 / (60 * LAG_S))
        for frame, target in enumerate(smooth):
            came_from = came_from + step * (target - came_from)
            shown[frame] = came_from
        return shown
