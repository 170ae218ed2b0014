"""Idle life and performance are one stream of frames, whatever pieces are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from services.core.events import MotionChunk
from services.motion.compose import compose
from services.motion.face import INDEX, SIZE
from services.motion.frames import FRAME_RATE, FRAME_SAMPLES, Frames, still
from services.motion.idle import idle
from services.motion.joints import JOINTS
from services.stage.body import BLOCK, FADE_FRAMES, Body

JAW = INDEX["JawOpen"]


def alone(first: int, count: int) -> Frames:
    return compose(idle(7, first * FRAME_SAMPLES, count), still(count))


def open_mouth(count: int) -> MotionChunk:
    frames = still(count)
    frames.face[:, JAW] = 0.5
    return MotionChunk(
        frame_rate=FRAME_RATE,
        frame_count=count,
        face_f32le=frames.face.tobytes(),
        joints=JOINTS,
        joints_f32le=frames.joints.tobytes(),
    )


@pytest.mark.parametrize(("first", "count"), [(0, 1), (5, 24), (BLOCK - 3, 7), (BLOCK, BLOCK), (10, 3 * BLOCK)])
def test_idle_life_is_the_same_in_any_pieces(first: int, count: int) -> None:
    frames = Body(7).frames(first, count)
    assert frames.face.shape == (count, SIZE)
    assert np.allclose(frames.face, alone(first, count).face, atol=1e-5)
    assert np.allclose(frames.joints, alone(first, count).joints, atol=1e-5)


def test_a_performance_shows_in_its_frames_and_leaves_nothing_behind() -> None:
    body, whole = Body(7), Body(7)
    for one in (body, whole):
        one.perform(1, 50 * FRAME_SAMPLES, open_mouth(30))
    pieces = np.concatenate([body.frames(first, 10).face for first in range(0, 150, 10)])
    assert np.allclose(pieces, whole.frames(0, 150).face, atol=1e-5)
    assert (pieces[50:80, JAW] >= 0.49).all()
    before_and_after = [*range(50), *range(80 + FADE_FRAMES, 150)]
    assert np.allclose(pieces[before_and_after], alone(0, 150).face[before_and_after], atol=1e-5)


def test_a_stopped_performance_eases_out_from_where_it_was_stopped() -> None:
    body = Body(7)
    body.perform(1, 0, open_mouth(100))
    body.stop(2, 20 * FRAME_SAMPLES)
    jaw = body.frames(0, 100).face[:, JAW] - alone(0, 100).face[:, JAW]
    assert jaw[10] == pytest.approx(0.5, abs=0.05)
    assert np.allclose(jaw[20 + FADE_FRAMES :], 0, atol=1e-5)
