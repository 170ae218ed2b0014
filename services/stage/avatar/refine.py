"""Local Catmull–Clark subdivision written as one sparse matrix.

Because every refined vertex is a fixed mix of base vertices, the same matrix carries positions, face shapes and bone
weights. Rules: E. Catmull and J. Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes",
1978. Vertices on the border of the chosen faces stay where they are, so that the surface has no cracks.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.stage.avatar.source import BaseMesh, Floats, Ints


@dataclass(frozen=True)
class RefinedMesh:
    """Triangles over refined vertices and refined texture coordinates."""

    matrix: sparse.csr_matrix  # (refined vertices, base vertices)
    uvs: Floats  # (refined texture coordinates, 2), v up
    triangles: Ints  # (triangles, 3) into refined vertices
    triangle_uvs: Ints  # (triangles, 3) into uvs
    triangle_faces: Ints  # (triangles,) the base face that each came from

    def only(self, chosen: NDArray[np.bool_]) -> "RefinedMesh":
        """The same mesh with only the chosen triangles."""
        return replace(
            self,
            triangles=self.triangles[chosen],
            triangle_uvs=self.triangle_uvs[chosen],
            triangle_faces=self.triangle_faces[chosen],
        )


def refine(mesh: BaseMesh, faces: Ints, chosen: Ints) -> RefinedMesh:
    """Take the base `faces`, split the `chosen` ones (a subset) in four, triangulate everything."""
    split = np.zeros(len(mesh.quads), dtype=bool)
    split[chosen] = True
    edges = _EdgePoints(mesh, faces, split)
    corner_uvs = _UvPoints(mesh)
    triangles: list[tuple[int, int, int]] = []
    triangle_uvs: list[tuple[int, int, int]] = []
    owners: list[int] = []

    def emit(face: int, polygon: list[tuple[int, int]]) -> None:
        for second in range(1, len(polygon) - 1):
            corners = (polygon[0], polygon[second], polygon[second + 1])
            triangles.append((corners[0][0], corners[1][0], corners[2][0]))
            triangle_uvs.append((corners[0][1], corners[1][1], corners[2][1]))
            owners.append(face)

    for face in faces.tolist():
        vertices, uvs = mesh.quads[face].tolist(), mesh.quad_uvs[face].tolist()
        corners = list(zip(vertices, uvs, strict=True))
        midpoints = [
            None
            if (point := edges.point_of(vertices[k], vertices[(k + 1) % 4])) is None
            else (point, corner_uvs.middle(uvs[k], uvs[(k + 1) % 4]))
            for k in range(4)
        ]
        if split[face]:
            centre = (edges.face_point(face), corner_uvs.centre(uvs))
            for k in range(4):
                after, before = midpoints[k], midpoints[k - 1]
                assert after is not None and before is not None
                emit(face, [corners[k], after, centre, before])
            continue
        outline: list[tuple[int, int]] = []
        for k in range(4):
            outline.append(corners[k])
            if (middle := midpoints[k]) is not None:
                outline.append(middle)
        # A fan must not start at a corner whose neighbour lies on the same straight edge.
        start = next((k for k, middle in enumerate(midpoints) if middle is not None), None)
        if start is not None:
            at = outline.index(midpoints[start])  # type: ignore[arg-type]
            outline = outline[at:] + outline[:at]
        emit(face, outline)
    return RefinedMesh(edges.matrix(), corner_uvs.all(), np.array(triangles), np.array(triangle_uvs), np.array(owners))


class _EdgePoints:
    """New vertices of split faces, and the moved old ones, as rows of weights over the base vertices."""

    def __init__(self, mesh: BaseMesh, faces: Ints, split: NDArray[np.bool_]) -> None:
        self._mesh = mesh
        self._count = len(mesh.positions)
        self._faces_of_edge: dict[tuple[int, int], list[int]] = {}
        self._faces_of_vertex: dict[int, list[int]] = {}
        for face in faces.tolist():
            quad = mesh.quads[face].tolist()
            for k in range(4):
                self._faces_of_edge.setdefault(_edge(quad[k], quad[(k + 1) % 4]), []).append(face)
                self._faces_of_vertex.setdefault(quad[k], []).append(face)
        self._rows: list[dict[int, float]] = []
        self._edge_points: dict[tuple[int, int], int] = {}
        self._face_points: dict[int, int] = {}
        for face in np.flatnonzero(split).tolist():
            self._face_points[face] = self._add(self._face_row(face))
            quad = mesh.quads[face].tolist()
            for k in range(4):
                edge = _edge(quad[k], quad[(k + 1) % 4])
                if edge not in self._edge_points:
                    self._edge_points[edge] = self._add(self._edge_row(edge, split))
        self._moved = {
            vertex: self._vertex_row(vertex, around)
            for vertex, around in self._faces_of_vertex.items()
            if all(split[face] for face in around) and self._is_inside(vertex, around)
        }

    def point_of(self, a: int, b: int) -> int | None:
        return self._edge_points.get(_edge(a, b))

    def face_point(self, face: int) -> int:
        return self._face_points[face]

    def matrix(self) -> sparse.csr_matrix:
        rows = [self._moved.get(vertex, {vertex: 1.0}) for vertex in range(self._count)] + self._rows
        indices = [column for row in rows for column in row]
        values = [value for row in rows for value in row.values()]
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        return sparse.csr_matrix((values, indices, starts), shape=(len(rows), self._count))

    def _add(self, row: dict[int, float]) -> int:
        self._rows.append(row)
        return self._count + len(self._rows) - 1

    def _face_row(self, face: int) -> dict[int, float]:
        return dict.fromkeys(self._mesh.quads[face].tolist(), 0.25)

    def _edge_row(self, edge: tuple[int, int], split: NDArray[np.bool_]) -> dict[int, float]:
        beside = self._faces_of_edge[edge]
        row = dict.fromkeys(edge, 0.5)
        if len(beside) == 2 and all(split[face] for face in beside):
            row = dict.fromkeys(edge, 0.25)
            for face in beside:
                _add_scaled(row, self._face_row(face), 0.25)
        return row

    def _is_inside(self, vertex: int, around: list[int]) -> bool:
        quads = [self._mesh.quads[face].tolist() for face in around]
        neighbours = {quad[(quad.index(vertex) + step) % 4] for quad in quads for step in (1, 3)}
        return all(len(self._faces_of_edge[_edge(vertex, other)]) == 2 for other in neighbours)

    def _vertex_row(self, vertex: int, around: list[int]) -> dict[int, float]:
        count = len(around)
        row = {vertex: (count - 3) / count}
        for face in around:
            _add_scaled(row, self._face_row(face), 1 / count**2)
            quad = self._mesh.quads[face].tolist()
            for step in (1, 3):  # each edge is met from both of its faces, hence the half
                other = quad[(quad.index(vertex) + step) % 4]
                _add_scaled(row, {vertex: 0.5, other: 0.5}, 2 * 0.5 / count**2)
        return row


class _UvPoints:
    """Refined texture coordinates: midpoints and centres, never smoothed, so that islands keep their borders."""

    def __init__(self, mesh: BaseMesh) -> None:
        self._base = mesh.uvs
        self._new: list[Floats] = []
        self._middles: dict[tuple[int, int], int] = {}

    def middle(self, a: int, b: int) -> int:
        key = _edge(a, b)
        if key not in self._middles:
            self._middles[key] = self._add((self._base[a] + self._base[b]) / 2)
        return self._middles[key]

    def centre(self, corners: list[int]) -> int:
        return self._add(self._base[corners].mean(axis=0))

    def all(self) -> Floats:
        return np.concatenate([self._base, np.array(self._new).reshape(-1, 2)])

    def _add(self, uv: Floats) -> int:
        self._new.append(uv)
        return len(self._base) + len(self._new) - 1


def _edge(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _add_scaled(row: dict[int, float], other: dict[int, float], scale: float) -> None:
    for column, value in other.items():
        row[column] = row.get(column, 0.0) + scale * value
