"""What the network shall hear of a sentence: the rules' mouth, and nods on the syllables that stand out."""

from __future__ import annotations

import numpy as np

from services.motion import lips
from services.motion.frames import FRAME_RATE
from services.motion.model.network.controls import GAIN, SIZE, controls, nods
from services.speech.sound import silence
from tests.unit.motion.network.speech import babble
from tests.unit.motion.voices import frame, phonemes


def test_each_frame_of_the_sound_has_its_controls() -> None:
    said = phonemes(("m", 80), ("ɑ", 200, 2), ("f", 100), ("i", 150), start_ms=300)
    wanted = controls(babble(1.2), said)
    assert wanted.shape == (72, SIZE)
    assert wanted.min() >= 0
    assert wanted.max() <= 1
    assert wanted[frame(330), lips.CLOSED] == 1
    assert wanted[frame(480), lips.CLOSED] < 0.1
    assert wanted[frame(480), lips.JAW] > wanted[frame(760), lips.JAW]
    assert wanted[frame(600), lips.TOUCHING] > 0.9


def test_loudness_opens_the_jaw_wider() -> None:
    said = phonemes(("ɑ", 900), start_ms=50)
    loud, soft = (controls(np.concatenate([factor * babble(2), silence(0.1)]), said) for factor in (3.0, 0.05))
    assert loud[100, GAIN] != soft[100, GAIN]


def test_she_nods_on_the_syllable_that_stands_out_and_not_again_at_once() -> None:
    said = phonemes(("t", 80), ("ə", 60), ("t", 80), ("ɑ", 260, 2), ("t", 80), ("ɪ", 80, 1), start_ms=500)
    t = np.arange(150) / FRAME_RATE
    amount = nods(said, t)
    assert abs(int(amount.argmax()) - frame(720 + 87)) <= 1, "a third into the stressed vowel"
    assert ((amount[1:-1] > amount[:-2]) & (amount[1:-1] > amount[2:])).sum() == 1
    assert amount[0] == 0
    assert amount[-1] == 0
