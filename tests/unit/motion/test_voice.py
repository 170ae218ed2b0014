"""A mouth for a voice whose phonemes nobody knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion import lips
from services.motion.frames import SAMPLE_RATE
from services.motion.voice import Voice


def vowel(formants: tuple[float, float], seconds: float = 0.5, loud: float = 0.3) -> NDArray[np.int16]:
    """Harmonics of 200 Hz, louder near the formants."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros_like(t)
    for hertz in np.arange(200, 4000, 200):
        near = sum(1 / (1 + ((hertz - formant) / 90) ** 2) for formant in formants)
        sound += near * np.sin(2 * np.pi * hertz * t)
    return np.asarray(32_767 * loud * sound / np.abs(sound).max()).astype(np.int16)


def hiss(seconds: float = 0.5, loud: float = 0.2) -> NDArray[np.int16]:
    """Noise above 4 kHz."""
    noise = np.random.default_rng(1).standard_normal(round(seconds * SAMPLE_RATE))
    noise = np.diff(np.diff(noise, prepend=0), prepend=0)
    return np.asarray(32_767 * loud * noise / np.abs(noise).max()).astype(np.int16)


def settled(sound: NDArray[np.int16]) -> NDArray[Any]:
    """The articulation in the middle of a sound."""
    ear = Voice()
    shape: NDArray[Any] = ear.lips(ear.hear(sound), np.zeros(lips.WIDTH))[15]
    return shape


def test_silence_is_a_shut_mouth() -> None:
    assert np.abs(settled(np.zeros(12_000, np.int16))).max() == 0


def test_an_open_vowel_opens_the_jaw_more_than_a_close_one() -> None:
    assert settled(vowel((850, 1300)))[lips.JAW] > settled(vowel((300, 2300)))[lips.JAW] + 0.15


def test_a_bright_close_vowel_spreads_the_lips_and_a_dark_one_rounds_them() -> None:
    bright, dark = settled(vowel((300, 2300))), settled(vowel((350, 700)))
    assert bright[lips.SPREAD] > 0.2 > 0.05 > dark[lips.SPREAD]
    assert dark[lips.PUCKER] > 0.2 > 0.05 > bright[lips.PUCKER]


def test_a_hiss_shuts_the_teeth_and_shows_them() -> None:
    shape = settled(hiss())
    assert shape[lips.HISSING] > 0.4
    assert shape[lips.JAW] < 0.05
    assert shape[lips.LOWER] > 0.08


def test_a_murmur_between_vowels_shuts_the_lips() -> None:
    murmur = vowel((250, 250), 0.1, loud=0.04)
    sound = np.concatenate([vowel((850, 1300), 0.2), murmur, vowel((850, 1300), 0.2)])
    ear = Voice()
    shut = ear.lips(ear.hear(sound), np.zeros(lips.WIDTH))[:, lips.CLOSED]
    assert shut[13:17].max() > 0.8
    assert shut[:10].max() < 0.05


def test_what_is_heard_does_not_depend_on_how_it_is_cut() -> None:
    sound = np.concatenate([vowel((850, 1300)), hiss(), vowel((350, 700))])
    whole, pieces = Voice().hear(sound), Voice()
    cut = [pieces.hear(part) for part in np.split(sound, [2400, 7200, 24_000])]
    for name in whole._fields:
        assert np.allclose(np.concatenate([getattr(part, name) for part in cut]), getattr(whole, name), atol=1e-5)


def test_the_jaw_follows_within_a_frame_or_two() -> None:
    sound = np.concatenate([np.zeros(12_000, np.int16), vowel((850, 1300), 0.3), np.zeros(12_000, np.int16)])
    ear = Voice()
    jaw = ear.lips(ear.hear(sound), np.zeros(lips.WIDTH))[:, lips.JAW]
    half = np.flatnonzero(jaw > jaw.max() / 2)
    assert abs(int(half[0]) - 30) <= 2
    assert abs(int(half[-1]) - 47) <= 3


def test_a_louder_voice_opens_the_jaw_farther() -> None:
    ear = Voice()
    ear.jaw_gain(ear.hear(vowel((850, 1300), loud=0.5)))
    soft = ear.jaw_gain(ear.hear(vowel((850, 1300), loud=0.03)))[-1]
    loud = ear.jaw_gain(ear.hear(vowel((850, 1300), loud=0.6)))[-1]
    assert 0.8 < soft < 1 < loud < 1.35


def test_a_soft_voice_is_not_taken_for_silence_for_long() -> None:
    ear = Voice()
    ear.hear(vowel((850, 1300), loud=0.8))
    soft = [ear.hear(vowel((850, 1300), 1.0, loud=0.02)).level.mean() for _ in range(8)]
    assert soft[-1] > soft[0]
    assert soft[-1] > 0.6
