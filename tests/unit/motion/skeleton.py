"""Where her joints are: forward kinematics on the proportions that `services.motion.arms` assumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion import joints
from services.motion.arms import LOWER_ARM, UPPER_ARM
from services.motion.joints import matrix, multiply

Array = NDArray[Any]

HAND = 0.16
HEAD_HALF_AXES = np.array([0.09, 0.125, 0.11])
TORSO_HALF_AXES = np.array([0.14, 0.11])
"""Half width and half depth of the trunk at the chest, metres."""


@dataclass(frozen=True)
class Arm:
    """Points [n, 3] in metres; `palm` [n, 3] is the way the palm looks."""

    shoulder: Array
    elbow: Array
    wrist: Array
    tip: Array
    palm: Array


@dataclass(frozen=True)
class Body:
    head: Array
    chest: Array
    chest_turned: Array
    left: Arm
    right: Arm


def rotate(quaternions: Array, vectors: Array) -> Array:
    """Vectors [..., 3] turned by quaternions [..., 4]."""
    turned: Array = (matrix(quaternions) @ vectors[..., None])[..., 0]
    return turned


def body(full: Array) -> Body:
    """The points of full local rotations [n, 12, 4]."""
    full = full.astype(float)
    turned = np.tile([0.0, 0.0, 0.0, 1.0], (len(full), 1))
    at = np.tile([0.0, 0.92, 0.0], (len(full), 1))
    for joint, height in ((joints.SPINE, 0.08), (joints.CHEST, 0.12), (joints.UPPER_CHEST, 0.10)):
        at = at + rotate(turned, np.array([0.0, height, 0.0]))
        turned = multiply(turned, full[:, joint])
    neck = at + rotate(turned, np.array([0.0, 0.17, 0.0]))
    head = neck + rotate(multiply(turned, full[:, joints.NECK]), np.array([0.0, 0.1, 0.03]))
    arms = [
        _arm(full, at, turned, first, side) for first, side in ((joints.LEFT_SHOULDER, 1), (joints.RIGHT_SHOULDER, -1))
    ]
    return Body(head, at, turned, *arms)


def _arm(full: Array, at: Array, turned: Array, first: int, side: int) -> Arm:
    points = []
    at = at + rotate(turned, np.array([0.03 * side, 0.13, 0.0]))
    for joint, step in enumerate(((0.13, -0.02), (UPPER_ARM, 0.0), (LOWER_ARM, 0.0), (HAND, 0.0)), first):
        turned = multiply(turned, full[:, joint])
        at = at + rotate(turned, np.array([step[0] * side, step[1], 0.0]))
        points.append(at)
    shoulder, elbow, wrist, tip = points
    return Arm(shoulder, elbow, wrist, tip, palm=rotate(turned, np.array([0.0, -1.0, 0.0])))
