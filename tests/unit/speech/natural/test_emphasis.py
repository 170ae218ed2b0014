"""A word that stands out is longer, higher, wider and louder than it would be, and nothing before it changes."""

from __future__ import annotations

import numpy as np
import pytest

from services.speech.natural.emphasis import EARLY, FLATTER, HIGHER, LONGER, LOUDER_DB, RAMP, WIDER, emphasised
from services.speech.natural.encoder import Features

SYMBOLS = 20
WORD = slice(8, 12)


def features() -> Features:
    """Each symbol's sound is its number; the pitch swings around 200 Hz, with a gap amid it."""
    durations = 2 + np.arange(SYMBOLS) % 3
    halves = 2 * int(durations.sum())
    f0 = (200 * 2 ** (0.2 * np.sin(np.arange(halves) / 3))).astype(np.float32)
    f0[20:24] = 0
    inner = np.repeat(np.arange(SYMBOLS), durations)[None].repeat(512, 0).astype(np.float32)
    energy = np.full(halves, 5, np.float32)
    return Features(inner, f0, energy, np.zeros(256, np.float32), durations.astype(np.int64))


def flags() -> np.ndarray:
    found = np.zeros(SYMBOLS, bool)
    found[WORD] = True
    return found


def halves(found: Features) -> tuple[int, int]:
    """Where the word's pitch is."""
    ends = np.cumsum(found.durations)
    return 2 * int(ends[WORD.start - 1]) - EARLY, 2 * int(ends[WORD.stop - 1]) - EARLY


def test_without_such_a_word_nothing_changes() -> None:
    given = features()
    found, gain = emphasised(given, np.zeros(SYMBOLS, bool))
    assert found is given
    assert (gain == 1).all()


def test_it_lasts_longer_and_nothing_else_does() -> None:
    before, after = features().durations, emphasised(features(), flags())[0].durations
    assert after[WORD].sum() / before[WORD].sum() == pytest.approx(LONGER, abs=0.05)
    assert (after[: WORD.start] == before[: WORD.start]).all()
    assert np.abs(after - before)[WORD.stop :].max() <= 1
    assert after.sum() - before.sum() == pytest.approx((LONGER - 1) * before[WORD].sum(), abs=1)


def test_symbols_keep_their_sound_and_order() -> None:
    found, gain = emphasised(features(), flags())
    assert (found.inner[0] == np.repeat(np.arange(SYMBOLS), found.durations)).all()
    assert found.inner.shape[1] * 2 == len(found.f0) == len(found.energy) == len(gain)


def test_it_is_higher_wider_and_louder_and_what_follows_flatter() -> None:
    given = features()
    found, gain = emphasised(given, flags())
    begin, end = halves(found)
    plain = emphasised_lengths_only(given)
    middle = np.log2(plain.f0[plain.f0 > 0]).mean()
    semitones = 12 * (np.log2(np.maximum(found.f0, 1)) - middle)
    before = 12 * (np.log2(np.maximum(plain.f0, 1)) - middle)
    word = semitones[begin:end]
    assert word.mean() - before[begin:end].mean() == pytest.approx(
        HIGHER + (WIDER - 1) * before[begin:end].mean(), abs=0.1
    )
    assert np.ptp(word) > 1.1 * np.ptp(before[begin:end])
    late = slice(end + RAMP, None)
    assert semitones[late] == pytest.approx(FLATTER * before[late], abs=0.01)
    early = slice(0, begin - RAMP)
    assert found.f0[early] == pytest.approx(plain.f0[early], rel=1e-5)
    assert 20 * np.log10(gain[begin:end]) == pytest.approx(LOUDER_DB)
    assert gain[early] == pytest.approx(1)


def test_a_word_that_is_over_at_once_changes_no_pitch() -> None:
    """It would be higher before the sound begins."""
    f0 = np.linspace(150, 250, 12, dtype=np.float32)
    given = Features(np.zeros((512, 6), np.float32), f0, f0, np.zeros(256, np.float32), np.array([1, 5]))
    found, gain = emphasised(given, np.array([True, False]))
    assert found.f0 == pytest.approx(f0)
    assert (gain == 1).all()


def test_what_has_no_voice_gets_none() -> None:
    given = features()
    given.f0[:] = 0
    assert not emphasised(given, flags())[0].f0.any()


def emphasised_lengths_only(given: Features) -> Features:
    """The same lengths, with the pitch as it was."""
    from services.speech.natural.emphasis import _stretched

    return _stretched(given, flags())
