"""What makes a word stand out: it is longer, higher and louder, its pitch moves more, and what follows is flatter.

How much is what is usual in both languages' speech (Xu 1999 for Mandarin: a wider range on the word, a narrower one
after it; Cooper, Eady and Mueller 1985 for English). Mandarin's tones keep their shape.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.speech.natural.encoder import Features, Floats

LONGER = 1.3
"""Factor on the length of the word's symbols."""
HIGHER, WIDER = 2.0, 1.2
"""Semitones, and factor on how far the pitch is from the middle of what is said together."""
FLATTER = 0.85
"""Factor on the same after the last such word."""
LOUDER_DB = 3.0
"""Of the sound: the vocoder takes the encoder's energy for a colour more than for a loudness."""
EARLY = 5
"""Half frames by which the pitch of a symbol comes before it; see EARLY_S in services/speech/natural/speaker.py."""
RAMP = 4
"""Half frames over which a word rises out of its neighbours."""
VOICED_HZ = 40.0


def emphasised(features: Features, symbols: NDArray[np.bool_]) -> tuple[Features, Floats]:
    """What is to be made sound of, and the sound's gain [2T]. `symbols`: [n] which are a word's that stands out, pads
    included.
    """
    if not symbols.any():
        return features, np.ones(len(features.f0), np.float32)
    features = _stretched(features, symbols)
    word = _word(symbols, features.durations)
    after = (np.cumsum(word[::-1])[::-1] == 0) & bool(word.any())
    voiced = features.f0 > VOICED_HZ
    f0 = features.f0.copy()
    if voiced.any():
        middle = np.log2(f0[voiced]).mean()
        wide = np.where(after, FLATTER, 1 + (WIDER - 1) * word)
        moved = middle + wide * (np.log2(np.maximum(f0, VOICED_HZ)) - middle) + HIGHER / 12 * word
        f0 = np.where(voiced, 2**moved, f0).astype(np.float32)
    return replace(features, f0=f0), (10 ** (LOUDER_DB / 20 * word)).astype(np.float32)


def _stretched(features: Features, symbols: NDArray[np.bool_]) -> Features:
    """With the word's frames coming more often. What rounding takes from one symbol it gives to the next."""
    wanted = features.durations * np.where(symbols, LONGER, 1.0)
    durations = np.diff(np.round(np.concatenate(([0], np.cumsum(wanted))))).astype(np.int64)
    frames = np.floor(_source(features.durations, durations) + 0.5).astype(np.int64)
    halves, before = _source(2 * features.durations, 2 * durations), np.arange(len(features.f0))
    return replace(
        features,
        inner=np.ascontiguousarray(features.inner[:, frames]),
        f0=np.interp(halves, before, features.f0).astype(np.float32),
        energy=np.interp(halves, before, features.energy).astype(np.float32),
        durations=durations,
    )


def _source(before: NDArray[np.int64], now: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where among the steps before each step now was, symbol by symbol."""
    owner = np.repeat(np.arange(len(now)), now)
    middle = np.arange(len(owner)) - (np.cumsum(now) - now)[owner] + 0.5
    found: NDArray[np.float64] = (np.cumsum(before) - before)[owner] + middle * before[owner] / now[owner] - 0.5
    return found


def _word(symbols: NDArray[np.bool_], durations: NDArray[np.int64]) -> Floats:
    """[2T] 1 in the word, 0 away from it, with slopes in between."""
    inside = np.repeat(symbols, 2 * durations)
    inside = np.concatenate((inside[EARLY:], np.zeros(EARLY, bool)))
    slope = np.concatenate((np.arange(1, RAMP + 1), np.arange(RAMP - 1, 0, -1)))
    risen = np.convolve(inside, slope / slope.sum(), mode="same")
    return np.maximum(risen, inside).astype(np.float32)
