"""Rotations are VRM's, and she rests with her arms hanging."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from services.motion import joints
from services.motion.arms import reach
from tests.unit.motion.skeleton import HAND, body

angles = st.floats(-1.7, 1.7)
vectors = st.tuples(angles, angles, angles)


@settings(deadline=None)
@given(vectors)
def test_a_rotation_vector_survives_its_quaternion(vector: tuple[float, float, float]) -> None:
    back = joints.rotation_vector(joints.quaternion(np.array(vector)))
    assert np.allclose(back, vector, atol=1e-9)


@settings(deadline=None)
@given(vectors, vectors)
def test_a_product_turns_first_by_its_second_factor(first: tuple[float, ...], second: tuple[float, ...]) -> None:
    a, b = joints.quaternion(np.array(first)), joints.quaternion(np.array(second))
    point = np.array([0.3, -1.0, 2.0])
    turned = joints.matrix(joints.multiply(a, b)) @ point
    assert np.allclose(turned, joints.matrix(a) @ joints.matrix(b) @ point)
    assert np.allclose(joints.matrix(joints.conjugate(a)) @ joints.matrix(a) @ point, point)


@settings(deadline=None)
@given(vectors)
def test_a_matrix_turns_as_its_rotation_vector_says(vector: tuple[float, float, float]) -> None:
    turned = joints.matrix(joints.quaternion(np.array(vector)))
    assert np.allclose(turned, Rotation.from_rotvec(vector).as_matrix())


def test_at_rest_the_hands_hang_beside_the_body_a_little_forward() -> None:
    rest = body(joints.REST[None])
    for arm, side in ((rest.left, 1), (rest.right, -1)):
        shoulder, wrist = arm.shoulder[0], arm.wrist[0]
        assert wrist[1] < shoulder[1] - 0.4
        assert 0.05 < (wrist[0] - shoulder[0]) * side < 0.25
        assert 0 < wrist[2] < 0.15
        assert arm.palm[0][0] * side < -0.8, "palms look to the thighs"


def test_identities_are_the_t_pose() -> None:
    t_pose = body(np.tile([0.0, 0.0, 0.0, 1.0], (1, len(joints.JOINTS), 1)))
    assert t_pose.left.tip[0][0] > 0.7
    assert np.isclose(t_pose.left.tip[0][1], t_pose.left.shoulder[0][1])


@settings(deadline=None)
@given(
    st.tuples(st.floats(-0.1, 0.2), st.floats(-0.2, 0.3), st.floats(0.12, 0.25)),
    st.tuples(st.floats(-0.8, 0.8), st.floats(0.2, 1.0), st.floats(0.0, 0.8)),
    st.floats(0, 0.3),
)
def test_an_arm_reaches_where_it_is_told(
    wrist: tuple[float, float, float], fingers: tuple[float, float, float], lift: float
) -> None:
    turns = np.zeros((len(joints.JOINTS), 3))
    turns[joints.LEFT_SHOULDER : joints.LEFT_HAND + 1] = reach(wrist, (0.7, -1, 0), fingers, (-1, 0, 0.05), lift)
    arm = body(joints.multiply(joints.quaternion(turns), joints.REST)[None]).left
    assert np.allclose(arm.wrist - arm.shoulder, wrist, atol=1e-5)
    pointing = np.array(fingers) / np.linalg.norm(fingers)
    assert np.allclose((arm.tip - arm.wrist) / HAND, pointing, atol=1e-5)
