"""The gestures she knows, each as one or several moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core import events
from services.motion import face, joints
from services.motion.arms import mirrored, reach
from services.motion.frames import CHANNELS, channel
from services.motion.moves import Move

Array = NDArray[Any]

_JOINTS = {"spine": joints.SPINE, "chest": joints.CHEST, "upper_chest": joints.UPPER_CHEST, "neck": joints.NECK}
_SHOULDERS = {"left_shoulder": joints.LEFT_SHOULDER, "right_shoulder": joints.RIGHT_SHOULDER}


def pose(left: Array | None = None, right: Array | None = None, **parts: float) -> Array:
    """A pose [CHANNELS] from what `reach` gives for the left arm (for the right one: mirrored), ARKit names
    (`mouthSmile`, `headPitch`; both sides when none is named) and turns of the trunk (`spine_x`), in radians.
    """
    row = np.zeros(CHANNELS)
    if left is not None:
        row[channel(joints.LEFT_SHOULDER, "x") : channel(joints.RIGHT_SHOULDER, "x")] = left.ravel()
    if right is not None:
        row[channel(joints.RIGHT_SHOULDER, "x") :] = mirrored(right).ravel()
    for name, value in parts.items():
        joint, _, axis = name.rpartition("_")
        if joint in _JOINTS or joint in _SHOULDERS:
            row[channel((_JOINTS | _SHOULDERS)[joint], axis)] += value
        else:
            row[: face.SIZE] += face.vector(**{name: value})
    return row


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A move of a gesture: seconds to get there, to stay and to go, and how it sways."""

    pose: Array
    attack: float
    stay: float
    release: float
    sway: Array | None = None
    hertz: float = 0.0
    after: float = 0.0
    """Seconds between the gesture's beginning and this part's."""

    def move(self, at: float, strength: float = 1.0) -> Move:
        """The part as a move of a gesture that begins at `at`. `strength` scales it."""
        start = at + self.after
        return Move(
            start=start,
            until=start + self.attack + self.stay,
            pose=strength * self.pose,
            attack=self.attack,
            release=self.release,
            sway=None if self.sway is None else strength * self.sway,
            hertz=self.hertz,
        )


_WAVE_OUT = reach((0.169, 0.068, 0.118), (0.7, -1.0, 0.1), (0.5, 1.0, 0.1), (0.0, 0.0, 1.0), lift=0.08)
_WAVE_IN = reach((0.085, 0.076, 0.118), (0.7, -1.0, 0.1), (-0.3, 1.0, 0.1), (0.0, 0.0, 1.0), lift=0.08)
_HEART = reach((-0.047, -0.075, 0.250), (1.0, -0.9, 0.0), (-0.33, 0.93, 0.2), (-0.7, 0.0, 0.9))
ON_CHEST = reach((-0.104, -0.100, 0.212), (1.0, -1.0, 0.1), (-1.0, 0.3, -0.05), (0.1, 0.0, -1.0))
AT_MOUTH = reach((-0.058, 0.005, 0.190), (0.9, -1.0, 0.0), (-0.22, 1.0, -0.1), (-0.6, 0.0, -0.8), lift=0.06)
_AT_CHIN = reach((-0.088, -0.026, 0.214), (0.9, -1.0, 0.2), (-0.3, 1.0, -0.16), (-0.4, 0.0, -1.0))
_POINTING = reach((0.135, -0.051, 0.321), (0.6, -1.0, 0.0), (0.2, 0.15, 1.0), (-1.0, -0.35, 0.0))
_CLASPED = reach((-0.068, -0.135, 0.205), (0.8, -1.0, -0.1), (-0.16, 0.9, 0.3), (-1.0, -0.2, -0.1))
_CLAP_OPEN = reach((-0.024, -0.101, 0.220), (0.8, -1.0, 0.0), (-0.05, 0.85, 0.5), (-1.0, 0.0, 0.1))
_CLAP_SHUT = reach((-0.083, -0.100, 0.220), (0.8, -1.0, 0.0), (-0.08, 0.85, 0.5), (-1.0, 0.0, 0.1))
_DANCE_UP = reach((0.051, -0.017, 0.203), (0.9, -0.8, 0.0), (-0.3, 0.9, 0.4), (-1.0, -0.2, 0.0))
_DANCE_DOWN = reach((0.017, -0.135, 0.220), (0.9, -0.8, 0.0), (-0.3, 0.8, 0.6), (-1.0, -0.2, 0.0))
_BEAT_READY = reach((0.025, -0.161, 0.211), (0.6, -1.0, -0.2), (-0.25, 0.25, 1.0), (-0.8, 0.5, 0.0))
_BEAT_STRUCK = reach((0.051, -0.211, 0.211), (0.6, -1.0, -0.2), (-0.1, -0.05, 1.0), (-0.5, 0.8, 0.0))

BEAT_RISES_S, STROKE_S = 0.45, 0.16

