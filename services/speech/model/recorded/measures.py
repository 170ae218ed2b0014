"""What is measured of a recording, as the open encoder would say it: pitch, energy, and what the aligner hears."""

from __future__ import annotations

import numpy as np

from services.speech.model.vocoder.evaluate import bands
from services.speech.natural.encoder import Floats
from services.speech.natural.speaker import EARLY_S, FRAME
from services.speech.sound import SAMPLE_RATE, Samples

STEP = FRAME // 2
"""Samples of one value of pitch and energy."""
LOWEST_HZ, HIGHEST_HZ = 65.0, 500.0
SPAN = 960
"""Samples that are compared with later ones."""
PERIODIC, NEARLY = 0.5, 0.9
"""Likeness from which there is voice; share of the best likeness that makes a shorter period the right one."""
SOFT_DB = -50.0
"""Below this nobody speaks."""
VOWEL_DB, VOWEL = -20.0, 9.0
PER_DB = 0.46
"""Energy is a straight line through loudness: 9 in a vowel, -9.5 at -60 dB, as the open encoder says it."""
LEVEL_DB = -20.0
"""Loudness of the loudest tenth of a recording, after `levelled`."""
MELS, MEL_HOP, MEL_WINDOW = 80, 120, 512
"""Of `services.speech.model.vocoder.evaluate.bands`."""


def levelled(sound: Samples) -> Samples:
    """The sound at the loudness of all the others, in whole frames."""
    whole = sound[: len(sound) // FRAME * FRAME]
    if not whole.size:
        return whole
    loud = float(np.quantile(_decibels(whole), 0.9))
    return np.asarray(whole * 10 ** ((LEVEL_DB - max(loud, SOFT_DB)) / 20), dtype=np.float32)


def energy(sound: Samples) -> Floats:
    """[2T] Of each half frame."""
    found: Floats = (VOWEL + PER_DB * (np.maximum(_decibels(sound), -60) - VOWEL_DB)).astype(np.float32)
    return found


def pitch(sound: Samples) -> Floats:
    """[2T] Hz of each half frame, 0 where there is no voice: the shortest period after which the sound is nearly most
    like itself.
    """
    steps = len(sound) // STEP
    least, most = int(SAMPLE_RATE / HIGHEST_HZ), int(SAMPLE_RATE / LOWEST_HZ)
    reach = SPAN + most
    padded = np.pad(sound.astype(np.float64), (reach // 2, reach))
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach)[STEP // 2 :: STEP][:steps]
    first = windows[:, :SPAN] - windows[:, :SPAN].mean(axis=1, keepdims=True)
    size = 1 << int(np.ceil(np.log2(reach + SPAN)))
    alike = np.fft.irfft(np.fft.rfft(windows, size) * np.fft.rfft(first, size).conj(), size)[:, : most + 1]
    # The later part's own energy, without its mean, as running sums.
    sums, squares = (np.cumsum(np.pad(part, ((0, 0), (1, 0))), axis=1) for part in (windows, np.square(windows)))
    sums, squares = sums[:, SPAN:] - sums[:, :-SPAN], squares[:, SPAN:] - squares[:, :-SPAN]
    later = squares[:, : most + 1] - np.square(sums[:, : most + 1]) / SPAN
    likeness = alike / np.sqrt(np.maximum(later * np.square(first).sum(axis=1, keepdims=True), 1e-12))
    found = np.zeros(steps, np.float32)
    loud = _decibels(sound)[:steps] > SOFT_DB
    for step in np.flatnonzero(loud & (likeness[:, least:].max(axis=1, initial=0) > PERIODIC)):
        row = likeness[step]
        peaks = least + np.flatnonzero((row[least:-1] >= row[least - 1 : -2]) & (row[least:-1] > row[least + 1 :]))
        good = peaks[row[peaks] > max(NEARLY * row[peaks].max(initial=0), PERIODIC)] if peaks.size else peaks
        if good.size:
            at = int(good[0])
            before, here, after = row[at - 1 : at + 2]
            bend = before - 2 * here + after
            found[step] = SAMPLE_RATE / (at + (0.5 * (before - after) / bend if bend < 0 else 0))
    return _smoothed(found)


def heard(sound: Samples) -> Floats:
    """[T, MELS] What the aligner hears in each frame, around 0.

    Of a time EARLY_S before the frame: symbols begin so much later than their sound in the open encoder, too, and who
    uses their times (her mouth does) need not know which network said them.
    """
    middle = np.arange(len(sound) // FRAME) * FRAME + FRAME // 2 - round(EARLY_S * SAMPLE_RATE)
    loud = bands(np.pad(sound, (MEL_WINDOW, MEL_WINDOW)))
    # A window's middle is half its length after its begin.
    at = np.clip((middle + MEL_WINDOW - MEL_WINDOW // 2) // MEL_HOP, 0, len(loud) - 1)
    found: Floats = (loud[at] / 20 + 2).astype(np.float32)
    return found


def _decibels(sound: Samples) -> Floats:
    """[2T]"""
    steps = sound[: len(sound) // STEP * STEP].reshape(-1, STEP)
    found: Floats = (10 * np.log10(np.square(steps).mean(axis=1) + 1e-12)).astype(np.float32)
    return found


def _smoothed(f0: Floats) -> Floats:
    """Without single values that are far from both neighbours, and without lone ones."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(f0, 2), 5)
    middle = np.median(around, axis=1)
    odd = (f0 > 0) & ((middle == 0) | (np.abs(np.log2(np.maximum(f0, 1) / np.maximum(middle, 1))) > 0.4))
    return np.where(odd, middle, f0).astype(np.float32)
