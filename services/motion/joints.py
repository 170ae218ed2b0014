"""The joints of a frame, the pose they rest in, and quaternions.

Rotations are local ones of VRM 1.0's normalised humanoid: in the T-pose, which is all identities, every bone's axes are
those of the model (her left +x, up +y, forward +z; right-handed), so a rotation is written in her own axes, turned with
the parent bone. Quaternions are x, y, z, w.

She does not stand in the T-pose: `REST` is the relaxed pose in which the arms hang. Rotations of the performance and
the idle layer are relative to it, in the parent's axes: full = performance · idle · rest. What the stage sends to
renderers is the full rotation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.events import Joint

Array = NDArray[Any]

JOINTS: tuple[Joint, ...] = (
    Joint.JOINT_SPINE,
    Joint.JOINT_CHEST,
    Joint.JOINT_UPPER_CHEST,
    Joint.JOINT_NECK,
    Joint.JOINT_LEFT_SHOULDER,
    Joint.JOINT_LEFT_UPPER_ARM,
    Joint.JOINT_LEFT_LOWER_ARM,
    Joint.JOINT_LEFT_HAND,
    Joint.JOINT_RIGHT_SHOULDER,
    Joint.JOINT_RIGHT_UPPER_ARM,
    Joint.JOINT_RIGHT_LOWER_ARM,
    Joint.JOINT_RIGHT_HAND,
)
"""The joints of every frame, in order. The head is moved by the face values; the hips stay where they are."""

SPINE, CHEST, UPPER_CHEST, NECK = range(4)
LEFT_SHOULDER, LEFT_UPPER_ARM, LEFT_LOWER_ARM, LEFT_HAND = range(4, 8)
RIGHT_SHOULDER, RIGHT_UPPER_ARM, RIGHT_LOWER_ARM, RIGHT_HAND = range(8, 12)
TRUNK = (SPINE, CHEST, UPPER_CHEST, NECK)
"""From the hips up to the head."""

ARM_HANGS = 1.25
"""Radians by which an upper arm hangs below the T-pose's horizontal: left about -z, right about +z."""
ELBOW_BENDS = 0.22
"""Radians by which a relaxed lower arm bends forward: left about -y, right about +y, in the upper arm's axes."""

TINY = 1e-12
"""Keeps quotients of vanishing angles defined."""


def quaternion(vectors: Array) -> Array:
    """Quaternions [..., 4] of rotation vectors [..., 3] (axis times angle in radians)."""
    half = 0.5 * np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return np.concatenate([vectors * (0.5 * np.sin(half + TINY) / (half + TINY)), np.cos(half)], -1)


def rotation_vector(quaternions: Array) -> Array:
    """Rotation vectors [..., 3] of unit quaternions [..., 4], the shorter way round."""
    q = np.where(quaternions[..., 3:] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    vectors: Array = q[..., :3] * (angle + 2 * TINY) / (sine + TINY)
    return vectors


def multiply(first: Array, second: Array) -> Array:
    """The product first · second: the rotation `second`, then, in the parent's axes, `first`."""
    ax, ay, az, aw = (first[..., part] for part in range(4))
    bx, by, bz, bw = (second[..., part] for part in range(4))
    product = np.empty(np.broadcast_shapes(first.shape, second.shape), np.result_type(first, second))
    product[..., 0] = aw * bx + ax * bw + ay * bz - az * by
    product[..., 1] = aw * by - ax * bz + ay * bw + az * bx
    product[..., 2] = aw * bz + ax * by - ay * bx + az * bw
    product[..., 3] = aw * bw - ax * bx - ay * by - az * bz
    return product


def matrix(quaternions: Array) -> Array:
    """Rotation matrices [..., 3, 3] of unit quaternions [..., 4]."""
    x, y, z, w = (quaternions[..., part] for part in range(4))
    made = np.empty((*x.shape, 3, 3), quaternions.dtype)
    made[..., 0, 0], made[..., 1, 1], made[..., 2, 2] = (
        1 - 2 * (y * y + z * z),
        1 - 2 * (x * x + z * z),
        1 - 2 * (x * x + y * y),
    )
    made[..., 0, 1], made[..., 1, 0] = 2 * (x * y - w * z), 2 * (x * y + w * z)
    made[..., 0, 2], made[..., 2, 0] = 2 * (x * z + w * y), 2 * (x * z - w * y)
    made[..., 1, 2], made[..., 2, 1] = 2 * (y * z - w * x), 2 * (y * z + w * x)
    return made


def conjugate(quaternions: Array) -> Array:
    """The rotation back."""
    back: Array = quaternions * np.array([-1, -1, -1, 1], quaternions.dtype)
    return back


def _rest() -> Array:
    pose = np.zeros((len(JOINTS), 3))
    pose[LEFT_UPPER_ARM], pose[RIGHT_UPPER_ARM] = (0, 0, -ARM_HANGS), (0, 0, ARM_HANGS)
    pose[LEFT_LOWER_ARM], pose[RIGHT_LOWER_ARM] = (0, -ELBOW_BENDS, 0), (0, ELBOW_BENDS, 0)
    return quaternion(pose).astype(np.float32)


REST: Array = _rest()
"""The relaxed standing pose, [12, 4] float32."""