GESTURES: dict[int, tuple[Part, ...]] = {
    events.GESTURE_WAVE: (
        Part(
            pose(right=(_WAVE_OUT + _WAVE_IN) / 2, headRoll=-0.06, spine_z=0.02, mouthSmile=0.15),
            attack=0.6,
            stay=1.3,
            release=0.8,
            sway=pose(right=(_WAVE_OUT - _WAVE_IN) / 2),
            hertz=2.1,
        ),
    ),
    events.GESTURE_HEART: (
        Part(
            pose(_HEART, _HEART, headRoll=0.07, mouthSmile=0.25, cheekSquint=0.2, chest_x=-0.05),
            attack=0.85,
            stay=1.3,
            release=0.9,
            sway=pose(spine_z=0.035, neck_z=-0.015),
            hertz=0.7,
        ),
    ),
    events.GESTURE_BOW: (
        Part(
            pose(
                spine_x=0.2,
                chest_x=0.13,
                upper_chest_x=0.06,
                neck_x=0.12,
                headPitch=-0.16,
                leftEyePitch=-0.55,
                rightEyePitch=-0.55,
                eyeBlink=0.25,
            ),
            attack=0.55,
            stay=0.35,
            release=0.75,
        ),
    ),
    events.GESTURE_CLAP: (
        Part(
            pose((_CLAP_OPEN + _CLAP_SHUT) / 2, (_CLAP_OPEN + _CLAP_SHUT) / 2, mouthSmile=0.15, cheekSquint=0.1),
            attack=0.55,
            stay=1.2,
            release=0.8,
            sway=pose((_CLAP_SHUT - _CLAP_OPEN) / 2, (_CLAP_SHUT - _CLAP_OPEN) / 2, headPitch=-0.01),
            hertz=2.8,
        ),
    ),
    events.GESTURE_SHY: (
        Part(
            pose(
                _CLASPED,
                _CLASPED,
                headPitch=-0.12,
                headRoll=0.13,
                headYaw=0.12,
                leftEyeYaw=0.2,
                rightEyeYaw=0.2,
                leftEyePitch=-0.2,
                rightEyePitch=-0.2,
                left_shoulder_z=0.12,
                right_shoulder_z=-0.12,
                mouthSmile=0.15,
                mouthPress=0.1,
                browInnerUp=0.2,
                spine_y=0.06,
            ),
            attack=0.6,
            stay=1.1,
            release=0.9,
            sway=pose(spine_y=0.03, headYaw=-0.02),
            hertz=0.8,
        ),
    ),
    events.GESTURE_LAUGH: (
        Part(
            pose(
                right=ON_CHEST,
                headPitch=0.10,
                chest_x=-0.05,
                mouthSmile=0.35,
                cheekSquint=0.45,
                eyeSquint=0.35,
                browInnerUp=0.15,
            ),
            attack=0.5,
            stay=1.1,
            release=0.9,
            sway=pose(chest_x=0.016, left_shoulder_z=0.035, right_shoulder_z=-0.035, headPitch=0.018),
            hertz=4.0,
        ),
    ),
    events.GESTURE_THINK: (
        Part(
            pose(
                right=_AT_CHIN,
                headRoll=-0.09,
                headYaw=0.10,
                headPitch=0.05,
                leftEyeYaw=0.28,
                rightEyeYaw=0.28,
                leftEyePitch=0.18,
                rightEyePitch=0.18,
                browDownRight=0.2,
                browOuterUpLeft=0.3,
                mouthPress=0.1,
                mouthLeft=0.08,
            ),
            attack=0.6,
            stay=1.2,
            release=0.9,
        ),
    ),
    events.GESTURE_POINT: (
        Part(
            pose(right=_POINTING, headYaw=-0.05, spine_y=0.07, chest_y=0.05, browOuterUp=0.15),
            attack=0.5,
            stay=0.7,
            release=0.8,
        ),
    ),
    events.GESTURE_DANCE: (
        Part(
            pose((_DANCE_UP + _DANCE_DOWN) / 2, (_DANCE_UP + _DANCE_DOWN) / 2, mouthSmile=0.2, cheekSquint=0.15),
            attack=0.6,
            stay=2.4,
            release=0.9,
            sway=pose((_DANCE_UP - _DANCE_DOWN) / 2, (_DANCE_DOWN - _DANCE_UP) / 2, spine_z=0.07, neck_z=-0.05),
            hertz=1.0,
        ),
        Part(
            pose(chest_x=0.02),
            attack=0.6,
            stay=2.4,
            release=0.9,
            sway=pose(chest_x=0.02, neck_x=0.02, headPitch=-0.03),
            hertz=2.0,
        ),
    ),
    events.GESTURE_NOD: (
        Part(pose(headPitch=-0.14, neck_x=0.05), attack=0.2, stay=0.02, release=0.28),
        Part(pose(headPitch=-0.10, neck_x=0.03), attack=0.2, stay=0.02, release=0.32, after=0.42),
    ),
    events.GESTURE_SHAKE_HEAD: (
        Part(
            pose(browInnerUp=0.1),
            attack=0.3,
            stay=0.9,
            release=0.4,
            sway=pose(headYaw=0.15, neck_y=0.06),
            hertz=1.5,
        ),
    ),
}

BEATS: tuple[tuple[Part, ...], ...] = tuple(
    (
        Part(ready, attack=BEAT_RISES_S, stay=0.35, release=0.8),
        Part(struck, attack=STROKE_S, stay=0.04, release=0.35, after=BEAT_RISES_S - 0.02),
    )
    for ready, struck in (
        (pose(right=_BEAT_READY), pose(right=_BEAT_STRUCK)),
        (pose(left=_BEAT_READY), pose(left=_BEAT_STRUCK)),
        (pose(_BEAT_READY, _BEAT_READY), pose(_BEAT_STRUCK, _BEAT_STRUCK)),
    )
)
"""Beats of the right hand, the left, both: up in front of the waist, then a small stroke down."""
BEAT_APEX_S = BEAT_RISES_S - 0.02 + STROKE_S
"""From a beat's beginning to the end of its stroke, which falls on a stressed syllable."""
