"""Gestures begin and end at rest, move like a person and never go through the body."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.core import events
from services.motion import face, joints
from services.motion.frames import of_rows
from services.motion.gestures import BEAT_APEX_S, BEATS, GESTURES, Part, pose
from services.motion.moves import Move, rows
from tests.unit.motion.skeleton import HEAD_HALF_AXES, TORSO_HALF_AXES, Arm, Body, body, rotate

Array = NDArray[Any]

NAMES = {value: name for name, value in vars(events).items() if name.startswith("GESTURE_")}
T = np.arange(0, 5, 1 / 60)


def moves(gesture: int, at: float = 0.1) -> list[Move]:
    return [part.move(at) for part in GESTURES[gesture]]


def seen(movement: list[Move]) -> Body:
    return body(joints.multiply(of_rows(rows(movement, T)).joints, joints.REST))


def clearance(seen: Body) -> float:
    """How near hands and forearms come to trunk and head; 1 is the skin."""
    nearest = np.inf
    for arm in (seen.left, seen.right):
        for point in _along(arm):
            in_chest = rotate(joints.conjugate(seen.chest_turned), point - seen.chest)
            beside = (in_chest[:, 1] > -0.35) & (in_chest[:, 1] < 0.12)
            to_trunk = np.hypot(*(in_chest[beside][:, [0, 2]] / TORSO_HALF_AXES).T)
            to_head = np.linalg.norm((point - seen.head) / HEAD_HALF_AXES, axis=-1)
            nearest = min(nearest, to_trunk.min(initial=np.inf), to_head.min())
    return nearest


def _along(arm: Arm) -> list[Array]:
    return [arm.elbow + share * (arm.wrist - arm.elbow) for share in (0.3, 0.6, 1.0)] + [
        (arm.wrist + arm.tip) / 2,
        arm.tip,
    ]


@pytest.fixture(params=[*GESTURES], ids=lambda gesture: NAMES[gesture])
def gesture(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_every_gesture_of_the_contract_is_known() -> None:
    assert set(GESTURES) == set(NAMES) - {events.GESTURE_UNSPECIFIED, events.GESTURE_NONE}


def test_a_gesture_begins_and_ends_at_rest(gesture: int) -> None:
    movement = rows(moves(gesture), T)
    assert np.abs(movement[:6]).max() == 0
    assert np.abs(movement[-1]).max() == 0
    assert np.abs(movement).max() > 0.05, "and does something between"


def test_a_gesture_keeps_clear_of_trunk_and_head(gesture: int) -> None:
    assert clearance(seen(moves(gesture))) > 1.05


def test_hands_do_not_go_through_each_other(gesture: int) -> None:
    both = seen(moves(gesture))
    for left, right in itertools.product((both.left.wrist, both.left.tip), (both.right.wrist, both.right.tip)):
        assert np.linalg.norm(left - right, axis=-1).min() > 0.025
    assert (both.left.wrist[:, 0] - both.right.wrist[:, 0]).min() > 0


def test_hands_move_no_faster_than_a_lively_person(gesture: int) -> None:
    both = seen(moves(gesture))
    for wrist in (both.left.wrist, both.right.wrist):
        assert np.linalg.norm(np.diff(wrist, axis=0), axis=-1).max() * 60 < 3.5, "m/s"
        assert np.linalg.norm(np.diff(wrist, 2, axis=0), axis=-1).max() * 3600 < 35, "m/s²"


def test_one_gesture_takes_over_from_any_other_without_a_jump_or_a_collision() -> None:
    for first, second in itertools.permutations(GESTURES, 2):
        for cut in (0.35, 0.9):
            earlier, later = moves(first), moves(second, at=0.1 + cut)
            for move in earlier:
                move.end_by(0.1 + cut)
            movement = [*earlier, *later]
            turned = rows(movement, T)[:, face.SIZE :]
            assert np.abs(np.diff(turned, axis=0)).max() < 0.16, (NAMES[first], NAMES[second])
            assert clearance(seen(movement)) > 0.95, (NAMES[first], NAMES[second])


def test_a_wave_shows_the_palm_beside_the_head() -> None:
    waving = seen(moves(events.GESTURE_WAVE))
    frame = 80
    assert waving.right.palm[frame][2] > 0.8
    assert abs(waving.right.tip[frame][1] - waving.head[frame][1]) < 0.15
    sideways = waving.right.tip[60:110, 0]
    assert sideways.max() - sideways.min() > 0.12
    assert np.allclose(waving.left.wrist, waving.left.wrist[0], atol=0.03), "the other arm hangs"


def test_the_hands_of_a_heart_meet_above_the_head() -> None:
    heart = seen(moves(events.GESTURE_HEART))
    frame = 90
    assert heart.left.wrist[frame][1] > heart.head[frame][1] + 0.12
    assert np.linalg.norm(heart.left.tip[frame] - heart.right.tip[frame]) < 0.15
    assert heart.left.elbow[frame][0] > heart.left.wrist[frame][0] + 0.15, "elbows out: the sides of the heart"


def test_clapping_palms_meet_again_and_again() -> None:
    claps = seen(moves(events.GESTURE_CLAP))
    apart = np.linalg.norm(claps.left.tip - claps.right.tip, axis=-1)[45:100]
    beats = (apart[1:-1] < apart[:-2]) & (apart[1:-1] <= apart[2:])
    assert beats.sum() >= 2
    assert apart.max() - apart.min() > 0.1


def test_a_bow_lowers_the_head_forward() -> None:
    bowing = seen(moves(events.GESTURE_BOW))
    assert bowing.head[:, 2].max() > 0.15
    assert bowing.head[:, 1].min() < bowing.head[0, 1] - 0.03


def test_the_hand_of_a_beat_goes_down_at_its_apex() -> None:
    for beat in BEATS:
        both = seen([part.move(0.1) for part in beat])
        lifted = max((both.left, both.right), key=lambda arm: float(arm.wrist[:, 1].max()))
        apex = round((0.1 + BEAT_APEX_S) * 60)
        height = lifted.tip[:, 1]
        top = int(height[:apex].argmax())
        assert height[top] - height[apex] > 0.02
        assert apex - 12 <= top < apex
        assert clearance(both) > 1.05


def test_a_move_that_is_ended_early_leaves_smoothly() -> None:
    wave = moves(events.GESTURE_WAVE)
    for move in wave:
        move.end_by(0.4)
    movement = rows(wave, T)
    assert np.abs(np.diff(movement, axis=0)).max() < 0.16
    assert np.abs(movement[round(60 * wave[0].end) + 1 :]).max() == 0


def test_poses_are_mirrored_for_the_right_arm() -> None:
    part = GESTURES[events.GESTURE_HEART][0]
    assert isinstance(part, Part)
    both = body(joints.multiply(of_rows(part.pose[None]).joints, joints.REST))
    flip = np.array([-1, 1, 1])
    bent = pose(headRoll=0.07)
    assert bent[face.HEAD][2] == np.float32(0.07)
    assert np.allclose((both.left.wrist - both.head) * flip, both.right.wrist - both.head, atol=1e-6)
