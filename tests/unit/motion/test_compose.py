"""Idle life and performance become one body."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from services.motion import face, joints
from services.motion.compose import EYE_PITCH_LIMIT, EYE_YAW_LIMIT, compose
from services.motion.curves import soft_limit
from services.motion.frames import Frames, of_rows, still
from services.motion.gestures import GESTURES
from services.motion.idle import idle
from services.motion.moves import rows
from services.motion.performance import MOODS

Array = NDArray[Any]


def performing(frame_count: int = 1, **shapes: float) -> Frames:
    frames = still(frame_count)
    frames.face[:] = face.vector(**shapes)
    return frames


def test_without_a_performance_she_stands_in_the_rest_pose() -> None:
    frames = compose(still(1), still(1))
    assert np.allclose(frames.joints[0], joints.REST)
    assert frames.face.max() == 0


def test_a_performed_rotation_comes_on_top_of_rest() -> None:
    raised = still(1)
    raised.joints[0, joints.LEFT_UPPER_ARM] = joints.quaternion(np.array([0, 0, joints.ARM_HANGS]))
    frames = compose(still(1), raised)
    assert np.allclose(frames.joints[0, joints.LEFT_UPPER_ARM], [0, 0, 0, 1], atol=1e-6), "the T-pose"


def test_lids_take_whichever_is_more_shut() -> None:
    frames = compose(performing(eyeBlink=1, eyeWide=0.5), performing(eyeBlink=0.3))
    assert frames.face[0, face.BLINK[0]] == 1
    assert frames.face[0, face.WIDE[0]] == 0, "shut eyes are not wide"


LIDS = {
    "EyeBlink": 1.0,
    "EyeSquint": 0.25,
    "CheekSquint": 0.075,
    "EyeLookDown": 0.34,
    "EyeLookUp": 0.065,
    "BrowDown": 0.075,
    "EyeWide": -0.38,
}
"""By how much of the open eye's height each shape brings her lids together, measured on her own body."""


def shut(frames: Frames, side: str) -> Array:
    """1 where the lids meet, more where they cross, [n]."""
    places = [face.INDEX[f"{name}{side}"] for name in LIDS]
    closing: Array = frames.face[:, places] @ np.array([*LIDS.values()])
    return closing


@pytest.mark.parametrize("emotion", [*MOODS])
@pytest.mark.parametrize("gesture", [*GESTURES])
def test_eyelids_never_cross_and_a_blink_still_shuts_the_eyes(emotion: int, gesture: int) -> None:
    alone = idle(11, 0, 1200)
    acted = rows([part.move(start) for start in range(0, 20, 4) for part in GESTURES[gesture]], np.arange(1200) / 60)
    acted[:, : face.SIZE] += MOODS[emotion][: face.SIZE]
    frames = compose(alone, of_rows(acted))
    for side in ("Left", "Right"):
        closed = shut(frames, side)
        assert closed.max() < 1.02
        assert (closed[alone.face[:, face.BLINK[0]] > 0.99] > 0.97).all()


def test_lids_that_cross_would_be_found() -> None:
    crossing = performing(eyeBlink=1, eyeSquint=0.4)
    assert shut(crossing, "Left")[0] > 1.05


def test_the_idle_smile_gives_way_to_round_lips_and_to_sadness() -> None:
    smiling = performing(mouthSmile=0.25)
    alone = compose(smiling, still(1)).face[0, face.SMILE[0]]
    assert np.isclose(alone, 0.25)
    assert compose(smiling, performing(mouthPucker=0.8, mouthFunnel=0.4)).face[0, face.SMILE[0]] < 0.1
    assert compose(smiling, performing(mouthFrown=0.6)).face[0, face.SMILE[0]] < 0.05
    assert compose(smiling, performing(mouthSmile=0.4)).face[0, face.SMILE[0]] > 0.6


def test_shapes_never_leave_their_range() -> None:
    frames = compose(performing(mouthSmile=0.9, browInnerUp=0.7), performing(mouthSmile=0.9, browInnerUp=0.7))
    assert frames.face[:, : face.SHAPES].max() == 1


def test_eyes_stay_on_the_camera_while_the_head_turns() -> None:
    turned = performing(headYaw=0.2, headPitch=-0.1)
    frames = compose(still(1), turned)
    eye = frames.face[0, [face.EYE_YAW[0], face.EYE_PITCH[0]]]
    assert np.allclose(eye, [-0.2, 0.1], atol=0.02)


def test_eyes_make_up_for_the_trunk_too() -> None:
    leaning = still(1)
    leaning.joints[0, joints.SPINE] = joints.quaternion(np.array([0, 0.15, 0]))
    assert np.isclose(compose(still(1), leaning).face[0, face.EYE_YAW[0]], -0.15, atol=0.01)


def test_eyes_turn_only_so_far() -> None:
    yaw = compose(still(1), performing(headYaw=1.4)).face[0, face.EYE_YAW[0]]
    assert -0.56 < yaw < -0.5


def test_look_shapes_tell_of_the_same_gaze_as_the_angles() -> None:
    frames = compose(still(1), performing(leftEyeYaw=0.2, rightEyeYaw=0.2, leftEyePitch=-0.15, rightEyePitch=-0.15))
    look = {name: frames.face[0, face.INDEX[f"EyeLook{name}"]] for name in ("OutLeft", "InLeft", "InRight", "OutRight")}
    assert look["OutLeft"] == look["InRight"] > 0.3
    assert look["InLeft"] == look["OutRight"] == 0
    assert frames.face[0, face.INDEX["EyeLookDownLeft"]] > 0.3
    assert frames.face[0, face.INDEX["EyeLookUpLeft"]] == 0


def test_a_directed_gaze_silences_idle_glances() -> None:
    glancing = performing(leftEyeYaw=0.2, rightEyeYaw=0.2)
    directed = performing(leftEyeYaw=-0.2, rightEyeYaw=-0.2)
    assert np.isclose(compose(glancing, directed).face[0, face.EYE_YAW[0]], -0.2, atol=0.02)


def test_eyes_make_up_for_any_posture_of_head_and_trunk() -> None:
    chance = np.random.default_rng(2112)
    posture = still(50)
    posture.face[:, face.HEAD] = head = chance.uniform(-0.1, 0.1, (50, 3))
    bends = chance.uniform(-0.05, 0.05, (50, len(joints.TRUNK), 3))
    posture.joints[:, joints.TRUNK] = joints.quaternion(bends)
    nose = Rotation.from_euler("YXZ", head * (1, -1, -1)).apply([0.0, 0.0, 1.0])
    for joint in reversed(range(len(joints.TRUNK))):
        nose = Rotation.from_rotvec(bends[:, joint]).apply(nose)
    eyes = compose(still(50), posture).face[:, [face.EYE_YAW[0], face.EYE_PITCH[0]]]
    assert np.allclose(eyes[:, 0], soft_limit(-np.arctan2(nose[:, 0], nose[:, 2]), EYE_YAW_LIMIT), atol=1e-5)
    assert np.allclose(eyes[:, 1], soft_limit(-np.arcsin(nose[:, 1]), EYE_PITCH_LIMIT), atol=1e-5)


def test_a_composed_minute_has_no_jumps() -> None:
    frames = compose(idle(3, 0, 3600), still(3600))
    assert np.abs(np.diff(frames.face[:, : face.SHAPES], axis=0)).max() < 0.4, "the lids are the fastest"
    assert np.abs(np.diff(frames.joints, axis=0)).max() < 0.005
