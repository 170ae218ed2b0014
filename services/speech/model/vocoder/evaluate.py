"""Measures of a vocoder's sound beside its teacher's: spectra by class of sounds, peaks, clicks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.speech.model.vocoder.excitation import FRAME, RATE
from services.speech.sound import Samples

LATE = round(0.06 * RATE)
"""Samples by which the encoder's times are later than the sound they belong to."""
WINDOW, HOP, BANDS = 512, 120, 80
"""Of the spectra that are compared: 21 ms every 5 ms."""
FLOOR = 1e-4
"""Magnitudes below are silence."""
AUDIBLE_DB = -60.0
"""Windows of the teacher that are softer, against full scale, are not compared."""

CLASSES = {
    "fricatives": "fvszθðʃʒhxɕʂɻʐç",
    "affricates": "ʨꭧʦʣʥʤʧ",
    "plosives": "pbtdkɡgʔTɾ",
    "nasals": "mnŋ",
    "glides": "lɹwjɥ",
    "vowels": "aeiouyɑɒɔəɛɜɝɚɪʊʌæɐɤɨᵊᵻAIOQWY",
}
"""Symbols of the network by the kind of sound; capitals are its diphthongs (and T its flap)."""

Decibels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spans:
    """Which samples belong to which class of sounds."""

    kinds: tuple[str, ...]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]


def spans(symbols: Sequence[str], durations: NDArray[np.int64], begin: int) -> Spans:
    """`symbols`: one per duration, "" for the pads. `begin`: the frame of the clause at which the sound begins."""
    ends = FRAME * (np.cumsum(durations) - begin) - LATE
    begins = ends - FRAME * durations
    kind = {letter: name for name, letters in CLASSES.items() for letter in letters}
    # What only modifies the symbol before it (length, aspiration, tone) belongs to it.
    kinds, last = [], ""
    for symbol in symbols:
        if symbol in kind or not symbol or symbol in " ,.!?;:—…ˈˌ":
            last = kind.get(symbol, "")
        kinds.append(last)
    return Spans(tuple(kinds), begins, ends)


def bands(sound: Samples) -> Decibels:
    """[windows, BANDS] Decibels of mel bands."""
    found: Decibels = (20 * np.log10(_magnitudes(sound) @ _mel() + FLOOR)).astype(np.float32)
    return found


def band_distance(teacher: Samples, own: Samples) -> Decibels:
    """[windows] Mean absolute difference of mel bands in dB; NaN where the teacher is silent."""
    wanted, given = bands(teacher), bands(own)
    distance = np.abs(wanted - given).mean(axis=1)
    return np.where(_audible(teacher), distance, np.nan).astype(np.float32)


def spectral_distance(teacher: Samples, own: Samples) -> float:
    """Log-spectral distance in dB: the root mean square over frequencies, in the mean of audible windows.

    Two draws of the same noise are about 7.9 dB apart; the finest detail is random.
    """
    wanted, given = (20 * np.log10(_magnitudes(sound) + FLOOR) for sound in (teacher, own))
    distance = np.sqrt(np.square(wanted - given).mean(axis=1))
    return float(distance[_audible(teacher)].mean())


def by_class(distance: Decibels, where: Spans) -> dict[str, list[float]]:
    """The distances of windows in the middle of each class of sounds."""
    centres = np.arange(len(distance)) * HOP + WINDOW // 2
    found: dict[str, list[float]] = {name: [] for name in CLASSES}
    for kind, begin, end in zip(where.kinds, where.begins, where.ends, strict=True):
        if kind:
            inside = distance[(centres >= begin) & (centres < end)]
            found[kind] += inside[~np.isnan(inside)].tolist()
    return found


def clicks(sound: Samples) -> int:
    """Moments when the highest frequencies are suddenly, and for less than 2 ms, 20 dB louder than around.

    Pulses of a voice do not count: they come again within the surroundings.
    """
    sharp = np.abs(np.diff(sound, 3)).astype(np.float64)
    width, around = round(0.002 * RATE), 15
    blocks = sharp[: len(sharp) // width * width].reshape(-1, width).max(axis=1)
    if len(blocks) < 2 * around:
        return 0
    padded = np.pad(blocks, around, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1).copy()
    windows[:, around - 1 : around + 2] = 0
    found = (blocks > 10 * windows.max(axis=1)) & (blocks > 0.01)
    return int(np.count_nonzero(found[1:] & ~found[:-1]))  # one that lies across two blocks is one


def roughest_border(sound: Samples, borders: Sequence[int]) -> float:
    """The sharpest bend at a border between pieces, against the sharpest within 5 ms of it; up to 1 is nothing."""
    bend, reach = np.abs(np.diff(sound, 2)), round(0.005 * RATE)
    worst = 0.0
    for border in borders:
        at = bend[max(border - 3, 0) : border + 2]
        near = np.concatenate((bend[max(border - reach, 0) : max(border - 3, 0)], bend[border + 2 : border + reach]))
        if at.size and near.size and near.max() > 1e-4:
            worst = max(worst, float(at.max() / near.max()))
    return worst


def _audible(sound: Samples) -> NDArray[np.bool_]:
    windows = _windows(sound)
    return np.asarray(10 * np.log10(np.square(windows).mean(axis=1) + 1e-12) > AUDIBLE_DB)


def _windows(sound: Samples) -> Samples:
    return np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]


def _magnitudes(sound: Samples) -> Samples:
    """[windows, bins] White noise of power 1 has magnitudes around 1."""
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    magnitudes: Samples = np.abs(np.fft.rfft(_windows(sound) * hann)) / np.sqrt(np.square(hann).sum())
    return magnitudes


@lru_cache(maxsize=1)
def _mel() -> Samples:
    """[bins, BANDS] Triangles, evenly spaced on the mel scale, each of sum 1."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    at = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(np.minimum(rising, falling), 0)
    # The lowest bands are narrower than a bin: each takes the nearest one.
    nearest = np.abs(at - edges[1:-1]).argmin(axis=0)
    triangles[nearest, np.arange(BANDS)] = np.maximum(triangles[nearest, np.arange(BANDS)], 1e-3)
    weights: Samples = (triangles / triangles.sum(axis=0)).astype(np.float32)
    return weights
