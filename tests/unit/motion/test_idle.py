"""Idle life: a pure function of seed and time, within what people do."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.motion import face, joints
from services.motion.face import INDEX
from services.motion.frames import FRAME_SAMPLES, Frames
from services.motion.idle import idle

Array = NDArray[Any]

MINUTES = 10
FRAMES = MINUTES * 60 * 60
PIECE = 300


@pytest.fixture(scope="module", params=[0, 2112, 2**63 + 5])
def show(request: pytest.FixtureRequest) -> Frames:
    """Ten minutes of a room, in pieces."""
    pieces = [idle(request.param, first * FRAME_SAMPLES, PIECE) for first in range(0, FRAMES, PIECE)]
    return Frames(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 10**12), st.integers(0, 300), st.integers(0, 300))
def test_two_pieces_are_the_whole(seed: int, start: int, first: int, second: int) -> None:
    whole = idle(seed, start, first + second)
    pieces = idle(seed, start, first), idle(seed, start + first * FRAME_SAMPLES, second)
    for name in Frames._fields:
        joined = np.concatenate([getattr(piece, name) for piece in pieces])
        assert np.allclose(joined, getattr(whole, name), atol=1e-6)


def test_rooms_live_their_own_lives() -> None:
    assert np.abs(idle(1, 0, 600).face - idle(2, 0, 600).face).max() > 0.1


def test_shapes_stay_between_none_and_full_and_rotations_are_unit(show: Frames) -> None:
    assert show.face[:, : face.SHAPES].min() >= 0
    assert show.face[:, : face.SHAPES].max() <= 1
    assert np.allclose(np.linalg.norm(show.joints, axis=-1), 1, atol=1e-5)


def test_blinks_come_as_often_as_in_conversation_and_shut_the_eyes(show: Frames) -> None:
    lids = show.face[:, face.BLINK[0]]
    begun = np.flatnonzero((lids[1:] > 0.5) & (lids[:-1] <= 0.5))
    assert 10 <= len(begun) / MINUTES <= 32.5
    for first, following in itertools.pairwise(begun):
        assert lids[first:following].max() > 0.97
    shut = (lids > 0.5).sum() / 60 / len(begun)
    assert 0.1 < shut < 0.35, "seconds that a blink covers more than half of the eye"


def test_gaps_between_blinks_differ(show: Frames) -> None:
    lids = show.face[:, face.BLINK[0]]
    gaps = np.diff(np.flatnonzero((lids[1:] > 0.5) & (lids[:-1] <= 0.5))) / 60
    assert gaps.std() > 0.8


def test_she_mostly_looks_at_the_camera_but_not_always(show: Frames) -> None:
    gaze = show.face[:, [face.EYE_YAW[0], face.EYE_PITCH[0]]]
    away = np.hypot(gaze[:, 0], gaze[:, 1]) > 0.06
    assert 0.03 < away.mean() < 0.25
    assert np.abs(gaze).max() < 0.35


def test_the_eyes_jump_rather_than_drift(show: Frames) -> None:
    speed = np.abs(np.diff(show.face[:, face.EYE_YAW[0]])) * 60
    assert speed.max() > 1.5, "rad/s within a saccade"
    assert np.median(speed) < 0.01, "and at rest between"


def test_she_breathes_twelve_to_eighteen_times_a_minute(show: Frames) -> None:
    lifted = joints.rotation_vector(show.joints[:, joints.LEFT_SHOULDER])[:, 2]
    lifted = lifted - np.convolve(lifted, np.ones(600) / 600, "same")
    breaths = ((lifted[1:] > 0) & (lifted[:-1] <= 0)).sum() / MINUTES
    assert 12 <= breaths <= 18


def test_her_small_smile_is_uneven_and_never_leaves(show: Frames) -> None:
    left, right = show.face[:, face.SMILE].T
    assert 0.12 < right.min() < left.max() < 0.4
    assert left.mean() - right.mean() > 0.02
    assert 0.05 < show.face[:, face.INDEX["CheekSquintLeft"]].mean() < 0.2


def test_head_and_trunk_move_a_little_and_gently(show: Frames) -> None:
    head = show.face[:, face.HEAD]
    assert (head.std(0) > 0.005).all()
    assert np.abs(head).max() < 0.2
    assert np.abs(np.diff(head, axis=0)).max() * 60 < 0.5, "rad/s"
    assert np.abs(np.diff(show.joints, axis=0)).max() * 60 < 0.1


def likeness(values: Array) -> float:
    """How much ten seconds of frames [n, channels] look like the ten that begin 5 to 120 seconds later, at most.

    The mean correlation of all channels at one shift: 1 where everything comes again.
    """
    span, most = 600, 0.0
    for start in (0, 90 * 60, 200 * 60):
        first = _standard(values[start : start + span])
        for shift in range(5 * 60, 120 * 60, 12):
            other = _standard(values[start + shift : start + shift + span])
            most = max(most, float((first * other).mean(0).mean()))
    return most


def _standard(values: Array) -> Array:
    standard: Array = (values - values.mean(0)) / np.maximum(values.std(0), 1e-6)
    return standard


def visible(frames: Frames) -> Array:
    """What one sees of her, twelve channels: head, brows, smile, gaze, trunk, arms."""
    turns = joints.rotation_vector(frames.joints[:, [joints.SPINE, joints.LEFT_UPPER_ARM, joints.RIGHT_LOWER_ARM], :])
    shapes = [INDEX[name] for name in ("BrowInnerUp", "BrowOuterUpLeft", "MouthSmileLeft", "EyeSquintRight")]
    picked = np.concatenate(
        [frames.face[:, face.HEAD], frames.face[:, shapes], frames.face[:, [face.EYE_YAW[0]]]], axis=1
    )
    return np.concatenate([picked, turns[:, 0, 1:], turns[:, 1, :1], turns[:, 2, :1]], axis=1).astype(float)


def test_nothing_visibly_repeats_within_two_minutes(show: Frames) -> None:
    assert likeness(visible(show)) < 0.75


def test_a_repeat_would_be_found(show: Frames) -> None:
    seen = visible(show)
    looped = np.concatenate([seen[: 60 * 60]] * 6)
    assert likeness(looped) > 0.95


def test_idle_life_has_no_pops(show: Frames) -> None:
    turns = np.concatenate([show.face[:, face.HEAD], 2 * show.joints.reshape(len(show.joints), -1)], 1).astype(float)
    assert np.abs(np.diff(turns, 3, axis=0)).max() * 60**3 < 150, "rad/s³"


def test_the_mouth_is_left_to_speech() -> None:
    rest = idle(7, 0, 3600).face
    assert rest[:, face.JAW_OPEN].max() == 0
    assert face.aperture(rest).max() == 0
