"""The measures tell good lips from bad ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.motion import face
from services.motion.face import Floats
from services.motion.metrics import Fit, fit, total
from tests.unit.motion.voices import frame, phonemes

SOUNDS = phonemes(("m", 100), ("a", 200, 2), ("f", 100), ("i", 200, 1), ("s", 100), ("u", 200, 2), ("p", 100))


def perfect() -> Floats:
    """What the measures ask for, without any transition."""
    faces = np.zeros((60, face.SIZE), np.float32)
    at = 0
    shapes = {
        "m": face.vector(jawOpen=0.1, mouthClose=0.1),
        "a": face.vector(jawOpen=0.6),
        "f": face.vector(mouthRollLower=0.5, jawOpen=0.05),
        "i": face.vector(jawOpen=0.2),
        "s": face.vector(jawOpen=0.1),
        "u": face.vector(jawOpen=0.2, mouthPucker=0.8, mouthFunnel=0.3),
        "p": face.vector(),
    }
    for sound in SOUNDS:
        end = frame(sound.end_sample / 24)
        faces[at:end] = shapes[sound.ipa]
        at = end
    return faces


def test_perfect_lips_score_perfectly() -> None:
    score = fit(perfect(), SOUNDS)
    assert (score.bilabial_closure.met, score.bilabial_closure.all) == (2, 2)
    assert (score.false_closure.met, score.false_closure.all) == (0, 1)
    assert score.labiodental_contact.rate == score.sibilant_cap.rate == 1
    assert score.rounding == pytest.approx(1.1)
    assert score.lag_frames == 0


def test_open_lips_at_a_bilabial_are_found() -> None:
    faces = perfect()
    faces[: frame(140), face.MOUTH_CLOSE] = 0
    assert fit(faces, SOUNDS).bilabial_closure.met == 1


def test_a_closure_one_frame_late_still_counts_and_three_frames_late_does_not() -> None:
    faces = perfect()
    faces[:, face.JAW_OPEN], faces[:, face.MOUTH_CLOSE] = 0.3, 0
    faces[frame(100) + 1, face.MOUTH_CLOSE] = 0.3
    assert fit(faces, SOUNDS[:1]).bilabial_closure.met == 1
    faces[frame(100) + 1, face.MOUTH_CLOSE] = 0
    faces[frame(100) + 3, face.MOUTH_CLOSE] = 0.3
    assert fit(faces, SOUNDS[:1]).bilabial_closure.met == 0


def test_a_shut_mouth_fails_open_vowels_only() -> None:
    score = fit(np.zeros((60, face.SIZE), np.float32), SOUNDS)
    assert score.false_closure.rate == 1
    assert score.bilabial_closure.rate == 1
    assert score.labiodental_contact.rate == 0


def test_a_flapping_jaw_fails_its_hisses() -> None:
    faces = perfect()
    faces[:, face.JAW_OPEN] = 0.5
    score = fit(faces, SOUNDS)
    assert score.sibilant_cap.rate == 0
    assert score.labiodental_contact.rate == 0


@pytest.mark.parametrize("late", [-5, -1, 0, 2, 7])
def test_lag_is_how_many_frames_the_jaw_is_late(late: int) -> None:
    assert fit(np.roll(perfect(), late, axis=0), SOUNDS).lag_frames == late


def test_faces_may_start_in_the_middle_of_the_turn() -> None:
    moved = phonemes(*((s.ipa, (s.end_sample - s.start_sample) // 24, s.stress) for s in SOUNDS), start_ms=5000)
    assert fit(perfect(), moved, start_sample=5 * 24_000) == fit(perfect(), SOUNDS)


def test_trembling_has_more_jerk_than_resting() -> None:
    faces = perfect()
    still = fit(np.zeros_like(faces), SOUNDS)
    assert still.jerk == 0
    assert fit(faces, SOUNDS).jerk > 1000


def test_fits_add_up_and_none_is_no_number() -> None:
    both = total([fit(perfect(), SOUNDS), fit(np.zeros((60, face.SIZE), np.float32), SOUNDS)])
    assert (both.false_closure.met, both.false_closure.all) == (1, 2)
    assert math.isnan(Fit().bilabial_closure.rate)
    assert "bilabial closure" in both.table()
