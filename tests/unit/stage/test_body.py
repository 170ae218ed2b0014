"""Idle life and performance are one stream of frames, whatever pieces are asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.core.events import GESTURE_HEART, GESTURE_NOD, AudienceEvent, Gift, MotionChunk
from services.motion import face
from services.motion.compose import compose
from services.motion.face import INDEX, SIZE
from services.motion.frames import FRAME_RATE, FRAME_SAMPLES, Frames, of_rows, still
from services.motion.gestures import GESTURES
from services.motion.idle import idle
from services.motion.joints import JOINTS
from services.motion.moves import rows
from services.stage.body import BLOCK, FADE_FRAMES, SETTLE_FRAMES, Body
from tests.unit.motion import skeleton

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


T = np.arange(0, 4, 1 / FRAME_RATE)
MOST_JERK = 5_000
"""Of any joint's or the head's turning, rad/s³: a step of a degree would make 7,500."""


def gesturing(gesture: int) -> MotionChunk:
    """Four seconds of a turn that does nothing but a gesture, smiling."""
    made = rows([part.move(0.0) for part in GESTURES[gesture]], T)
    made[:, INDEX["MouthSmileLeft"]] += 0.4
    frames = of_rows(made)
    return MotionChunk(
        frame_rate=FRAME_RATE,
        frame_count=len(T),
        face_f32le=frames.face.tobytes(),
        joints=JOINTS,
        joints_f32le=frames.joints.tobytes(),
    )


def jerk(frames: Frames) -> float:
    """The largest, of head and joints. Quaternions turn half as fast as what they turn."""
    turns = np.concatenate([frames.face[:, face.HEAD], 2 * frames.joints.reshape(len(frames.joints), -1)], 1)
    return float(np.abs(np.diff(turns.astype(float), 3, axis=0)).max() * FRAME_RATE**3)


@pytest.mark.parametrize("gesture", GESTURES)
def test_a_turn_that_is_cut_anywhere_and_one_that_takes_over_do_not_make_her_pop(gesture: int) -> None:
    for at, following in itertools.product((12, 30, 75), (None, *list(GESTURES)[:8])):
        body = Body(7)
        body.perform(1, 20 * FRAME_SAMPLES, gesturing(gesture))
        body.stop(2, (20 + at) * FRAME_SAMPLES)
        if following is not None:
            body.perform(2, (24 + at) * FRAME_SAMPLES, gesturing(following))
        frames = body.frames(0, 240)
        assert jerk(frames) < MOST_JERK, (at, following)
        seen = skeleton.body(frames.joints[::6], frames.face[::6, face.HEAD])
        assert seen.clearance().min() > -0.008, (at, following)
        assert seen.hands_apart().min() > -0.022, (at, following)


def test_a_turn_that_takes_over_without_a_stop_ends_the_last_gesture_of_the_one_before() -> None:
    body, alone = Body(7), Body(7)
    body.perform(1, 0, gesturing(GESTURE_HEART))
    for one in (body, alone):
        one.perform(2, 60 * FRAME_SAMPLES, gesturing(GESTURE_NOD))
    over = slice(60 + SETTLE_FRAMES, 240)
    assert np.allclose(body.frames(0, 240).joints[over], alone.frames(0, 240).joints[over], atol=1e-5)
    assert jerk(body.frames(0, 240)) < MOST_JERK


def test_what_she_does_about_a_gift_gives_way_to_the_gesture_of_her_thanks() -> None:
    gift = AudienceEvent(event_id="g", gift=Gift(value_fen=50_000))
    for begins, thanks in itertools.product((10, 25, 60, 100), GESTURES):
        body = Body(7)
        assert body.notices(gift, 0, speaking=False)
        body.speaks(begins * FRAME_SAMPLES)
        body.perform(1, begins * FRAME_SAMPLES, gesturing(thanks))
        frames = body.frames(0, 240)
        assert jerk(frames) < MOST_JERK, (begins, thanks)
        seen = skeleton.body(frames.joints[::6], frames.face[::6, face.HEAD])
        assert seen.clearance().min() > -0.008, (begins, thanks)
        assert seen.hands_apart().min() > -0.022, (begins, thanks)
