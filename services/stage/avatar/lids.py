"""The lash strips of the base mesh as regular grids: the reference lines for lashes, eye make-up and closing lids."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from services.stage.avatar.source import Floats, Ints, Source

SIDES = ("l", "r")
UPPER, LOWER = "eyelashes-2", "eyelashes-1"


@dataclass(frozen=True)
class LashGrid:
    """Base-mesh vertices of one lash strip: rows from inside the lid outwards, columns from the nose outwards.

    Row 0 lies inside the lid, row 1 on its edge, the last row at the tips.
    """

    vertices: Ints  # (rows, columns)

    def edge(self, positions: Floats) -> Floats:
        """The lid's edge as a line (columns, 3)."""
        line: Floats = positions[self.vertices[1]]
        return line

    def at(self, u: Floats, v: Floats, vertex_count: int) -> sparse.csr_matrix:
        """Rows of base-vertex weights for points on the strip.

        `u`: 0 … 1 from nose to temple; `v`: 0 on the lid's edge, 1 at the tips; both may run a little past their ends.
        """
        rows, columns = self.vertices.shape
        at_u, at_v = u * (columns - 1), 1 + v * (rows - 2)
        left = np.clip(np.floor(at_u).astype(int), 0, columns - 2)
        low = np.clip(np.floor(at_v).astype(int), 1, rows - 2)
        du, dv = at_u - left, at_v - low
        corners = [
            (self.vertices[low, left], (1 - du) * (1 - dv)),
            (self.vertices[low, left + 1], du * (1 - dv)),
            (self.vertices[low + 1, left], (1 - du) * dv),
            (self.vertices[low + 1, left + 1], du * dv),
        ]
        count = len(u)
        data = np.concatenate([weight for _, weight in corners])
        index = np.concatenate([vertex for vertex, _ in corners])
        return sparse.csr_matrix((data, (np.tile(np.arange(count), 4), index)), shape=(count, vertex_count))


def lash_grid(source: Source, side: str, strip: str) -> LashGrid:
    """The grid of one strip: `side` l or r, `strip` UPPER or LOWER."""
    faces = source.mesh.in_group(f"helper-{side}-{strip}")
    grid = _walk_grid(source.mesh.quads[faces])
    positions = source.mesh.positions
    eye = positions[source.groups[f"helper-{side}-eye"]].mean(axis=0)
    if (
        np.linalg.norm(positions[grid[0]] - eye, axis=1).mean()
        > np.linalg.norm(positions[grid[-1]] - eye, axis=1).mean()
    ):
        grid = grid[::-1]
    if abs(positions[grid[0, 0], 0]) > abs(positions[grid[0, -1], 0]):
        grid = grid[:, ::-1]
    return LashGrid(grid)


def _walk_grid(quads: Ints) -> Ints:
    """Vertices of a regular patch of quads as an array, the longer direction along the columns."""
    faces_of: dict[int, list[int]] = {}
    for face, quad in enumerate(quads.tolist()):
        for vertex in quad:
            faces_of.setdefault(vertex, []).append(face)
    edges: dict[int, set[int]] = {}
    for quad in quads.tolist():
        for k in range(4):
            edges.setdefault(quad[k], set()).add(quad[(k + 1) % 4])
            edges.setdefault(quad[(k + 1) % 4], set()).add(quad[k])
    corners = sorted(vertex for vertex, faces in faces_of.items() if len(faces) == 1)

    def walk(start: int, second: int, allowed: set[int]) -> list[int]:
        line = [start, second]
        while True:
            ahead = [v for v in edges[line[-1]] if v in allowed and v not in line and not _share(line[-2], v)]
            if not ahead:
                return line
            line.append(ahead[0])

    def _share(a: int, b: int) -> bool:
        return bool(set(faces_of[a]) & set(faces_of[b]))

    border = {vertex for vertex, faces in faces_of.items() if len(faces) <= 2}
    first, second = sorted(edges[corners[0]] & border)
    sides = [_until_corner(walk(corners[0], other, border), set(corners)) for other in (first, second)]
    short, long = sorted(sides, key=len)
    rows = [long]
    for start in short[1:]:
        row = [start]
        for above in rows[-1][1:]:
            row.append(next(v for v in edges[above] & edges[row[-1]] if v not in rows[-1] and v != row[-1]))
        rows.append(row)
    return np.array(rows)


def _until_corner(line: list[int], corners: set[int]) -> list[int]:
    for place, vertex in enumerate(line[1:], start=1):
        if vertex in corners:
            return line[: place + 1]
    return line
