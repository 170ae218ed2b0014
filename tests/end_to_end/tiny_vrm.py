"""The smallest VRM files, 0.x and 1.0, that a page can wear, made in memory.

The face is a bright green triangle that is seen from the front alone: where it is seen, the avatar faces the camera.
Its lower edge is the mouth: the shapes `jawOpen` and `aa`, and a jaw bone, move it down.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

BONES: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "hips": (None, (0, 0.9, 0)),
    "spine": ("hips", (0, 0.15, 0)),
    "chest": ("spine", (0, 0.15, 0)),
    "neck": ("chest", (0, 0.2, 0)),
    "head": ("neck", (0, 0.1, 0)),
    **{
        name: place
        for side, sign in (("left", 1), ("right", -1))
        for name, place in {
            f"{side}UpperArm": ("chest", (sign * 0.15, 0.15, 0)),
            f"{side}LowerArm": (f"{side}UpperArm", (sign * 0.25, 0, 0)),
            f"{side}Hand": (f"{side}LowerArm", (sign * 0.25, 0, 0)),
            f"{side}UpperLeg": ("hips", (sign * 0.1, 0, 0)),
            f"{side}LowerLeg": (f"{side}UpperLeg", (0, -0.4, 0)),
            f"{side}Foot": (f"{side}LowerLeg", (0, -0.4, 0)),
        }.items()
    },
}
"""Bone → (parent, place in it) of a body that faces +z. Metres."""
EYES: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "leftEye": ("head", (0.03, 0.1, 0.05)),
    "rightEye": ("head", (-0.03, 0.1, 0.05)),
}
JAW: dict[str, tuple[str | None, tuple[float, float, float]]] = {"jaw": ("head", (0, 0, 0))}
META = {
    "name": "Tiny",
    "authors": ["test"],
    "licenseUrl": "https://vrm.dev/licenses/1.0/",
}
FACE = np.array([[-0.1, 0, 0.1], [0.1, 0, 0.1], [0, 0.2, 0.1]], np.float32)
MOUTH_DOWN = np.array([[0, -0.1, 0], [0, -0.1, 0], [0, 0, 0]], np.float32)
PRESETS_0 = {
    "aa": "a",
    "ih": "i",
    "ou": "u",
    "ee": "e",
    "oh": "o",
    "happy": "joy",
    "sad": "sorrow",
    "angry": "angry",
    "blink": "blink",
    "blinkLeft": "blink_l",
    "blinkRight": "blink_r",
    "lookLeft": "lookleft",
    "lookRight": "lookright",
    "lookUp": "lookup",
    "lookDown": "lookdown",
}
"""What VRM 0.x calls the presets of 1.0."""


def tiny_vrm(
    expressions: Sequence[str],
    presets: Sequence[str] = (),
    *,
    version: Literal["0.x", "1.0", "no VRM"] = "1.0",
    eyes: bool = True,
    jaw: bool = False,
    morphs: Sequence[str] = (),
    without: str = "",
) -> bytes:
    """A binary glTF file. Names of presets are those of VRM 1.0 in both versions.

    `morphs` are morph targets that no expression names; `without` is a bone that the humanoid does not have.
    """
    names = [*expressions, *presets, *morphs]
    # A body of 0.x faces -z.
    facing = np.array([1, 1, 1] if version != "0.x" else [-1, 1, -1], np.float32)
    still = np.full((3, 3), 1e-4, np.float32)
    points = np.stack([FACE, MOUTH_DOWN, still]) * facing
    bones = BONES | (EYES if eyes else {}) | (JAW if jaw else {})
    order = {name: index for index, name in enumerate(bones)}
    nodes: list[dict[str, Any]] = [
        {"name": name, "translation": (facing * place).tolist()} for name, (_, place) in bones.items()
    ]
    for name, (parent, _) in bones.items():
        if parent is not None:
            nodes[order[parent]].setdefault("children", []).append(order[name])
    nodes.append({"name": "face", "mesh": 0})
    nodes[order["jaw" if jaw else "head"]].setdefault("children", []).append(len(nodes) - 1)
    targets = [{"POSITION": 1 if name.lower() in ("jawopen", "aa") else 2} for name in names]
    primitive: dict[str, Any] = {"attributes": {"POSITION": 0}, "material": 0}
    if targets:
        primitive["targets"] = targets
    of_vrm = _vrm_0 if version == "0.x" else _vrm_1
    humanoid = {name: node for name, node in order.items() if name != without}
    extensions = of_vrm(humanoid, len(nodes) - 1, expressions, presets) if version != "no VRM" else {}
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [order["hips"]]}],
        "nodes": nodes,
        "meshes": [{"primitives": [primitive], "extras": {"targetNames": names}}],
        "materials": [
            {
                "name": "green",
                "pbrMetallicRoughness": {"baseColorFactor": [0, 1, 0, 1]},
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "accessors": [
            {
                "componentType": 5126,
                "count": 3,
                "type": "VEC3",
                "bufferView": view,
                "min": corners.min(0).tolist(),
                "max": corners.max(0).tolist(),
            }
            for view, corners in enumerate(points)
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": 36 * view, "byteLength": 36} for view in range(len(points))],
        "buffers": [{"byteLength": points.nbytes}],
        "extensionsUsed": ["KHR_materials_unlit", *extensions],
        "extensions": extensions,
    }
    return glb(document, points.tobytes())


def glb(document: dict[str, Any], data: bytes) -> bytes:
    """A binary glTF file of this description and these bytes."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _vrm_1(bones: dict[str, int], face: int, expressions: Sequence[str], presets: Sequence[str]) -> dict[str, Any]:
    names = [*expressions, *presets]

    def expression(name: str) -> dict[str, Any]:
        return {"morphTargetBinds": [{"node": face, "index": names.index(name), "weight": 1.0}]}

    return {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": META,
            "humanoid": {"humanBones": {name: {"node": node} for name, node in bones.items()}},
            "expressions": {
                "custom": {name: expression(name) for name in expressions},
                "preset": {name: expression(name) for name in presets},
            },
        }
    }


def _vrm_0(bones: dict[str, int], face: int, expressions: Sequence[str], presets: Sequence[str]) -> dict[str, Any]:
    del face  # 0.x names the mesh
    groups = [(name, "unknown") for name in expressions] + [(name, PRESETS_0[name]) for name in presets]
    curve = {"curve": [0, 0, 0, 1, 1, 1, 1, 0], "xRange": 90, "yRange": 10}
    looks = ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    return {
        "VRM": {
            "exporterVersion": "test",
            "specVersion": "0.0",
            "meta": {"title": "Tiny", "author": "test", "licenseName": "CC0"},
            "humanoid": {"humanBones": [{"bone": name, "node": node} for name, node in bones.items()]},
            "firstPerson": {"lookAtTypeName": "Bone", **{f"lookAt{look}": curve for look in looks}},
            "blendShapeMaster": {
                "blendShapeGroups": [
                    {"name": name, "presetName": preset, "binds": [{"mesh": 0, "index": index, "weight": 100}]}
                    for index, (name, preset) in enumerate(groups)
                ]
            },
            "secondaryAnimation": {"boneGroups": [], "colliderGroups": []},
            "materialProperties": [{"name": "green", "shader": "VRM_USE_GLTFSHADER"}],
        }
    }
