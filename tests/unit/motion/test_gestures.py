"""Gestures begin and end at rest, move like a person and never go through the body."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.core import events
from services.motion import face, joints
from services.motion.arms import reach
from services.motion.attention import REACTIONS
from services.motion.frames import of_rows
from services.motion.gestures import BEAT_APEX_S, BEATS, GESTURES, Part, pose
from services.motion.moves import Move, rows
from tests.unit.motion.skeleton import Body, body

Array = NDArray[Any]

NAMES = {value: name for name, value in vars(events).items() if name.startswith("GESTURE_")}
T = np.arange(0, 5, 1 / 60)
MOST_JERK = 4_000
"""Of any joint's turning, rad/s³: a step of a degree would make 7,500."""
TOUCH = 0.015
"""Soft hands give way by so much where they meet. Metres."""
PARTS: dict[str, tuple[Part, ...]] = {
    **{NAMES[gesture]: parts for gesture, parts in GESTURES.items()},
    **{f"beat {number}": parts for number, parts in enumerate(BEATS)},
    **{f"gladness: {kind}": reaction.parts for kind, reaction in REACTIONS.items()},
}
"""Everything that may move her arms."""


def moves(gesture: int, at: float = 0.1) -> list[Move]:
    return [part.move(at) for part in GESTURES[gesture]]


def seen(movement: list[Move], t: Array = T) -> Body:
    frames = of_rows(rows(movement, t))
    return body(joints.multiply(frames.joints, joints.REST), frames.face[:, face.HEAD])


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


@pytest.mark.parametrize("name", PARTS)
def test_neither_hands_nor_forearms_go_into_her(name: str) -> None:
    shown = seen([part.move(0.1) for part in PARTS[name]])
    assert shown.clearance().min() > -0.002
    assert shown.hands_apart().min() > -TOUCH


def test_a_hand_inside_her_would_be_found() -> None:
    """The measure itself: wrists before the chest, in it, and at the head; hands on and in each other."""
    arms = {
        place: reach((-0.10, y, z), (0.8, -1.0, -0.1), (-1.0, 0.3, 0.0), (0.1, 0.0, -1.0))
        for place, (y, z) in {"before": (-0.105, 0.21), "in": (-0.105, 0.17), "face": (0.2, 0.13)}.items()
    }
    for place, inside in (("before", False), ("in", True), ("face", True)):
        shown = body(joints.multiply(of_rows(pose(arms[place])[None]).joints, joints.REST))
        assert (shown.clearance()[0] < -0.005) == inside, place
    assert (
        body(joints.multiply(of_rows(pose(arms["before"], arms["before"])[None]).joints, joints.REST)).hands_apart() < 0
    )


def test_hands_move_no_faster_than_a_lively_person(gesture: int) -> None:
    both = seen(moves(gesture))
    for wrist in (both.left.wrist, both.right.wrist):
        assert np.linalg.norm(np.diff(wrist, axis=0), axis=-1).max() * 60 < 3.5, "m/s"
        assert np.linalg.norm(np.diff(wrist, 2, axis=0), axis=-1).max() * 3600 < 35, "m/s²"


def test_from_any_gesture_at_any_moment_another_takes_over_without_a_pop_or_a_collision() -> None:
    t = np.arange(0, 4.4, 1 / 60)
    moving = {name: parts for name, parts in PARTS.items() if any(part.pose[face.SIZE :].any() for part in parts)}
    for (first, earlier), (second, later) in itertools.permutations(moving.items(), 2):
        for cut in (0.25, 0.7, 1.6):
            ended = [part.move(0.1) for part in earlier]
            for move in ended:
                move.end_by(0.1 + cut)
            movement = [*ended, *(part.move(0.1 + cut) for part in later)]
            made = rows(movement, t)
            jerk = np.abs(np.diff(made[:, [*range(face.SIZE)[face.HEAD], *range(face.SIZE, made.shape[1])]], 3, axis=0))
            assert jerk.max() * 60**3 < MOST_JERK, (first, second, cut)
            shown = seen(movement, t[::6])
            assert shown.clearance().min() > -0.006, (first, second, cut)
            assert shown.hands_apart().min() > -1.5 * TOUCH, (first, second, cut)
            for wrist in (shown.left.wrist, shown.right.wrist):
                assert np.linalg.norm(np.diff(wrist, axis=0), axis=-1).max() * 10 < 5, "m/s"


def test_a_pop_would_be_found() -> None:
    """Without easing, or with a frame missing, the jerk is far above what is allowed."""
    made = rows(moves(events.GESTURE_WAVE), T)[:, face.SIZE :]
    for broken in (np.delete(made, 30, axis=0), made + 0.05 * (T[:, None] > 1)):
        assert np.abs(np.diff(broken, 3, axis=0)).max() * 60**3 > 1.5 * MOST_JERK


def test_a_wave_shows_the_palm_beside_the_head() -> None:
    waving = seen(moves(events.GESTURE_WAVE))
    frame = 80
    assert waving.right.palm[frame][2] > 0.8
    assert abs(waving.right.tip[frame][1] - waving.head[frame][1]) < 0.15
    sideways = waving.right.tip[60:110, 0]
    assert sideways.max() - sideways.min() > 0.12
    assert np.allclose(waving.left.wrist, waving.left.wrist[0], atol=0.03), "the other arm hangs"


def test_the_hands_of_a_heart_meet_before_her_chest_and_leave_the_face_free() -> None:
    heart = seen(moves(events.GESTURE_HEART))
    frame = 90
    for arm in (heart.left, heart.right):
        assert arm.palm[frame][2] > 0.7, "palms to the viewer"
        assert arm.tip[frame][1] < heart.head[frame][1] - 0.12
        assert arm.tip[frame][2] > heart.head[frame][2] + 0.1
        assert abs(arm.elbow[frame][0]) > abs(arm.wrist[frame][0]) + 0.08, "elbows out"
    assert np.linalg.norm(heart.left.tip[frame] - heart.right.tip[frame]) < 0.09


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
        assert both.clearance().min() > 0.02


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
