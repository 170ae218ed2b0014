"""Measures say nothing of equal sounds, more of worse ones, and find the clicks and borders that are there."""

from __future__ import annotations

import numpy as np
import pytest

from services.speech.model.vocoder.evaluate import (
    CLASSES,
    LATE,
    band_distance,
    by_class,
    clicks,
    roughest_border,
    spans,
    spectral_distance,
)
from services.speech.sound import SAMPLE_RATE, Samples


def hum(seconds: float = 1.0, level: float = 0.3) -> Samples:
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * 220 * at) / 2 + level * np.sin(2 * np.pi * 440 * at) / 3).astype(np.float32)


def hiss(seed: int, seconds: float = 1.0) -> Samples:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE), dtype=np.float32)


def test_equal_sounds_are_not_apart() -> None:
    assert spectral_distance(hiss(1), hiss(1)) == 0
    assert np.nanmax(band_distance(hum(), hum())) == 0


def test_two_draws_of_noise_are_as_far_apart_as_the_model_card_says() -> None:
    assert spectral_distance(hiss(1), hiss(2)) == pytest.approx(7.9, abs=0.4)


def test_twice_the_level_is_six_decibels() -> None:
    assert np.nanmean(band_distance(hiss(1), 2 * hiss(1))) == pytest.approx(6, abs=0.1)


def test_silence_of_the_teacher_is_not_compared() -> None:
    teacher = np.concatenate((np.zeros(SAMPLE_RATE, dtype=np.float32), hiss(1)))
    distance = band_distance(teacher, np.concatenate((hiss(2), hiss(1))))
    assert np.isnan(distance[10:180]).all()
    assert np.nanmax(distance[220:]) == 0


def test_distances_are_counted_for_the_sound_that_is_heard_then() -> None:
    """Four sounds of 0.2 s; only what is heard during the second one, an s, is wrong."""
    symbols, durations = ["", "m", "s", "ʰ", "a", "t", ""], np.array([4, 8, 4, 4, 8, 8, 4])
    where = spans(symbols, durations, begin=0)
    teacher = hiss(1)
    own = teacher.copy()
    begin = 600 * 12 - LATE
    own[begin : begin + 600 * 8] *= 3
    found = by_class(band_distance(teacher, own), where)
    assert set(found) == set(CLASSES)
    assert np.mean(found["fricatives"]) > 7
    assert max(np.mean(found[name]) for name in ("nasals", "vowels", "plosives")) < 2
    assert not found["affricates"]


def test_every_symbol_belongs_to_one_class() -> None:
    letters = "".join(CLASSES.values())
    assert len(set(letters)) == len(letters)


def test_a_click_is_found_and_pulses_of_a_voice_are_none() -> None:
    clean = hum(2)
    assert clicks(clean) == 0
    for at in (9_000, 30_000):
        clean[at] += 0.2
    assert clicks(clean) == 2
    voice = np.zeros(48_000, dtype=np.float32)
    voice[::120] = 0.3
    assert clicks(voice[240:]) == 0


def test_a_step_at_a_border_is_rough_and_none_is_not() -> None:
    sound = hum()
    assert roughest_border(sound, [12_000]) <= 1.1
    sound[12_000:] += 0.05
    assert roughest_border(sound, [12_000]) > 5
