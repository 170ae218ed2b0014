"""Beats go with what a clause is about; moods are in the whole of her."""

from __future__ import annotations

import numpy as np
import pytest

from services.core import events
from services.motion import face
from services.motion.gestures import BEAT_APEX_S
from services.motion.performance import MOODS, Performance
from tests.unit.motion.voices import performed, phonemes, voice

SYLLABLES = 12
FOCUS = 6


def beats(turn_id: str, focus: int = FOCUS) -> list[float]:
    """When the strokes end of a turn of twelve full-tone syllables, one of which carries the focus. Seconds."""
    sounds = [(("t", 60), ("a", 140, 2 if place == focus else 1)) for place in range(SYLLABLES)]
    turn = Performance(turn_id)
    turn.begin_segment(0.0, emotion=events.EMOTION_NEUTRAL, intensity=0.0, gesture=events.GESTURE_NONE)
    turn.say(0.0, phonemes(*[sound for syllable in sounds for sound in syllable]), "")
    acts = turn._acts
    return [first.start + BEAT_APEX_S for first in acts[::2]]


def test_the_hands_beat_on_the_focus_of_a_clause() -> None:
    focus = FOCUS * 0.2 + 0.06 + 0.14 / 3
    made = [beats(f"turn {number}") for number in range(60)]
    on_focus = [any(abs(beat - focus) < 0.05 for beat in turn) for turn in made]
    near = [beat for turn in made for beat in turn if 0.05 < abs(beat - focus) < 0.8]
    assert np.mean(on_focus) > 0.5
    assert near == [], "and not on its neighbours"


def test_beats_are_not_wound_up_like_a_clock() -> None:
    assert len({tuple(beats(f"turn {number}")) for number in range(20)}) > 2


def test_a_turn_beats_the_same_way_each_time() -> None:
    assert beats("again") == beats("again")


@pytest.mark.parametrize("emotion", MOODS)
def test_a_mood_is_in_brows_or_eyes_in_mouth_or_cheeks_and_in_posture(emotion: int) -> None:
    mood = MOODS[emotion]
    upper = [place for place in range(face.SHAPES) if face.NAMES[place].startswith(("Eye", "Brow"))]
    lower = [place for place in range(face.SHAPES) if face.NAMES[place].startswith(("Mouth", "Cheek", "Jaw"))]
    assert np.abs(mood[upper]).max() >= 0.1
    assert np.abs(mood[lower]).max() > 0.07
    assert np.abs(mood[face.SIZE :]).max() >= 0.02


def test_in_a_pause_her_mouth_is_still_whatever_her_mood() -> None:
    said = phonemes(("m", 80), ("a", 200, 2), ("", 1500), ("m", 80), ("a", 200, 2), ("", 90))
    mouth = list(range(face.MOUTH.start, face.MOUTH.stop))
    for emotion in (events.EMOTION_JOY, events.EMOTION_SAD, events.EMOTION_SURPRISED, events.EMOTION_THINKING):
        shown = performed(voice([said], emotion=emotion, intensity=1.0)).face[:, mouth]
        assert shown[45:85].std(0).max() < 0.01
        assert shown[:30].std(0).max() > 0.05, "and moves when she speaks"
