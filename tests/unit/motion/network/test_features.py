"""What the network hears does not depend on how the sound is cut, and lies where it sounds."""

from __future__ import annotations

import numpy as np

from services.motion.model.network.features import LOWEST_HZ, MELS, WIDTH, Ear, hear
from services.speech.sound import SAMPLE_RATE, Samples, silence

FRAME = 400


def noise(seconds: float) -> Samples:
    return np.random.default_rng(1).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)


def tone(hertz: float, seconds: float) -> Samples:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def test_pieces_are_heard_like_the_whole() -> None:
    sound = noise(3)
    whole = hear(sound)
    random, ear = np.random.default_rng(2), Ear()
    at, parts = 0, []
    while at < len(sound):
        length = int(random.integers(1, 3_000))
        parts.append(ear.hear(sound[at : at + length]))
        at += length
        known = sum(map(len, parts))
        assert known >= min(at, len(sound)) // FRAME - 1, "no frame comes later than it must"
    heard = np.concatenate(parts)
    assert heard.shape[1] == WIDTH
    np.testing.assert_allclose(heard, whole[: len(heard)], atol=1e-5)


def test_a_whole_sound_has_a_row_for_each_frame_that_begins_in_it() -> None:
    assert len(hear(noise(1))) == 60
    assert len(hear(np.zeros(401, np.float32))) == 2


def test_a_click_is_in_the_frame_in_which_it_sounds() -> None:
    sound = silence(1)
    sound[30 * FRAME] = 0.9
    energy = hear(sound).sum(1)
    assert int(energy.argmax()) == 30
    assert energy[:28].max() < energy[30] - 10
    assert energy[33:].max() < energy[30] - 10


def test_a_higher_tone_is_in_a_higher_band_and_one_above_the_range_in_none() -> None:
    low, high, above = (hear(tone(hertz, 0.5))[15, :MELS] for hertz in (300, 3_000, 10_000))
    assert LOWEST_HZ < 300
    assert int(low.argmax()) < int(high.argmax())
    assert above.max() < high.max() - 1.5, "30 dB softer at least"
