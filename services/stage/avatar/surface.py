"""From vertices that are fixed mixes of base vertices to finished parts that carry every face shape."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from services.stage.avatar.part import Part
from services.stage.avatar.refine import RefinedMesh
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats, Ints

_STILL = 2e-4  # decimetres; what a shape moves less than this stays where it is
_UNTURNED = 0.01  # likewise for the change of a unit normal


def vertex_normals(positions: Floats, triangles: Ints) -> Floats:
    """Unit normals (n, 3), weighted by the area of the triangles around each vertex."""
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(face[:, k], 3), minlength=len(positions)) for k in range(3)], axis=1
    )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    result: Floats = np.where(length > 1e-12, normals / np.maximum(length, 1e-12), [0.0, 1.0, 0.0])
    return result


def vertex_tangents(positions: Floats, normals: Floats, uvs: Floats, triangles: Ints) -> Floats:
    """Tangents (n, 4) as glTF wants them for normal textures: along growing u, then the side on which −v lies.

    Per triangle from its texture coordinates, weighted by area (E. Lengyel, "Foundations of Game Engine Development",
    volume 2, 2019, section 7.5).
    """
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    (u1, v1), (u2, v2) = ((uvs[triangles[:, k]] - uvs[triangles[:, 0]]).T for k in (1, 2))
    turned = np.where(u1 * v2 - u2 * v1 < 0, -1.0, 1.0)[:, None]
    along = turned * ((b - a) * v2[:, None] - (c - a) * v1[:, None])
    down = turned * ((c - a) * u1[:, None] - (b - a) * u2[:, None])

    def gathered(values: Floats) -> Floats:
        flat = triangles.ravel()
        return np.stack([np.bincount(flat, np.repeat(values[:, k], 3), minlength=len(positions)) for k in range(3)], 1)

    tangents, up = gathered(along), -gathered(down)
    tangents -= normals * (tangents * normals).sum(axis=1, keepdims=True)
    length = np.linalg.norm(tangents, axis=1, keepdims=True)
    # Where texture coordinates stand still, any direction along the surface will do.
    other = np.cross(normals, np.where(np.abs(normals[:, :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    tangents = np.where(length > 1e-12, tangents / np.maximum(length, 1e-12), other)
    side = np.where((np.cross(normals, tangents) * up).sum(axis=1) < 0, -1.0, 1.0)
    return np.concatenate([tangents, side[:, None]], axis=1)


def corner_vertices(triangles: Ints, triangle_uvs: Ints) -> tuple[Ints, Ints, Ints]:
    """Split vertices where texture coordinates differ: (vertex of, uv of) each new vertex, and new triangles."""
    pairs, inverse = np.unique(np.stack([triangles.ravel(), triangle_uvs.ravel()], axis=1), axis=0, return_inverse=True)
    return pairs[:, 0], pairs[:, 1], inverse.reshape(-1, 3)


def _still_below(limit: float, changes: Floats) -> Floats:
    """The changes (vertices, 3) without rows too small to be seen, which need no place in the file."""
    return np.where(np.abs(changes).max(axis=1, keepdims=True) < limit, 0.0, changes)


def morphed(
    name: str,
    material: str,
    matrix: sparse.csr_matrix,
    normals: Floats,
    triangles: Ints,
    neutral: Floats,
    units: Mapping[str, Floats],
    rig: Rig,
) -> Part:
    """A part whose vertices are rows of `matrix` over the base vertices; it carries the shapes that move it."""
    morphs = {shape: _still_below(_STILL, matrix @ offsets) for shape, offsets in units.items()}
    morphs = {shape: offsets for shape, offsets in morphs.items() if offsets.any()}
    skin = (matrix @ rig.weights).tocsr()
    return Part(name, material, matrix @ neutral, normals, None, triangles, skin, morphs=morphs)


def skin_part(
    refined: RefinedMesh,
    whole: RefinedMesh,
    uvs: Floats,
    neutral: Floats,
    units: Mapping[str, Floats],
    rig: Rig,
) -> Part:
    """The skin, with normals for every shape, taken from the `whole` body so that cut borders stay smooth.

    `uvs`: (triangles of `refined`, 3, 2), v down.
    """
    flat = np.round(uvs.reshape(-1, 2), 6)
    _, uv_ids = np.unique(flat, axis=0, return_inverse=True)
    vertex_of, _, triangles = corner_vertices(refined.triangles, uv_ids.reshape(-1, 3))
    part_uvs = np.zeros((len(vertex_of), 2))
    part_uvs[triangles.ravel()] = flat
    matrix = refined.matrix[vertex_of]
    rest = whole.matrix @ neutral
    rest_normals = vertex_normals(rest, whole.triangles)
    morph_normals = {}
    for shape, offsets in units.items():
        changed = vertex_normals(rest + whole.matrix @ offsets, whole.triangles) - rest_normals
        morph_normals[shape] = _still_below(_UNTURNED, changed[vertex_of])
    return Part(
        "face",
        "skin",
        matrix @ neutral,
        rest_normals[vertex_of],
        part_uvs,
        triangles,
        (matrix @ rig.weights).tocsr(),
        morphs={shape: _still_below(_STILL, matrix @ offsets) for shape, offsets in units.items()},
        morph_normals=morph_normals,
    )
