"""Pitch, energy and what the aligner hears, of sounds of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from services.speech.model.recorded.measures import LEVEL_DB, STEP, energy, heard, levelled, pitch
from services.speech.natural.encoder import Floats
from services.speech.natural.speaker import EARLY_S, SOUNDING

RATE = 24_000


def voice(hertz: Floats) -> Floats:
    """Eight harmonics, the fundamental softer than the next ones, as after a telephone. `hertz`: of every sample."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    weights = np.array([0.3, 1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1])
    waves = np.sin(np.arange(1, 9)[:, None] * phase)
    return np.asarray(0.1 * weights @ waves, np.float32)


@pytest.mark.parametrize(("low", "high"), [(80, 110), (110, 180), (200, 320), (300, 420)])
def test_a_gliding_pitch_is_followed(low: float, high: float) -> None:
    hertz = np.linspace(low, high, RATE, dtype=np.float32)
    found = pitch(voice(hertz))
    right = hertz[STEP // 2 :: STEP]
    inside = slice(3, -3)
    assert len(found) == len(right)
    assert (found[inside] > 0).all()
    assert np.abs(12 * np.log2(found[inside] / right[inside])).max() < 0.5


def test_noise_and_silence_have_no_pitch() -> None:
    random = np.random.default_rng(1)
    noise = (0.1 * random.standard_normal(RATE)).astype(np.float32)
    assert (pitch(noise) > 0).mean() < 0.05
    assert not pitch(np.zeros(RATE, np.float32)).any()


def test_voice_begins_and_ends_where_it_does() -> None:
    sound = np.concatenate((np.zeros(RATE // 2), voice(np.full(RATE // 2, 200, np.float32)), np.zeros(RATE // 2)))
    voiced = np.flatnonzero(pitch(sound.astype(np.float32)))
    assert voiced[0] == pytest.approx(40, abs=2)
    assert voiced[-1] == pytest.approx(79, abs=2)


def test_energy_is_that_of_the_open_encoder_in_silence_and_in_a_vowel() -> None:
    sound = np.concatenate((np.zeros(RATE // 2, np.float32), voice(np.full(RATE // 2, 200, np.float32))))
    found = energy(levelled(sound))
    assert found[5:35] == pytest.approx(-9.4, abs=0.2)
    assert found[45:75].mean() == pytest.approx(9, abs=1)
    assert (found[:38] < SOUNDING).all()


def test_recordings_come_to_one_loudness_and_whole_frames() -> None:
    sound = voice(np.full(10_000, 200, np.float32))
    for factor in (0.1, 1.0):
        level = levelled(sound * np.float32(factor))
        assert len(level) == 9_600
        assert 10 * np.log10(np.square(level).mean()) == pytest.approx(LEVEL_DB, abs=1)


def test_the_aligner_hears_a_sound_later_by_what_symbols_are_late() -> None:
    sound = np.zeros(RATE * 2, np.float32)
    sound[RATE:] = voice(np.full(RATE, 200, np.float32))
    level = heard(sound).mean(axis=1)
    first = (level > level.mean()).argmax()
    assert (first * 600 + 300) / RATE == pytest.approx(1 + EARLY_S, abs=0.02)
