"""Rooms, noises and lines spoil a voice as told, in time with it and the same again."""

from __future__ import annotations

import numpy as np
import pytest

from services.motion.model.network.spoil import (
    NOISES,
    at_level,
    companded,
    in_room,
    narrowed,
    spoiled,
    stretched,
    with_noise,
)
from services.speech.sound import SAMPLE_RATE, Samples


def tone(hertz: float) -> Samples:
    return (0.2 * np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)


def power(sound: Samples) -> float:
    return float(np.mean(np.square(sound, dtype=np.float64)))


@pytest.mark.parametrize("kind", NOISES)
def test_noise_is_as_much_softer_as_asked(kind: str) -> None:
    voice = tone(400)
    noise = with_noise(voice, kind, 12, np.random.default_rng(1)) - voice
    assert 10 * np.log10(power(voice) / power(noise)) == pytest.approx(12, abs=0.1)


def test_a_room_adds_a_tail_and_keeps_the_time() -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[5_000] = 0.5
    heard = in_room(click, np.random.default_rng(3))
    assert int(np.abs(heard).argmax()) == 5_000
    assert np.abs(heard[:5_000]).max() < 1e-6
    assert power(heard[5_100:8_000]) > 0


def test_a_narrow_line_takes_what_is_outside() -> None:
    inside, outside = (power(narrowed(tone(hertz), 300, 3_400)) / power(tone(hertz)) for hertz in (1_000, 6_000))
    assert inside > 0.9
    assert outside < 0.01


def test_the_telephones_code_is_coarse_but_close() -> None:
    voice = tone(500)
    again = companded(voice)
    assert 0 < power(again - voice) < power(voice) / 300


def test_slower_means_longer_and_lower() -> None:
    slow = stretched(tone(400), 1.25)
    assert len(slow) == round(1.25 * SAMPLE_RATE)
    assert int(np.abs(np.fft.rfft(slow)).argmax()) * SAMPLE_RATE / len(slow) == pytest.approx(320, abs=1)


def test_the_same_mishaps_happen_again_from_the_same_seed() -> None:
    voice = at_level(tone(400), -20)
    one, two, other = (spoiled(voice, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert np.abs(one).max() <= 1
