"""The smallest VRM 1.0 files that a page can wear, made in memory."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

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
META = {
    "name": "Tiny",
    "authors": ["test"],
    "licenseUrl": "https://vrm.dev/licenses/1.0/",
}


def tiny_vrm(expressions: Sequence[str], presets: Sequence[str] = ()) -> bytes:
    """A .vrm with one triangle for a face, and one morph target for each custom expression and preset."""
    names = [*expressions, *presets]
    triangle = np.array([[-0.1, 0, 0.1], [0.1, 0, 0.1], [0, 0.2, 0.1]], np.float32)
    data = triangle.tobytes() + np.full((3, 3), 0.01, np.float32).tobytes()
    order = {name: index for index, name in enumerate(BONES)}
    nodes: list[dict[str, Any]] = [{"name": name, "translation": place} for name, (_, place) in BONES.items()]
    for name, (parent, _) in BONES.items():
        if parent is not None:
            nodes[order[parent]].setdefault("children", []).append(order[name])
    nodes.append({"name": "face", "mesh": 0})
    face = len(nodes) - 1
    nodes[order["head"]]["children"] = [face]

    def expression(name: str) -> dict[str, Any]:
        return {"morphTargetBinds": [{"node": face, "index": names.index(name), "weight": 1.0}]}

    point = {"componentType": 5126, "count": 3, "type": "VEC3"}
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [order["hips"]]}],
        "nodes": nodes,
        "meshes": [
            {
                "primitives": [{"attributes": {"POSITION": 0}, "targets": [{"POSITION": 1}] * len(names)}],
                "extras": {"targetNames": names},
            }
        ],
        "accessors": [
            {**point, "bufferView": 0, "min": [-0.1, 0, 0.1], "max": [0.1, 0.2, 0.1]},
            {**point, "bufferView": 1, "min": [0.01] * 3, "max": [0.01] * 3},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": 36},
        ],
        "buffers": [{"byteLength": len(data)}],
        "extensionsUsed": ["VRMC_vrm"],
        "extensions": {
            "VRMC_vrm": {
                "specVersion": "1.0",
                "meta": META,
                "humanoid": {"humanBones": {name: {"node": index} for name, index in order.items()}},
                "expressions": {
                    "custom": {name: expression(name) for name in expressions},
                    "preset": {name: expression(name) for name in presets},
                },
            }
        },
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
