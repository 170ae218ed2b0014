"""Her file as glTF and VRM readers see it."""

import io
from itertools import pairwise

import numpy as np
from PIL import Image

from services.stage.avatar.blendshapes import ARKIT_NAMES
from services.stage.avatar.build import build
from services.stage.avatar.source import Source
from tests.integration.avatar.glb import Glb

REQUIRED_BONES = {
    *("hips", "spine", "head"),
    *(
        f"{side}{bone}"
        for side in ("left", "right")
        for bone in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
    ),
}
PRESETS = {
    *("happy", "angry", "sad", "relaxed", "surprised", "neutral", "aa", "ih", "ou", "ee", "oh"),
    *("blink", "blinkLeft", "blinkRight", "lookUp", "lookDown", "lookLeft", "lookRight"),
}


def test_the_same_source_gives_the_same_bytes(source: Source, lite_bytes: bytes) -> None:
    assert build(source, lite=True, progress=lambda _: None) == lite_bytes


def test_every_mesh_is_sound(body: Glb) -> None:
    joint_count = len(body.document["skins"][0]["joints"])
    for name, mesh in body.meshes.items():
        assert mesh.triangles.max() < len(mesh.positions), name
        assert np.isfinite(mesh.positions).all(), name
        assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3), name
        assert mesh.joints.max() < joint_count, name
        assert np.allclose(mesh.weights.sum(axis=1), 1, atol=1e-6), name
        assert (mesh.joints[mesh.weights == 0] == 0).all(), name
        if mesh.uvs is not None:
            assert mesh.uvs.min() >= 0, name
            assert mesh.uvs.max() <= 1, name
        for shape, offsets in mesh.morphs.items():
            assert np.isfinite(offsets).all(), (name, shape)
            assert 1e-4 < np.abs(offsets).max() < 0.06 or name != "face", (name, shape)


def test_every_index_in_the_document_points_to_something(body: Glb) -> None:
    document = body.document
    for mesh in document["meshes"]:
        assert mesh["primitives"][0]["material"] < len(document["materials"])
    for texture in document["textures"]:
        assert texture["source"] < len(document["images"])
        assert texture["sampler"] < len(document["samplers"])
    reachable: set[int] = set()
    waiting = list(document["scenes"][0]["nodes"])
    while waiting:
        node = waiting.pop()
        reachable.add(node)
        waiting += document["nodes"][node].get("children", [])
    assert reachable == set(range(len(document["nodes"])))
    assert set(document["extensions"]) <= set(document["extensionsUsed"])


def test_pictures_decode_and_are_modest(body: Glb) -> None:
    texels = 0
    for image in body.document["images"]:
        with Image.open(io.BytesIO(body.view(image["bufferView"]))) as picture:
            picture.load()
            assert max(picture.size) <= 2048
            texels += picture.size[0] * picture.size[1]
    assert texels <= 12_000_000


def test_size_and_triangles_and_draw_calls_are_bounded(full_bytes: bytes, lite_bytes: bytes) -> None:
    for data, bytes_, triangles in ((full_bytes, 12_000_000, 60_000), (lite_bytes, 4_000_000, 36_000)):
        meshes = Glb(data).meshes
        assert len(data) <= bytes_
        assert sum(len(mesh.triangles) for mesh in meshes.values()) <= triangles
        assert len(meshes) <= 12


def test_the_face_has_all_52_shapes_by_name(body: Glb) -> None:
    assert len(ARKIT_NAMES) == 52
    assert set(body.meshes["face"].morphs) == set(ARKIT_NAMES)


def test_the_humanoid_has_the_required_bones_and_hands_and_eyes(body: Glb) -> None:
    bones = body.vrm["humanoid"]["humanBones"]
    assert set(bones) >= REQUIRED_BONES
    assert {"leftEye", "rightEye", "leftIndexDistal", "rightThumbMetacarpal", "upperChest"} <= set(bones)
    assert len(bones) == 54
    for bone, target in bones.items():
        assert body.document["nodes"][target["node"]]["name"] == bone


def test_expressions_bind_the_shapes_that_they_name(body: Glb) -> None:
    expressions = body.vrm["expressions"]
    assert set(expressions["preset"]) == PRESETS
    assert set(expressions["custom"]) == set(ARKIT_NAMES)
    for name, expression in expressions["custom"].items():
        binds = expression["morphTargetBinds"]
        assert "face" in {body.document["nodes"][bind["node"]]["name"] for bind in binds}
        for bind in binds:
            mesh = body.document["meshes"][body.document["nodes"][bind["node"]]["mesh"]]
            assert mesh["extras"]["targetNames"][bind["index"]] == name
    for name, expression in expressions["preset"].items():
        assert bool(expression.get("morphTargetBinds")) == (name != "neutral")
        assert all(0 < bind["weight"] <= 1 for bind in expression.get("morphTargetBinds", []))


def test_the_licence_is_free_and_names_the_artificial_voice(body: Glb) -> None:
    meta = body.vrm["meta"]
    assert "CC0" in meta["copyrightInformation"]
    assert "artificial intelligence" in meta["copyrightInformation"]
    assert meta["commercialUsage"] == "corporation"
    assert meta["allowRedistribution"] is True
    assert meta["licenseUrl"] == "https://vrm.dev/licenses/1.0/"


def test_hair_springs_run_from_the_head_down_with_colliders(body: Glb) -> None:
    springs = body.document["extensions"]["VRMC_springBone"]
    nodes = body.document["nodes"]
    head = next(node for node in nodes if node["name"] == "head")
    for spring in springs["springs"]:
        joints = [joint["node"] for joint in spring["joints"]]
        assert joints[0] in head["children"]
        assert all(child in nodes[parent]["children"] for parent, child in pairwise(joints))
        assert spring["colliderGroups"] == [0]
    assert len(springs["colliders"]) == len(springs["colliderGroups"][0]["colliders"])
