"""Other heads, microphones, rooms and noises, on what is heard: drawn anew for every example, so that few voices teach
as many do. NumPy only; rougher than `spoil`, which works on the sound, and cheaper by far.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion.frames import FRAME_RATE
from services.motion.model.network.features import COLUMNS, FLOOR, MELS, MIDDLE, SPREAD, band_edges

Floats = NDArray[np.float32]
Random = np.random.Generator

WARPED, COLOURED, ECHOED, NOISY = 0.5, 0.5, 0.3, 0.5
"""How often each happens."""
WARPS = tuple(float(warp) for warp in np.linspace(0.88, 1.14, 14))
"""By how much formants rise, as in smaller heads (vocal tract length perturbation, Jaitly and Hinton 2013)."""
LEAST_SNR, MOST_SNR = 5.0, 30.0
"""By how much the voice is louder than the noise, dB."""
DIES_S = (0.1, 0.5)
"""In which a room's tail sinks by 60 dB."""
LINGERS_DB = (2.0, 14.0)
"""By how much the voice is louder than the room's tail."""
COLUMN_S = 1 / (FRAME_RATE * COLUMNS)


def varied(heard: Floats, random: Random) -> Floats:
    """Features [n, features.WIDTH], as another voice in another place might give them."""
    power = np.maximum(10 ** (heard.reshape(-1, MELS).astype(np.float64) * SPREAD + MIDDLE) - FLOOR, 0)
    if random.random() < WARPED:
        power = power @ _warps()[int(random.integers(len(WARPS)))]
    if random.random() < COLOURED:
        power = power * 10 ** (_bent(random, 6.0) / 10)
    if random.random() < ECHOED:
        power = power + _tail(power, random)
    if random.random() < NOISY:
        power = power + _noise(power, random)
    found: Floats = ((np.log10(power + FLOOR) - MIDDLE) / SPREAD).astype(np.float32)
    return found.reshape(heard.shape)


def _bent(random: Random, decibels: float) -> NDArray[Any]:
    """A smooth curve over the bands [MELS], of about so many decibels."""
    place = np.linspace(0, 1, MELS)
    slope = random.normal() * (2 * place - 1)
    bumps = sum(random.normal() * np.exp(-(((place - random.random()) / 0.15) ** 2)) for _ in range(2))
    return np.asarray(decibels * (slope + bumps) / 1.5)


def _tail(power: NDArray[Any], random: Random) -> NDArray[Any]:
    """What a room adds: what sounded before, dying away."""
    ages = np.arange(1, round(DIES_S[1] / COLUMN_S))
    falls = 10 ** (-6 * ages * COLUMN_S / random.uniform(*DIES_S))
    falls *= 10 ** (-random.uniform(*LINGERS_DB) / 10) / falls.sum()
    size = 1 << (len(power) + len(ages)).bit_length()
    spectrum = np.fft.rfft(power, size, axis=0) * np.fft.rfft(np.concatenate([[0.0], falls]), size)[:, None]
    return np.maximum(np.fft.irfft(spectrum, size, axis=0)[: len(power)], 0)


def _noise(power: NDArray[Any], random: Random) -> NDArray[Any]:
    """Noise of some colour that swells, against the mean of this sound; nothing when it is silent."""
    edges = band_edges()
    widths = (edges[2:] - edges[:-2]) / 2
    colour = 10 ** ((_bent(random, 8.0) - random.uniform(0, 12) * np.log2(edges[1:-1] / 1_000)) / 10)
    time = np.arange(len(power)) * COLUMN_S
    waves = [np.sin(2 * np.pi * random.uniform(0.3, 6) * time + random.uniform(0, 6.3)) for _ in range(2)]
    swell = 10 ** (random.uniform(0, 4) * sum(random.normal() * wave for wave in waves) / 10)
    # The power of noise in a band is a mean over as many independent values as the band has width for.
    grain = np.maximum(widths / 60, 1)
    noise = colour * swell[:, None] * random.gamma(grain, 1 / grain, power.shape)
    loud = (power @ widths).mean() / (noise @ widths).mean()
    return np.asarray(noise * loud * 10 ** (-random.uniform(LEAST_SNR, MOST_SNR) / 10))


@lru_cache(maxsize=1)
def _warps() -> tuple[NDArray[Any], ...]:
    """Matrices [MELS, MELS], of WARPS: what was in one band, in the bands of its frequency times the warp."""
    middles = band_edges()[1:-1]
    found = []
    for warp in WARPS:
        # Each new band hears where its frequency was before.
        place = np.interp(middles / warp, middles, np.arange(MELS))
        low = np.minimum(place.astype(int), MELS - 2)
        matrix = np.zeros((MELS, MELS))
        matrix[low, np.arange(MELS)] = 1 - (place - low)
        matrix[low + 1, np.arange(MELS)] = place - low
        found.append(matrix)
    return tuple(found)
