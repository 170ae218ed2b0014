"""Cloth as open surfaces: cutting along a field, finding borders, sweeping piping along them."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, sparse

from services.stage.avatar.part import Part
from services.stage.avatar.source import Floats, Ints
from services.stage.avatar.surface import vertex_normals, vertex_tangents


@dataclass(frozen=True)
class Sheet:
    """A triangle surface that hangs on the skeleton; lengths in decimetres.

    Normals belong to the sheet so that cutting it leaves the shading smooth across the cut.
    """

    positions: Floats  # (vertices, 3)
    normals: Floats  # (vertices, 3), unit
    uvs: Floats  # (vertices, 2), v down
    skin: sparse.csr_matrix  # (vertices, bones)
    triangles: Ints  # (triangles, 3)

    @classmethod
    def of(cls, positions: Floats, skin: sparse.csr_matrix, triangles: Ints) -> "Sheet":
        """A sheet with the normals of its shape and no texture coordinates yet."""
        return cls(positions, vertex_normals(positions, triangles), np.zeros((len(positions), 2)), skin, triangles)

    def part(self, name: str, material: str, *, bumpy: bool = False) -> Part:
        """`bumpy`: the material has a normal texture."""
        uvs = self.uvs if self.uvs.any() else None
        tangents = vertex_tangents(self.positions, self.normals, self.uvs, self.triangles) if bumpy else None
        return Part(name, material, self.positions, self.normals, uvs, self.triangles, self.skin, tangents=tangents)

    def reshaped(self, positions: Floats) -> "Sheet":
        """Other positions, and the normals that go with them."""
        return Sheet.of(positions, self.skin, self.triangles).mapped(self.uvs)

    def mapped(self, uvs: Floats) -> "Sheet":
        return replace(self, uvs=uvs)


def compact(sheet: Sheet) -> Sheet:
    """Without the vertices that no triangle uses."""
    used, triangles = np.unique(sheet.triangles, return_inverse=True)
    return Sheet(
        sheet.positions[used], sheet.normals[used], sheet.uvs[used], sheet.skin[used], triangles.reshape(-1, 3)
    )


def cut(sheet: Sheet, field: Floats) -> Sheet:
    """The part of the sheet where `field` (vertices,) is positive, with a border exactly along field = 0."""
    kept = (field > 0).tolist()
    triangles: list[tuple[int, ...]] = []
    crossings: dict[tuple[int, int], int] = {}

    def crossing(inside: int, outside: int) -> int:
        return crossings.setdefault((inside, outside), len(field) + len(crossings))

    for triangle in sheet.triangles.tolist():
        state = [kept[vertex] for vertex in triangle]
        if all(state):
            triangles.append(tuple(triangle))
        elif any(state):
            odd = state.index(sum(state) == 1)
            a, b, c = triangle[odd], triangle[(odd + 1) % 3], triangle[(odd + 2) % 3]
            if sum(state) == 1:
                triangles.append((a, crossing(a, b), crossing(a, c)))
            else:
                to_b, to_c = crossing(b, a), crossing(c, a)
                triangles += [(to_b, b, c), (to_b, c, to_c)]
    inside, outside = np.array(list(crossings), dtype=np.int64).reshape(-1, 2).T
    share = field[inside] / (field[inside] - field[outside])
    rows = np.arange(len(share))
    count = len(field)
    mix = sparse.csr_matrix(
        (np.concatenate([1 - share, share]), (np.tile(rows, 2), np.concatenate([inside, outside]))),
        shape=(len(share), count),
    )
    every = sparse.vstack([sparse.identity(count), mix]).tocsr()
    normals = every @ sheet.normals
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return compact(
        Sheet(every @ sheet.positions, normals, every @ sheet.uvs, (every @ sheet.skin).tocsr(), np.array(triangles))
    )


def borders(sheet: Sheet) -> list[Ints]:
    """The border loops as vertex indices, in order; the first vertex is not repeated."""
    edges = np.concatenate([sheet.triangles[:, [0, 1]], sheet.triangles[:, [1, 2]], sheet.triangles[:, [2, 0]]])
    known = {(int(a), int(b)) for a, b in edges}
    after = {a: b for a, b in sorted(known) if (b, a) not in known}
    loops = []
    while after:
        start, vertex = next(iter(after.items()))
        del after[start]
        loop = [start]
        while vertex != start and vertex in after:
            loop.append(vertex)
            vertex = after.pop(vertex)
        loops.append(np.array(loop))
    return loops


def smoothed(sheet: Sheet, rounds: int) -> Sheet:
    """Every vertex moved halfway to the mean of its neighbours, `rounds` times."""
    edges = np.concatenate([sheet.triangles[:, [0, 1]], sheet.triangles[:, [1, 2]], sheet.triangles[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    count = len(sheet.positions)
    links = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    mean = sparse.diags(1 / np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1)) @ links
    positions = sheet.positions
    for _ in range(rounds):
        positions = 0.5 * positions + 0.5 * (mean @ positions)
    return sheet.reshaped(positions)


def smoothed_border(sheet: Sheet, rounds: float) -> Sheet:
    """The same sheet with its border loops evened out."""
    positions = sheet.positions.copy()
    for loop in borders(sheet):
        if len(loop) > 8:
            positions[loop] = ndimage.gaussian_filter1d(sheet.positions[loop], rounds, axis=0, mode="wrap")
    return replace(sheet, positions=positions)


def thinned(positions: Floats, line: Ints, spacing: float) -> Ints:
    """Some vertices of a line, about `spacing` apart, its ends among them."""
    kept = [line[0]]
    for vertex in line[1:]:
        if np.linalg.norm(positions[vertex] - positions[kept[-1]]) >= spacing:
            kept.append(vertex)
    if len(kept) > 1:
        kept[-1] = line[-1]
    return np.array(kept)


def piping(sheet: Sheet, line: Ints, radius: float, sides: int, *, closed: bool) -> Sheet:
    """A thin tube along vertices of a sheet."""
    points = sheet.positions[line]
    around = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    along = around if closed else np.gradient(points, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.cross(along, sheet.normals[line])
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    up = np.cross(across, along)
    angles = 2 * np.pi * np.arange(sides) / sides
    rings = points[:, None] + radius * (
        np.cos(angles)[None, :, None] * across[:, None] + np.sin(angles)[None, :, None] * up[:, None]
    )
    count = len(line)
    triangles = []
    for i in range(count if closed else count - 1):
        for s in range(sides):
            a, b = i * sides + s, i * sides + (s + 1) % sides
            c, d = (i + 1) % count * sides + s, (i + 1) % count * sides + (s + 1) % sides
            triangles += [[a, b, d], [a, d, c]]
    skin = sheet.skin[np.repeat(line, sides)]
    return Sheet.of(rings.reshape(-1, 3), skin, np.array(triangles))


def joined(sheets: list[Sheet]) -> Sheet:
    """Several sheets as one, in one draw call."""
    starts = np.cumsum([0] + [len(sheet.positions) for sheet in sheets])
    return Sheet(
        np.concatenate([sheet.positions for sheet in sheets]),
        np.concatenate([sheet.normals for sheet in sheets]),
        np.concatenate([sheet.uvs for sheet in sheets]),
        sparse.vstack([sheet.skin for sheet in sheets]).tocsr(),
        np.concatenate([sheet.triangles + start for sheet, start in zip(sheets, starts, strict=False)]),
    )
