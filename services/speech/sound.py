"""Arithmetic on sound: floats from -1 to 1, mono."""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SAMPLE_RATE = 24_000
"""Of every sound that leaves the service."""
FRAME = 400
"""Samples per animation frame (60 a second)."""
CEILING = 0.88
"""No sample leaves louder: -1.1 dBFS."""
KNEE = 0.6
"""Where the limiter sets in."""

QUIET = 0.003
"""Amplitude below which nothing is heard: -50 dBFS."""
LEAD = 480
"""Samples that stay before a first sound, so that it does not begin cut off."""

_SMALL = 280_000
"""Multiplications that BLAS does in one thread. For more it takes several, which wait for each other in busy loops:
measured, that costs ten times as much as the work itself.
"""
_HALF_WIDTH = 32
"""Zero crossings of the resampling filter on each side."""
_BETA = 8.0
"""Kaiser window: stop band 80 dB down."""


def from_s16le(pcm: bytes) -> Samples:
    """Samples of signed 16-bit little-endian sound. An odd last byte is dropped."""
    return np.frombuffer(pcm[: len(pcm) & ~1], dtype="<i2").astype(np.float32) / np.float32(32768)


def to_s16le(sound: Samples) -> bytes:
    """Signed 16-bit little-endian sound; what is out of range is clipped."""
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2").tobytes()


def silence(seconds: float) -> Samples:
    """Digital silence."""
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


class Resampler:
    """Brings a stream of sound to another rate, band-limited and without delay between input and output times.

    A rational resampler (Kaiser-windowed sinc) as one matrix product: blocks of `down` input samples, with their
    surroundings, times the filter of each of the `up` output phases.
    """

    def __init__(self, rate: int, to: int = SAMPLE_RATE) -> None:
        self._matrix, self._up, self._down = _filters(rate, to)
        self._margin = (len(self._matrix) - self._down) // 2
        self._held: Samples = np.zeros(self._margin, dtype=np.float32)
        self._taken = 0
        self._given = 0

    def push(self, sound: Samples) -> Samples:
        """As much output as the input so far allows."""
        if self._up == self._down:
            return sound
        self._held = np.concatenate((self._held, sound))
        self._taken += len(sound)
        blocks = max(0, (len(self._held) - 2 * self._margin) // self._down)
        if not blocks:
            return silence(0)
        windows = np.lib.stride_tricks.sliding_window_view(self._held, len(self._matrix))[:: self._down][:blocks]
        self._held = self._held[blocks * self._down :]
        self._given += blocks * self._up
        rows = max(1, _SMALL // self._matrix.size)
        products = [windows[at : at + rows] @ self._matrix for at in range(0, blocks, rows)]
        return np.concatenate(products).reshape(-1)

    def finish(self) -> Samples:
        """What is left of the output."""
        if self._up == self._down:
            return silence(0)
        missing = -(-self._taken * self._up // self._down) - self._given
        padding = np.zeros(2 * self._margin + self._down, dtype=np.float32)
        return self.push(padding)[:missing]


def resample(sound: Samples, rate: int, to: int = SAMPLE_RATE) -> Samples:
    """The whole of a sound at another rate."""
    resampler = Resampler(rate, to)
    return np.concatenate((resampler.push(sound), resampler.finish()))


@lru_cache(maxsize=4)
def _filters(rate: int, to: int) -> tuple[Samples, int, int]:
    """The filters as a matrix [input sample of a block with margins, output phase], and the ratio up / down."""
    divisor = gcd(to, rate)
    up, down = to // divisor, rate // divisor
    cutoff = min(1.0, up / down) * 0.94  # of the input's Nyquist frequency; the rest is the transition band
    reach = _HALF_WIDTH / cutoff
    margin = int(np.ceil(reach))
    inputs = np.arange(-margin, down + margin)[:, None]
    outputs = np.arange(up)[None, :] * down / up
    distance = inputs - outputs
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (distance / reach) ** 2, 0, None))) / np.i0(_BETA)
    filters = cutoff * np.sinc(cutoff * distance) * np.where(np.abs(distance) <= reach, window, 0)
    return (filters / filters.sum(axis=0, keepdims=True)).astype(np.float32), up, down


def faded(sound: Samples, seconds: float = 0.004) -> Samples:
    """The sound with soft edges, so that it neither begins nor ends in a click."""
    length = min(round(seconds * SAMPLE_RATE), len(sound) // 2)
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    shaped = sound.copy()
    shaped[:length] *= ramp
    shaped[len(sound) - length :] *= ramp[::-1]
    return shaped


def limited(sound: Samples) -> Samples:
    """What is louder than KNEE bent so that it stays below CEILING."""
    over = np.maximum(np.abs(sound) - KNEE, 0)
    if not over.any():
        return sound
    room = CEILING - KNEE
    bent: Samples = np.copysign(np.minimum(np.abs(sound), KNEE) + room * np.tanh(over / room), sound)
    return bent


class Trimmer:
    """Takes the silence from both ends of a stream of sound."""

    def __init__(self, *, keep_s: float) -> None:
        """`keep_s`: how much silence may stay at the end."""
        self._keep = round(keep_s * SAMPLE_RATE)
        self._begun = False
        self._quiet: Samples = silence(0)

    def push(self, sound: Samples) -> Samples:
        """The sound without its beginning silence; an ending silence is held back until something follows it."""
        sound = np.concatenate((self._quiet, sound))
        loud = np.flatnonzero(np.abs(sound) > QUIET)
        if not loud.size:
            self._quiet = sound if self._begun else sound[-LEAD:]
            return silence(0)
        begin = 0 if self._begun else max(0, int(loud[0]) - LEAD)
        end = int(loud[-1]) + 1
        self._begun = True
        self._quiet = sound[end:]
        return sound[begin:end]

    def finish(self) -> Samples:
        """What may stay of the silence at the end."""
        return self._quiet[: self._keep] if self._begun else silence(0)
