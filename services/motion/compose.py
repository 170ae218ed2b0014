"""The idle layer and the performance as one body."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion import face, joints
from services.motion.curves import soft_limit
from services.motion.frames import Frames

Array = NDArray[Any]

EYE_YAW_LIMIT, EYE_PITCH_LIMIT = 0.55, 0.35
"""How far the eyes turn in the head, radians."""
LOOK_SIDEWAYS, LOOK_UP_DOWN = 0.44, 0.35
"""The angle, in radians, at which an EyeLook shape is 1."""
LIDS_TOO = [
    face.INDEX[f"{shape}{side}"]
    for shape in ("EyeSquint", "CheekSquint", "EyeLookUp", "EyeLookDown")
    for side in ("Left", "Right")
]
"""What else moves the lids: it gives way to a blink, which shuts the eye by itself, so that the lids never cross."""
BROW_DOWN = [face.INDEX["BrowDownLeft"], face.INDEX["BrowDownRight"]]
BROWS_SHUT = 0.075
"""Lowered brows press the upper lids down by so much of the way: a blink under them is so much smaller."""
TURNED_AWAY = 0.10
"""From this gaze of the performance on, in radians, idle glances do not show."""


def compose(idle: Frames, performance: Frames) -> Frames:
    """What renderers show: both layers of the same frames, shapes within [0, 1], full rotations of the joints.

    Smiles give way to rounded lips and to a frown; lids take whichever is more shut, and all else about them gives way
    to a blink. The eyes make up for the head's and the trunk's turning, so she keeps looking where she looks; when the
    performance directs the gaze or the arms are busy, idle glances shrink.
    """
    values = idle.face + performance.face
    lips = performance.face
    rounded = np.clip(0.8 * lips[:, face.PUCKER] + lips[:, face.FUNNEL], 0, 1)
    frown = lips[:, face.FROWN].mean(-1)
    yields = (1 - 0.7 * rounded) * np.maximum(1 - 1.5 * frown, 0)
    values[:, face.SMILE] = idle.face[:, face.SMILE] * yields[:, None] + lips[:, face.SMILE]
    values[:, face.BLINK] = np.maximum(idle.face[:, face.BLINK], performance.face[:, face.BLINK])
    values[:, face.WIDE] *= 1 - values[:, face.BLINK]
    turned = joints.multiply(performance.joints, idle.joints)
    _look(values, idle, performance, turned)
    np.clip(values[:, : face.SHAPES], 0, 1, out=values[:, : face.SHAPES])
    values[:, LIDS_TOO] *= 1 - values[:, face.BLINK[:1]]
    values[:, face.BLINK] *= 1 - BROWS_SHUT * values[:, BROW_DOWN]
    full = joints.multiply(turned, joints.REST)
    return Frames(values, full.astype(np.float32))


def _look(values: Array, idle: Frames, performance: Frames, turned: Array) -> None:
    """Writes the eyes' angles, relative to the head, and the EyeLook shapes."""
    directed = np.abs(performance.face[:, [face.EYE_YAW[0], face.EYE_PITCH[0]]]).max(-1) / TURNED_AWAY
    busy = 2 * (1 - performance.joints[:, joints.LEFT_SHOULDER :, 3].min(-1) ** 2)
    glances = 1 - np.clip(np.maximum(directed, 0.7 * busy), 0, 1)
    head_yaw, head_pitch = _heading(values[:, face.HEAD], turned)
    for angles, heading, limit in (
        (face.EYE_YAW, head_yaw, EYE_YAW_LIMIT),
        (face.EYE_PITCH, head_pitch, EYE_PITCH_LIMIT),
    ):
        gaze = idle.face[:, angles] * glances[:, None] + performance.face[:, angles]
        values[:, angles] = soft_limit(gaze - heading[:, None], limit)
    for eye, outwards in (("Left", 1), ("Right", -1)):
        yaw = values[:, face.INDEX[f"{eye}EyeYaw"]] * outwards / LOOK_SIDEWAYS
        pitch = values[:, face.INDEX[f"{eye}EyePitch"]] / LOOK_UP_DOWN
        for shape, amount in (("Out", yaw), ("In", -yaw), ("Up", pitch), ("Down", -pitch)):
            values[:, face.INDEX[f"EyeLook{shape}{eye}"]] = np.maximum(amount, 0)


def _heading(head: Array, turned: Array) -> tuple[Array, Array]:
    """Where the nose points in the room, [n] each: yaw (+ to her left) and pitch (+ up) in radians.

    `head`: yaw, pitch and roll, which does not turn the nose, [n, 3].
    """
    yaw, pitch = head[:, 0], head[:, 1]
    level = np.cos(pitch)
    nose = np.stack([np.sin(yaw) * level, np.sin(pitch), np.cos(yaw) * level], -1)[..., None]
    trunk = joints.matrix(turned[:, joints.TRUNK])
    for joint in reversed(range(len(joints.TRUNK))):
        nose = trunk[:, joint] @ nose
    return np.arctan2(nose[:, 0, 0], nose[:, 2, 0]), np.arcsin(np.clip(nose[:, 1, 0], -1, 1))
