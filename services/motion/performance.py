"""What body and face do while she speaks: mood, gestures, nods and brows on stressed words, beats of the hands.

One object per turn. Moves are planned as soon as phonemes are known; without, from peaks of the sound. Nods and beats
reach their apex on the stressed syllable and set out before it (Esteve-Gibert et al. 2017; Leonard and Cummins 2011).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from services.core import events
from services.core.events import Phoneme
from services.motion.frames import SAMPLE_RATE
from services.motion.gestures import BEAT_APEX_S, BEATS, GESTURES, Part, pose
from services.motion.moves import NOTHING, Move, rows
from services.motion.visemes import Kind, visemes

Array = NDArray[Any]

MOODS: dict[int, Array] = {
    events.EMOTION_JOY: pose(
        mouthSmile=0.45, cheekSquint=0.35, eyeSquint=0.16, browOuterUp=0.15, headPitch=0.02, chest_x=-0.035
    ),
    events.EMOTION_GRATEFUL: pose(
        mouthSmile=0.38, cheekSquint=0.25, eyeSquint=0.1, browInnerUp=0.35, headRoll=0.06, headPitch=-0.03, spine_x=0.05
    ),
    events.EMOTION_PLAYFUL: pose(
        mouthSmileLeft=0.48,
        mouthSmileRight=0.26,
        cheekSquintLeft=0.3,
        eyeSquintRight=0.18,
        browOuterUpLeft=0.4,
        headRoll=-0.08,
        headYaw=-0.05,
        spine_y=-0.05,
        spine_z=0.025,
    ),
    events.EMOTION_SHY: pose(
        mouthSmile=0.25,
        mouthPress=0.12,
        cheekSquint=0.18,
        browInnerUp=0.3,
        headPitch=-0.1,
        headRoll=0.08,
        leftEyeYaw=0.06,
        rightEyeYaw=0.06,
        leftEyePitch=-0.1,
        rightEyePitch=-0.1,
        spine_y=0.05,
        chest_x=0.03,
        left_shoulder_z=0.07,
        right_shoulder_z=-0.07,
    ),
    events.EMOTION_SURPRISED: pose(
        eyeWide=0.55,
        browInnerUp=0.6,
        browOuterUp=0.6,
        jawOpen=0.13,
        headPitch=0.04,
        spine_x=-0.03,
        chest_x=-0.04,
        left_shoulder_z=0.05,
        right_shoulder_z=-0.05,
    ),
    events.EMOTION_SAD: pose(
        mouthFrown=0.4,
        mouthShrugLower=0.15,
        browInnerUp=0.65,
        eyeBlink=0.1,
        headPitch=-0.1,
        headRoll=0.05,
        neck_x=0.05,
        chest_x=0.06,
        upper_chest_x=0.03,
        left_shoulder_z=-0.05,
        right_shoulder_z=0.05,
    ),
    events.EMOTION_SERIOUS: pose(
        browDown=0.38, eyeSquint=0.14, mouthPress=0.12, mouthFrown=0.3, headPitch=-0.02, chest_x=-0.03, neck_x=0.02
    ),
    events.EMOTION_THINKING: pose(
        browDownLeft=0.2,
        browOuterUpRight=0.3,
        mouthLeft=0.08,
        headRoll=0.07,
        headYaw=-0.06,
        leftEyeYaw=-0.2,
        rightEyeYaw=-0.2,
        leftEyePitch=0.12,
        rightEyePitch=0.12,
        spine_z=-0.02,
        chest_y=-0.04,
    ),
}
"""How each mood looks at full intensity, in face and posture; none for neutral."""
MOOD_COMES_S, MOOD_GOES_S = 0.4, 0.5

SWAYS = (
    (0.31, pose(headYaw=0.05, spine_y=0.015)),
    (0.23, pose(headRoll=0.04, spine_z=0.012)),
    (0.47, pose(headPitch=0.025)),
)
"""How she sways while she speaks: Hz, how far to either side."""
NOD = Part(pose(headPitch=-0.065, neck_x=0.02), attack=0.16, stay=0.0, release=0.28)
BROW_RAISE = Part(pose(browInnerUp=0.28, browOuterUp=0.24, eyeWide=0.08), attack=0.13, stay=0.08, release=0.24)
QUESTION = Part(
    pose(browInnerUp=0.3, browOuterUp=0.22, headRoll=0.06, headPitch=0.03), attack=0.4, stay=0.25, release=0.5
)
NOD_EVERY_S, BROW_EVERY_S, BEAT_EVERY_S = 0.9, 1.5, 1.7
"""Least time between two."""
BROW_RAISES, BEATS_TOO = 0.7, 1.1
"""How often they come beside nods, on equal emphasis."""
BEAT_OUTDONE_S = 0.8
"""A syllable has no beat when one so near stands out more: hands go with what a clause is about."""
FOREVER = math.inf

QUESTION_MARKS = ("?", "\N{FULLWIDTH QUESTION MARK}")
CLOSING_MARKS = "\"'~) \N{RIGHT DOUBLE QUOTATION MARK}\N{FULLWIDTH RIGHT PARENTHESIS}\N{FULLWIDTH TILDE}"
"""What may stand after a question mark."""

SETTLES_S, ARMS_SETTLE_S = 0.5, 0.85
LINGERS_S = 1.1
"""How long after the voice a gesture may still go on."""


class Performance:
    """The moves of one turn. Times are seconds of the turn."""

    def __init__(self, turn_id: str) -> None:
        self._random = random.Random(turn_id)
        self._moves: list[Move] = []
        self._acts: list[Move] = []
        """Those of the moves that are the last gesture and beats: the next gesture ends them."""
        self._mood: tuple[int, float] | None = None
        self._mood_move: Move | None = None
        self._gesture_ends = 0.0
        self._next_nod = self._next_brow = 0.25
        self._next_beat = 0.6
        for hertz, way in SWAYS:
            self._moves.append(Move(0.0, FOREVER, NOTHING, 0.8, 1.0, way, hertz, self._random.random()))

    def begin_segment(self, at: float, *, emotion: int, intensity: float, gesture: int) -> None:
        """A segment's voice begins at `at`: its mood and its gesture come."""
        self._set_mood(at, emotion, intensity)
        if gesture in GESTURES:
            for move in self._acts:
                move.end_by(at)
            self._acts = [part.move(at) for part in GESTURES[gesture]]
            self._moves += self._acts
            self._gesture_ends = max(move.until for move in self._acts)
            self._next_beat = max(self._next_beat, max(move.end for move in self._acts))

    def say(self, now: float, phonemes: Sequence[Phoneme], text: str) -> None:
        """Plans what goes with these phonemes of `text`. Nothing begins before `now`."""
        syllables = stressed(phonemes)
        for time, emphasis in syllables:
            near = (other for at, other in syllables if abs(at - time) < BEAT_OUTDONE_S)
            self.accent(now, time, emphasis, leads=emphasis >= max(near))
        if phonemes and text.rstrip(CLOSING_MARKS).endswith(QUESTION_MARKS):
            ends = phonemes[-1].end_sample / SAMPLE_RATE
            self._moves.append(QUESTION.move(max(now, ends - 0.6)))

    def accent(self, now: float, time: float, emphasis: float, *, leads: bool = True) -> None:
        """A syllable at `time` that stands out by `emphasis` (0 to 1): perhaps a nod, a raise of the brows, a beat.

        `leads`: no other near it stands out more. Nothing begins before `now`.
        """
        size = 0.7 + 0.4 * emphasis + 0.2 * self._random.random()
        chance = self._random.random()
        if time >= self._next_nod and time - NOD.attack >= now and chance < emphasis:
            self._moves.append(NOD.move(time - NOD.attack, size))
            self._next_nod = time + NOD_EVERY_S
        if time >= self._next_brow and time - BROW_RAISE.attack >= now and 1 - chance < BROW_RAISES * emphasis:
            self._moves.append(BROW_RAISE.move(time - BROW_RAISE.attack, size))
            self._next_brow = time + BROW_EVERY_S
        self.beat(now, time, emphasis, leads=leads)

    def beat(self, now: float, time: float, emphasis: float, *, leads: bool = True) -> None:
        """Perhaps a beat of the hands on such a syllable; see `accent`."""
        begins, which = time - BEAT_APEX_S, self._random.choice(BEATS)
        wanted = self._random.random() < BEATS_TOO * emphasis and leads
        if wanted and time >= self._next_beat and begins >= max(now, self._gesture_ends):
            beat = [part.move(begins) for part in which]
            self._moves += beat
            self._acts += beat
            self._next_beat = time + BEAT_EVERY_S

    def rows(self, t: Array) -> Array:
        """The moves at times [n]: [n, CHANNELS]. Moves that are over are forgotten, so time only goes forward."""
        self._moves, self._acts = ([m for m in moves if m.end > t[0]] for moves in (self._moves, self._acts))
        return rows(self._moves, t)

    def settles(self, voice_end: float) -> tuple[float, float]:
        """When, after the voice has ended, she begins to come to rest, and when she is there."""
        begins = max(voice_end, min(self._gesture_ends, voice_end + LINGERS_S))
        arms_up = any(move.raises_arms and move.start < begins and move.end > begins for move in self._acts)
        return begins, begins + (ARMS_SETTLE_S if arms_up else SETTLES_S)

    def _set_mood(self, at: float, emotion: int, intensity: float) -> None:
        if (emotion, intensity) == self._mood:
            return
        self._mood = (emotion, intensity)
        if self._mood_move is not None:
            self._mood_move.end_by(at)
            self._mood_move = None
        if emotion in MOODS:
            shows = min(max(intensity, 0.0), 1.0) * MOODS[emotion]
            self._mood_move = Move(at, FOREVER, shows, MOOD_COMES_S, MOOD_GOES_S)
            self._moves.append(self._mood_move)


def stressed(phonemes: Sequence[Phoneme]) -> list[tuple[float, float]]:
    """The stressed vowels: when each is a third over, and how much it stands out, by stress and length."""
    found = []
    for phoneme in phonemes:
        if phoneme.stress and visemes(phoneme.ipa)[0][0].kind is Kind.VOWEL:
            lasts = (phoneme.end_sample - phoneme.start_sample) / SAMPLE_RATE
            emphasis = 0.25 * phoneme.stress + 2.5 * (lasts - 0.1)
            found.append((phoneme.start_sample / SAMPLE_RATE + lasts / 3, min(max(emphasis, 0.1), 1.0)))
    return found
