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

_HALF_WIDTH = 16
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


def resample(sound: Samples, rate: int) -> Samples:
    """The same sound at SAMPLE_RATE, band-limited, without delay.

    A rational resampler (Kaiser-windowed sinc) as one matrix product: blocks of `down` input samples, with their
    surroundings, times the filter of each of the `up` output phases.
    """
    if rate == SAMPLE_RATE or not len(sound):
        return sound
    matrix, up, down = _resampler(rate)
    margin = (len(matrix) - down) // 2
    length = -(-len(sound) * up // down)
    blocks = -(-length // up)
    padded = np.zeros(blocks * down + 2 * margin, dtype=np.float32)
    padded[margin : margin + len(sound)] = sound[: blocks * down + margin]
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(matrix))[::down]
    return np.ascontiguousarray(windows @ matrix).reshape(-1)[:length]


@lru_cache(maxsize=4)
def _resampler(rate: int) -> tuple[Samples, int, int]:
    """The filters as a matrix [input sample of a block with margins, output phase], and the ratio up / down."""
    divisor = gcd(SAMPLE_RATE, rate)
    up, down = SAMPLE_RATE // divisor, rate // divisor
    cutoff = min(1.0, up / down) * 0.96  # of the input's Nyquist frequency; the rest is the transition band
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
