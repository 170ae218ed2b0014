"""What her face does, measured on the meshes of the finished file."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.stage.avatar.blendshapes import ARKIT_NAMES
from tests.integration.avatar.glb import Glb, first_hits

STEP = 0.0005  # metres between two lines of sight


def _with(body: Glb, name: str, shapes: dict[str, float]) -> tuple[NDArray[Any], NDArray[Any]]:
    mesh = body.meshes[name]
    positions = mesh.positions.astype(np.float64)
    for shape, weight in shapes.items():
        if shape in mesh.morphs:
            positions = positions + weight * mesh.morphs[shape]
    return positions, mesh.triangles


def _eye_middle(body: Glb, sign: float) -> NDArray[Any]:
    balls = body.meshes["eyes"].positions
    middle: NDArray[Any] = balls[np.sign(balls[:, 0]) == sign].mean(axis=0)
    return middle


def _open_height(body: Glb, sign: float, shapes: dict[str, float]) -> float:
    """Largest height of eyeball seen from the front between the bare lids, metres; sign +1 is her left eye."""
    middle = _eye_middle(body, sign)
    xs = np.arange(middle[0] - 0.018, middle[0] + 0.018, STEP)
    ys = np.arange(middle[1] - 0.016, middle[1] + 0.016, STEP)
    surfaces = [_with(body, name, shapes) for name in ("eyes", "face")]
    seen = first_hits(surfaces, xs, ys) == 0
    return float(seen.sum(axis=0).max() * STEP)


def _mouth_inside_height(body: Glb, shapes: dict[str, float]) -> float:
    """Largest height of teeth, tongue or mouth cavity seen from the front, metres."""
    face = body.meshes["face"]
    assert face.uvs is not None
    corner_uvs = face.uvs[face.triangles]
    inside = ((corner_uvs[..., 1] > 0.83) & (corner_uvs[..., 0] < 0.22)).all(axis=1)
    positions, triangles = _with(body, "face", shapes)
    teeth = body.meshes["teeth"].positions
    middle = teeth[:, 1].mean()
    xs = np.arange(-0.026, 0.026, STEP)
    ys = np.arange(middle - 0.045, middle + 0.02, STEP)
    surfaces = [(positions, triangles[~inside]), (positions, triangles[inside])]
    surfaces += [_with(body, name, shapes) for name in ("teeth", "tongue")]
    return float((first_hits(surfaces, xs, ys) > 0).sum(axis=0).max() * STEP)


def test_lips_are_closed_at_rest(body: Glb) -> None:
    assert _mouth_inside_height(body, {}) <= STEP


def test_jaw_open_opens_the_mouth(body: Glb) -> None:
    assert _mouth_inside_height(body, {"jawOpen": 0.6}) > 0.012


def test_mouth_close_closes_the_lips_of_a_dropped_jaw(body: Glb) -> None:
    assert _mouth_inside_height(body, {"jawOpen": 0.6, "mouthClose": 0.6}) <= 2 * STEP


@pytest.mark.parametrize(("side", "sign"), [("Left", 1.0), ("Right", -1.0)])
def test_a_blink_closes_its_own_eye_and_not_the_other(body: Glb, side: str, sign: float) -> None:
    at_rest = _open_height(body, sign, {})
    assert at_rest > 0.008
    assert _open_height(body, sign, {f"eyeBlink{side}": 1.0}) <= STEP
    assert _open_height(body, -sign, {f"eyeBlink{side}": 1.0}) == pytest.approx(at_rest, abs=2 * STEP)


def test_half_a_blink_leaves_about_half_the_eye(body: Glb) -> None:
    at_rest = _open_height(body, 1.0, {})
    assert 0.2 < _open_height(body, 1.0, {"eyeBlinkLeft": 0.5}) / at_rest < 0.75


def test_wide_opens_and_squint_narrows_the_eye(body: Glb) -> None:
    at_rest = _open_height(body, 1.0, {})
    assert _open_height(body, 1.0, {"eyeWideLeft": 1.0}) > at_rest + STEP
    assert _open_height(body, 1.0, {"eyeSquintLeft": 1.0}) < at_rest - STEP


@pytest.mark.parametrize("name", [name for name in ARKIT_NAMES if name.endswith("Left") and name != "jawLeft"])
def test_left_and_right_shapes_move_mirrored_sides(body: Glb, name: str) -> None:
    face = body.meshes["face"]
    left = np.linalg.norm(face.morphs[name], axis=1)
    right = np.linalg.norm(face.morphs[name.removesuffix("Left") + "Right"], axis=1)
    if name == "mouthLeft":
        assert face.morphs[name][left > 0.5 * left.max(), 0].mean() > 0
        assert face.morphs["mouthRight"][right > 0.5 * right.max(), 0].mean() < 0
        return
    assert np.average(face.positions[:, 0], weights=left) > 0.003
    assert np.average(face.positions[:, 0], weights=right) < -0.003
    assert left.max() == pytest.approx(right.max(), rel=0.15)


def test_smiling_lifts_the_corners_of_the_mouth(body: Glb) -> None:
    face = body.meshes["face"]
    moved = face.morphs["mouthSmileLeft"]
    most = np.linalg.norm(moved, axis=1) > 0.7 * np.linalg.norm(moved, axis=1).max()
    assert moved[most, 1].mean() > 0.002
    assert moved[most, 0].mean() > 0


def test_lower_teeth_and_tongue_follow_the_jaw_and_upper_teeth_stay(body: Glb) -> None:
    teeth = body.meshes["teeth"]
    drop = teeth.morphs["jawOpen"][:, 1]
    upper = teeth.positions[:, 1] > np.median(teeth.positions[:, 1])
    assert np.abs(drop[upper]).mean() < 0.002
    assert drop[~upper].mean() < -0.01
    assert body.meshes["tongue"].morphs["jawOpen"][:, 1].mean() < -0.004


def test_lashes_follow_the_closing_lid(body: Glb) -> None:
    lashes = body.meshes["lashes"]
    left = lashes.positions[:, 0] > 0
    drop = lashes.morphs["eyeBlinkLeft"][:, 1]
    assert drop[left].min() < -0.006
    assert np.abs(drop[~left]).max() < 1e-4


def test_eyeballs_turn_with_their_bones_and_not_by_shapes(body: Glb) -> None:
    eyes = body.meshes["eyes"]
    assert not eyes.morphs
    skin = body.document["skins"][0]["joints"]
    inverse_binds = body.accessor(body.document["skins"][0]["inverseBindMatrices"])
    bones = body.vrm["humanoid"]["humanBones"]
    for bone, sign in (("leftEye", 1.0), ("rightEye", -1.0)):
        own = np.sign(eyes.positions[:, 0]) == sign
        assert {skin[joint] for joint in eyes.joints[own, 0]} == {bones[bone]["node"]}
        middle = (eyes.positions[own].min(axis=0) + eyes.positions[own].max(axis=0)) / 2
        # In the pose in which she was bound: at rest, straight legs lift her a little.
        bound = -inverse_binds[skin.index(bones[bone]["node"]), 12:15]
        assert np.allclose(bound[:2], middle[:2], atol=0.001)
    assert body.vrm["lookAt"]["type"] == "bone"


def test_she_rests_in_t_pose_on_the_ground(body: Glb) -> None:
    rest = body.rest_positions()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = rest[f"{side}MiddleProximal"] - rest[f"{side}UpperArm"]
        assert sign * arm[0] > 0.4
        assert np.abs(arm[1:]).max() < 0.01
        leg = rest[f"{side}Foot"] - rest[f"{side}UpperLeg"]
        assert abs(leg[0]) < 0.002
    lowest = min(mesh.positions[:, 1].min() for mesh in body.meshes.values())
    assert lowest == pytest.approx(0, abs=0.001)
    assert 1.5 < max(mesh.positions[:, 1].max() for mesh in body.meshes.values()) < 1.8
