"""Where her joints, her skin and her fingers are: forward kinematics on her own body's proportions.

Measured on the avatar that `services.stage.avatar` builds, clothes and hair included. Lengths in metres; the trunk is a
stack of slices, the head an egg, hands and forearms are balls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion import joints
from services.motion.arms import LOWER_ARM, UPPER_ARM
from services.motion.joints import matrix, multiply

Array = NDArray[Any]

PLACES = {
    joints.SPINE: (0.0, 0.965, -0.025),
    joints.CHEST: (0.0, 1.099, 0.008),
    joints.UPPER_CHEST: (0.0, 1.242, 0.013),
    joints.NECK: (0.0, 1.383, -0.001),
}
"""Where the trunk's joints are while she stands upright."""
HEAD_PLACE = np.array([0.0, 1.5, 0.042])
SHOULDER_PLACE, ARM_PLACE = np.array([0.021, 1.315, 0.018]), np.array([0.132, 1.299, 0.020])
HAND = 0.149
"""From wrist to fingertip."""

SLICES = np.array(
    [
        # height, half width, front, back, and the joint that carries it (-1: the hips, which stand still)
        (0.67, 0.197, 0.120, -0.020, -1),
        (0.73, 0.201, 0.174, -0.087, -1),
        (0.79, 0.199, 0.170, -0.105, -1),
        (0.85, 0.194, 0.160, -0.111, -1),
        (0.91, 0.174, 0.129, -0.105, -1),
        (0.97, 0.162, 0.124, -0.082, joints.SPINE),
        (1.03, 0.121, 0.119, -0.048, joints.SPINE),
        (1.09, 0.110, 0.137, -0.049, joints.CHEST),
        (1.15, 0.130, 0.154, -0.054, joints.CHEST),
        (1.21, 0.133, 0.159, -0.066, joints.CHEST),
        (1.27, 0.145, 0.142, -0.071, joints.UPPER_CHEST),
        (1.33, 0.133, 0.108, -0.067, joints.UPPER_CHEST),
        (1.39, 0.095, 0.073, -0.049, joints.UPPER_CHEST),
    ]
)
"""Slices of the trunk in the upright pose, 6 cm apart."""
ROUND = 2.7
"""A slice of her is boxier than an ellipse, whose power is 2."""
HEAD_CENTRE, HEAD_HALF_AXES = np.array([0.0, 1.534, 0.047]), np.array([0.089, 0.114, 0.105])
BALLS = np.array(
    [
        # a left hand in the T-pose from its wrist: outwards, up, forward, and radius
        (0.045, -0.005, 0.000, 0.024),
        (0.080, -0.015, 0.020, 0.017),
        (0.080, -0.015, -0.022, 0.016),
        (0.112, -0.022, 0.016, 0.010),
        (0.112, -0.026, -0.022, 0.010),
        (0.139, -0.028, 0.018, 0.009),
        (0.140, -0.032, -0.004, 0.009),
        (0.035, -0.005, 0.042, 0.013),
        (0.058, -0.012, 0.060, 0.011),
    ]
)
FOREARM = ((0.3, 0.040), (0.55, 0.036), (0.8, 0.032), (1.0, 0.028))
"""Share of the way from elbow to wrist, radius of the sleeve there."""


@dataclass(frozen=True)
class Arm:
    """Points [n, 3] in metres; `palm` [n, 3] is the way the palm looks; `balls` [n, m, 3] with `radii` [m]."""

    shoulder: Array
    elbow: Array
    wrist: Array
    tip: Array
    palm: Array
    balls: Array
    radii: Array


