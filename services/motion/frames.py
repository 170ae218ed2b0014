"""Spans of frames: their clock, their bytes, and silence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.events import MotionChunk
from services.motion import face
from services.motion.face import Floats
from services.motion.joints import JOINTS, quaternion

SAMPLE_RATE = 24_000
FRAME_RATE = 60
FRAME_SAMPLES = SAMPLE_RATE // FRAME_RATE
"""Samples from one frame to the next."""

CHANNELS = face.SIZE + 3 * len(JOINTS)
"""Everything that moves, as one row: face values, then a rotation vector of each joint. Rows can be added and scaled;
they are made into frames at the end."""


class Frames(NamedTuple):
    """Consecutive frames, each array's first axis being time."""

    face: Floats
    """[n, 61], in the order and units of `services.motion.face`."""
    joints: Floats
    """[n, 12, 4]: rotations of `JOINTS` as quaternions x, y, z, w."""


def channel(joint: int, axis: str) -> int:
    """The channel of a joint's turning about x, y or z."""
    return face.SIZE + 3 * joint + "xyz".index(axis)


def of_rows(rows: NDArray[Any]) -> Frames:
    """The frames of rows [n, CHANNELS]."""
    turned = quaternion(rows[:, face.SIZE :].reshape(len(rows), len(JOINTS), 3))
    return Frames(rows[:, : face.SIZE].astype(np.float32), turned.astype(np.float32))


def still(frame_count: int) -> Frames:
    """A performance of nothing: zero shapes, identity rotations."""
    joints = np.zeros((frame_count, len(JOINTS), 4), np.float32)
    joints[..., 3] = 1
    return Frames(np.zeros((frame_count, face.SIZE), np.float32), joints)


def of_chunk(chunk: MotionChunk) -> Frames:
    """The performance in a chunk. Raises ValueError when its bytes, joints or rates are not this version's."""
    if tuple(chunk.joints) != JOINTS or chunk.frame_rate != FRAME_RATE:
        raise ValueError(f"a motion chunk of {len(chunk.joints)} joints at {chunk.frame_rate} frames/s is not ours")
    values = np.frombuffer(chunk.face_f32le, "<f4").reshape(chunk.frame_count, face.SIZE)
    joints = np.frombuffer(chunk.joints_f32le, "<f4").reshape(chunk.frame_count, len(JOINTS), 4)
    return Frames(values.astype(np.float32), joints.astype(np.float32))


def to_bytes(frames: Frames) -> tuple[bytes, bytes]:
    """`face_f32le` and `joints_f32le` of a chunk."""
    return frames.face.astype("<f4").tobytes(), frames.joints.astype("<f4").tobytes()
