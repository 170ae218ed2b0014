"""Coarticulation and what must happen in spite of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.core.events import Phoneme
from services.motion import face, lips
from services.motion.face import Floats
from tests.unit.motion.voices import frame, phonemes


def articulated(sounds: list[Phoneme], mood: Floats | None = None, gain: float = 1.0) -> Floats:
    """Faces [n, 61] of a segment and of 300 ms after it."""
    segment = lips.SegmentLips(sounds, np.zeros(lips.WIDTH), 0.0)
    t = np.arange(frame(sounds[-1].end_sample / 24 + 300)) / 60
    faces = np.zeros((len(t), face.SIZE), np.float32) + (face.vector() if mood is None else mood)
    lips.mouth(faces, segment(t), np.full(len(t), gain))
    return faces


VOWELS = ("a", "i", "u", "ɤ", "ɛ", "ou")


@pytest.mark.parametrize(("stop", "vowel"), list(itertools.product(("p", "b", "m", "pʰ"), VOWELS)))
@pytest.mark.parametrize("lasts", [40, 80, 120])
def test_lips_meet_for_p_b_m_between_any_vowels(stop: str, vowel: str, lasts: int) -> None:
    gap = face.aperture(articulated(phonemes((vowel, 120, 2), (stop, lasts), (vowel, 120, 2))))
    assert gap[frame(120) : frame(120 + lasts) + 2].min() < 0.01
    assert gap[: frame(110)].max() > 0.07, "the vowel before is open"
    assert gap[frame(120 + lasts + 20) :].max() > 0.07, "and the one after"


def test_a_smiling_surprised_mouth_still_closes() -> None:
    mood = face.vector(mouthSmile=0.6, jawOpen=0.15, mouthUpperUp=0.1)
    gap = face.aperture(articulated(phonemes(("a", 120, 2), ("m", 80), ("a", 120, 2)), mood))
    assert gap[frame(120) : frame(200)].min() < 0.01


def test_the_lower_lip_meets_the_teeth_for_f_and_v() -> None:
    faces = articulated(phonemes(("a", 120, 2), ("f", 90), ("a", 120, 2)))
    during = faces[frame(130) : frame(200)]
    assert during[:, face.INDEX["MouthRollLower"]].max() > 0.3
    assert during[:, face.JAW_OPEN].min() < 0.15
    assert face.aperture(during).max() < face.aperture(faces).max() / 2


@pytest.mark.parametrize("hiss", ["s", "ʃ", "ɕ", "ʈʂ"])
def test_teeth_nearly_meet_for_hisses_even_between_open_vowels(hiss: str) -> None:
    jaw = articulated(phonemes(("a", 150, 2), (hiss, 100), ("a", 150, 2)))[:, face.JAW_OPEN]
    assert jaw[frame(170) : frame(230)].max() < 0.25
    assert jaw[: frame(130)].max() > 0.35


def test_round_lips_come_before_their_vowel() -> None:
    rounding = articulated(phonemes(("s", 120), ("t", 60), ("u", 160, 2)))[:, face.PUCKER]
    assert rounding[frame(120)] > 0.15
    assert rounding[frame(60)] > 0.03
    spread = articulated(phonemes(("s", 120), ("t", 60), ("i", 160, 2)))[:, face.PUCKER]
    assert spread.max() < 0.01


@pytest.mark.parametrize("tongue", ["t", "n", "l", "k", "ŋ"])
def test_consonants_of_the_tongue_leave_the_lips_to_their_neighbours(tongue: str) -> None:
    rounding = articulated(phonemes(("u", 150, 2), (tongue, 60), ("u", 150, 2)))[:, face.PUCKER]
    assert rounding[frame(180)] > 0.8 * rounding.max()


def test_the_jaw_opens_by_vowel_stress_and_loudness() -> None:
    def jaw(vowel: str, stress: int, gain: float = 1.0) -> float:
        faces = articulated(phonemes(("t", 60), (vowel, 160, stress), ("t", 60)), gain=gain)
        return float(faces[:, face.JAW_OPEN].max())

    assert jaw("a", 1) > jaw("ɛ", 1) > jaw("i", 1)
    assert jaw("a", 2) > jaw("a", 1) > jaw("a", 0)
    assert jaw("a", 1, gain=1.2) > jaw("a", 1)


def test_the_jaw_is_most_open_in_the_middle_of_its_vowel() -> None:
    jaw = articulated(phonemes(("t", 90), ("a", 180, 2), ("t", 90)))[:, face.JAW_OPEN]
    assert abs(int(jaw.argmax()) - frame(180)) <= 2


def test_a_long_pause_closes_the_mouth_and_a_short_one_does_not() -> None:
    def in_pause(lasts: int) -> float:
        gap = face.aperture(articulated(phonemes(("a", 150, 2), ("", lasts), ("a", 150, 2))))
        return float(gap[frame(150 + lasts / 2)])

    assert in_pause(600) < 0.02
    assert in_pause(60) > 0.15


def test_the_mouth_comes_to_rest_after_the_last_sound() -> None:
    assert np.abs(articulated(phonemes(("a", 150, 2)))[-1]).max() < 0.02


def test_a_segment_goes_on_from_the_shape_before_it() -> None:
    before = np.zeros(lips.WIDTH)
    before[lips.JAW], before[lips.PUCKER] = 0.4, 0.6
    segment = lips.SegmentLips(phonemes(("i", 200, 2), start_ms=1000), before, 1.0)
    shown = segment(1.0 + np.arange(12) / 60)
    assert np.abs(shown[0] - before).max() < 0.08
    assert np.abs(np.diff(shown, axis=0)).max() < 0.15
    alone = lips.SegmentLips(phonemes(("i", 200, 2), start_ms=1000), np.zeros(lips.WIDTH), 1.0)
    assert np.abs(shown[-1] - alone(1.0 + np.arange(12) / 60)[-1]).max() < 0.01


def test_no_articulator_jumps() -> None:
    words = (
        ("m", 60, 0),
        ("a", 90, 2),
        ("p", 70, 0),
        ("s", 80, 0),
        ("u", 70, 2),
        ("f", 60, 0),
        ("i", 80, 1),
        ("b", 50, 0),
    )
    faces = articulated(phonemes(*words * 3))
    steps = np.abs(np.diff(faces, axis=0)).max(0)
    assert steps[face.JAW_OPEN] < 0.16
    assert steps.max() < 0.4