@dataclass(frozen=True)
class Body:
    """`trunk`: turning [n, 4] and place [n, 3] of the trunk's joints."""

    head: Array
    head_turned: Array
    trunk: dict[int, tuple[Array, Array]]
    left: Arm
    right: Arm

    def clearance(self) -> Array:
        """How far arms from the elbow on and hands stay from trunk, head and legs at least, [n]. Negative: inside."""
        balls = np.concatenate([self.left.balls, self.right.balls], 1)
        radii = np.concatenate([self.left.radii, self.right.radii])
        in_head = rotate(joints.conjugate(self.head_turned)[:, None], balls - self.head[:, None])
        nearest = _from_egg(in_head, HEAD_HALF_AXES)
        for height, width, front, back, carrier in SLICES:
            turned, place = self.trunk[int(carrier)]
            from_joint = rotate(joints.conjugate(turned)[:, None], balls - place[:, None])
            upright = from_joint + np.array(PLACES.get(int(carrier), (0.0, 0.898, 0.019)))
            beside = np.abs(upright[..., 1] - height) < 0.03
            flat = upright[..., [0, 2]] - np.array([0.0, (front + back) / 2])
            away = _from_egg(flat, np.array([width, (front - back) / 2]), ROUND)
            nearest = np.where(beside, np.minimum(nearest, away), nearest)
        least: Array = (nearest - radii).min(1)
        return least

    def hands_apart(self) -> Array:
        """How far hands and forearms stay from each other at least, [n]. Negative: one is inside the other."""
        between = np.linalg.norm(self.left.balls[:, :, None] - self.right.balls[:, None], axis=-1)
        apart: Array = (between - self.left.radii[:, None] - self.right.radii).min((1, 2))
        return apart


def _from_egg(points: Array, half_axes: Array, power: float = 2.0) -> Array:
    """About how far points are from the skin of an ellipsoid about 0; a higher power than 2 makes it boxier."""
    ratio = np.maximum((np.abs(points / half_axes) ** power).sum(-1) ** (1 / power), 1e-6)
    away: Array = np.linalg.norm(points, axis=-1) * (1 - 1 / ratio)
    return away


def rotate(quaternions: Array, vectors: Array) -> Array:
    """Vectors [..., 3] turned by quaternions [..., 4]."""
    turned: Array = (matrix(quaternions) @ vectors[..., None])[..., 0]
    return turned


def body(full: Array, head: Array | None = None) -> Body:
    """The points of full local rotations [n, 12, 4], and of the head's yaw, pitch and roll [n, 3]."""
    full = full.astype(float)
    turned = np.tile([0.0, 0.0, 0.0, 1.0], (len(full), 1))
    at, before = np.tile([0.0, 0.898, 0.019], (len(full), 1)), np.array([0.0, 0.898, 0.019])
    trunk = {-1: (turned, at)}
    for joint in joints.TRUNK:
        at, before = at + rotate(turned, PLACES[joint] - before), np.array(PLACES[joint])
        turned = multiply(turned, full[:, joint])
        trunk[joint] = turned, at
    skull = at + rotate(turned, HEAD_PLACE - before)
    yaw, pitch, roll = np.zeros((3, len(full))) if head is None else head.astype(float).T
    for angle, axis in ((yaw, (0, 1, 0)), (-pitch, (1, 0, 0)), (-roll, (0, 0, 1))):
        turned = multiply(turned, joints.quaternion(angle[:, None] * np.array(axis)))
    centre = skull + rotate(turned, HEAD_CENTRE - HEAD_PLACE)
    arms = [
        _arm(full, *trunk[joints.UPPER_CHEST], first, side)
        for first, side in ((joints.LEFT_SHOULDER, 1), (joints.RIGHT_SHOULDER, -1))
    ]
    return Body(centre, turned, trunk, *arms)


def _arm(full: Array, turned: Array, at: Array, first: int, side: int) -> Arm:
    points = []
    sided = np.array([side, 1, 1])
    at = at + rotate(turned, (SHOULDER_PLACE - PLACES[joints.UPPER_CHEST]) * sided)
    steps = (ARM_PLACE - SHOULDER_PLACE, (UPPER_ARM, 0.0, 0.0), (LOWER_ARM, 0.0, 0.0), (HAND, 0.0, 0.0))
    for joint, step in enumerate(steps, first):
        turned = multiply(turned, full[:, joint])
        at = at + rotate(turned, np.array(step) * sided)
        points.append(at)
    shoulder, elbow, wrist, tip = points
    hand = wrist[:, None] + rotate(turned[:, None], BALLS[:, :3] * sided)
    forearm = np.stack([elbow + share * (wrist - elbow) for share, _ in FOREARM], 1)
    return Arm(
        shoulder,
        elbow,
        wrist,
        tip,
        palm=rotate(turned, np.array([0.0, -1.0, 0.0])),
        balls=np.concatenate([forearm, hand], 1),
        radii=np.array([*(radius for _, radius in FOREARM), *BALLS[:, 3]]),
    )
