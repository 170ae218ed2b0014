"""Reads .glb files, written apart from the builder so that tests do not share its mistakes."""

import json
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True)
class Mesh:
    positions: NDArray[Any]
    normals: NDArray[Any]
    uvs: NDArray[Any] | None
    joints: NDArray[Any]
    weights: NDArray[Any]
    triangles: NDArray[Any]
    morphs: dict[str, NDArray[Any]]


class Glb:
    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.document: dict[str, Any] = json.loads(data[20 : 20 + size])
        body_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self.body = data[28 + size :]
        assert body_size == len(self.body) == self.document["buffers"][0]["byteLength"]

    def view(self, index: int) -> bytes:
        view = self.document["bufferViews"][index]
        start = view["byteOffset"]
        assert start % 4 == 0
        assert start + view["byteLength"] <= len(self.body)
        return self.body[start : start + view["byteLength"]]

    def accessor(self, index: int) -> NDArray[Any]:
        accessor = self.document["accessors"][index]
        dtype, width, count = _TYPES[accessor["componentType"]], _WIDTHS[accessor["type"]], accessor["count"]
        values = np.zeros((count, width), dtype=dtype)
        if "bufferView" in accessor:
            values = np.frombuffer(self.view(accessor["bufferView"]), dtype=dtype).reshape(count, width).copy()
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            rows = np.frombuffer(
                self.view(sparse["indices"]["bufferView"]), dtype=_TYPES[sparse["indices"]["componentType"]]
            )
            assert len(rows) == sparse["count"]
            assert np.all(np.diff(rows.astype(np.int64)) > 0)
            values[rows] = np.frombuffer(self.view(sparse["values"]["bufferView"]), dtype=dtype).reshape(-1, width)
        if "min" in accessor:
            assert np.allclose(values.min(axis=0), accessor["min"])
            assert np.allclose(values.max(axis=0), accessor["max"])
        return values / 255.0 if accessor.get("normalized") else values

    @cached_property
    def meshes(self) -> dict[str, Mesh]:
        found = {}
        for mesh in self.document["meshes"]:
            (primitive,) = mesh["primitives"]
            attributes = primitive["attributes"]
            names = mesh.get("extras", {}).get("targetNames", [])
            targets = primitive.get("targets", [])
            assert len(names) == len(targets)
            found[mesh["name"]] = Mesh(
                self.accessor(attributes["POSITION"]),
                self.accessor(attributes["NORMAL"]),
                self.accessor(attributes["TEXCOORD_0"]) if "TEXCOORD_0" in attributes else None,
                self.accessor(attributes["JOINTS_0"]),
                self.accessor(attributes["WEIGHTS_0"]),
                self.accessor(primitive["indices"]).reshape(-1, 3).astype(np.int64),
                {name: self.accessor(target["POSITION"]) for name, target in zip(names, targets, strict=True)},
            )
        return found

    @property
    def vrm(self) -> dict[str, Any]:
        extension: dict[str, Any] = self.document["extensions"]["VRMC_vrm"]
        return extension

    def rest_positions(self) -> dict[str, NDArray[Any]]:
        """Where each named node stands at rest, metres."""
        nodes = self.document["nodes"]
        parents = {child: index for index, node in enumerate(nodes) for child in node.get("children", [])}

        def world(index: int) -> NDArray[Any]:
            node = nodes[index]
            local = np.eye(4)
            x, y, z, w = node.get("rotation", [0, 0, 0, 1])
            local[:3, :3] = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
            local[:3, 3] = node.get("translation", [0, 0, 0])
            return world(parents[index]) @ local if index in parents else local

        return {node["name"]: world(index)[:3, 3] for index, node in enumerate(nodes)}


def first_hits(
    surfaces: list[tuple[NDArray[Any], NDArray[Any]]], xs: NDArray[Any], ys: NDArray[Any]
) -> NDArray[np.int64]:
    """Looking straight at her face: which surface (positions, triangles) is seen at each x, y; −1 for none."""
    nearest = np.full((len(ys), len(xs)), -np.inf)
    seen = np.full((len(ys), len(xs)), -1)
    for number, (positions, triangles) in enumerate(surfaces):
        corners = positions[triangles]
        low, high = corners[..., :2].min(axis=1), corners[..., :2].max(axis=1)
        touching = (high > [xs[0], ys[0]]).all(axis=1) & (low < [xs[-1], ys[-1]]).all(axis=1)
        for a, b, c in corners[touching]:
            area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            if abs(area) < 1e-14:
                continue
            dx, dy = xs[None, :] - a[0], ys[:, None] - a[1]
            s = (dx * (c[1] - a[1]) - dy * (c[0] - a[0])) / area
            t = (dy * (b[0] - a[0]) - dx * (b[1] - a[1])) / area
            depth = a[2] + s * (b[2] - a[2]) + t * (c[2] - a[2])
            hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (depth > nearest)
            nearest[hit], seen[hit] = depth[hit], number
    return seen
