"""Arms from where the hands should be: two-bone inverse kinematics on her own body's proportions.

Other bodies take over the angles, so their hands end up at the same places in proportion to their arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion.joints import LEFT_SHOULDER, REST, conjugate, multiply, quaternion, rotation_vector

Array = NDArray[Any]
Vector = Sequence[float]

UPPER_ARM, LOWER_ARM = 0.224, 0.207
"""Lengths in metres, as `services.stage.avatar` builds her (1.55 m)."""
TWIST_IN_FOREARM = 0.6
"""Share of a hand's turning about the forearm that the forearm itself takes, as bones do."""


def reach(wrist: Vector, elbow: Vector, fingers: Vector, palm: Vector, lift: float = 0.0) -> Array:
    """Rotation vectors [4, 3] from rest of her left shoulder, upper arm, lower arm and hand.

    `wrist` is where the wrist goes, in metres from the shoulder joint, in the trunk's axes (outwards, up, forward). The
    other vectors are directions there: to which side the elbow points, where the fingers point, which way the palm
    looks. `lift` raises the collar bone, radians. Raises ValueError when the wrist is out of reach.
    """
    target = np.array(wrist, float)
    distance = float(np.linalg.norm(target))
    if not abs(UPPER_ARM - LOWER_ARM) < distance < UPPER_ARM + LOWER_ARM:
        raise ValueError(f"no arm reaches {distance:.2f} m")
    along = target / distance
    aside = _unit(np.array(elbow, float) - along * np.dot(along, elbow))
    cosine = (UPPER_ARM**2 + distance**2 - LOWER_ARM**2) / (2 * UPPER_ARM * distance)
    upper = along * cosine + aside * np.sqrt(1 - cosine**2)
    lower = _unit(target - UPPER_ARM * upper)
    collar = quaternion(np.array([0.0, 0.0, lift]))
    in_trunk = _turn(upper, lower - upper * np.dot(upper, lower))
    bend = quaternion(np.array([0.0, -np.arccos(np.clip(np.dot(upper, lower), -1, 1)), 0.0]))
    flat = np.array(palm, float)
    pointing = _unit(np.array(fingers, float))
    hand_in_trunk = _turn(pointing, np.cross(pointing, -_unit(flat - pointing * np.dot(pointing, flat))))
    hand = multiply(conjugate(multiply(in_trunk, bend)), hand_in_trunk)
    twist = 2 * np.arctan2(hand[0], hand[3])
    twist = (twist + np.pi) % (2 * np.pi) - np.pi
    forearm = quaternion(np.array([TWIST_IN_FOREARM * twist, 0.0, 0.0]))
    full = [collar, multiply(conjugate(collar), in_trunk), multiply(bend, forearm), multiply(conjugate(forearm), hand)]
    return rotation_vector(multiply(np.array(full), conjugate(REST[LEFT_SHOULDER : LEFT_SHOULDER + 4])))


def mirrored(vectors: Array) -> Array:
    """The right arm's rotation vectors for what the left arm does."""
    right: Array = vectors * np.array([1.0, -1.0, -1.0])
    return right


def _turn(forward: Array, towards: Array) -> Array:
    """The quaternion that takes +x to `forward` and +z as near to `towards` as it can."""
    x = _unit(forward)
    z = _unit(towards - x * np.dot(x, towards))
    matrix = np.stack([x, np.cross(z, x), z], 1)
    # Largest of the four components first, so that nothing is divided by almost zero (Shepperd 1978).
    trace = np.array([matrix[0, 0], matrix[1, 1], matrix[2, 2], np.trace(matrix)])
    largest = int(trace.argmax())
    q = np.empty(4)
    if largest == 3:
        q[3] = 1 + trace[3]
        q[:3] = matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]
    else:
        i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
        q[i] = 1 - trace[3] + 2 * matrix[i, i]
        q[j] = matrix[j, i] + matrix[i, j]
        q[k] = matrix[k, i] + matrix[i, k]
        q[3] = matrix[k, j] - matrix[j, k]
    return _unit(q)


def _unit(vector: Array) -> Array:
    unit: Array = vector / np.linalg.norm(vector)
    return unit
