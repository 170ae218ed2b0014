"""Her skin: which faces of the base mesh are skin that can be seen, and their place on one texture.

The texture shows the head like a front view in which the face is enlarged, so that lips and lids get most texels;
hands, neck, and the inside of the mouth lie below it.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.stage.avatar import complexion, paint
from services.stage.avatar.complexion import SkinMap
from services.stage.avatar.materials import Material
from services.stage.avatar.part import Part
from services.stage.avatar.refine import RefinedMesh, refine
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import BaseMesh, Floats, Ints, Source
from services.stage.avatar.surface import skin_part, vertex_normals

_FACE_MIDDLE = (0.868, 0.484)  # between eyes and mouth on the base mesh's uvs
_LENS = 0.09  # within this distance from the middle the face is enlarged
_REACH = 0.36  # of the head's island around the middle
_HEAD_SCALE, _HEAD_CENTRE = 1.38, (0.5, 0.41)

# Island on the base uvs (u0, v0, u1, v1) → place on her texture (left, top, scale).
_PATCHES = {
    "mouth": ((0.750, 0.005, 0.930, 0.140), (0.005, 0.83), 1.2),
    "sockets": ((0.005, 0.540, 0.155, 0.640), (0.24, 0.83), 0.6),
    "right hand": ((0.355, 0.005, 0.562, 0.200), (0.36, 0.78), 1.1),
    "left hand": ((0.562, 0.005, 0.768, 0.200), (0.60, 0.78), 1.1),
    "trunk": ((0.005, 0.135, 0.770, 0.990), (0.85, 0.80), 0.18),
}
_KINDS = {
    "head": complexion.HEAD,
    "mouth": complexion.MOUTH,
    "sockets": complexion.SOCKETS,
    "left hand": complexion.LIMBS,
    "right hand": complexion.LIMBS,
    "trunk": complexion.LIMBS,
}
_NECK = 4.7  # skin of the trunk below this height is covered, decimetres


def build(
    source: Source, neutral: Floats, units: Mapping[str, Floats], rig: Rig, *, lite: bool
) -> tuple[Part, Material]:
    """All visible skin as one part with all 52 shapes, and its painted material."""
    mesh = source.mesh
    body = mesh.in_group("body")
    places = _islands(mesh, body)
    x, y, z = neutral[mesh.quads[places["head"]]].mean(axis=1).T
    face = places["head"][(y > 5.25) & (y < 6.55) & (z > 0.95) & (np.abs(x) < 0.56)]
    whole = refine(mesh, body, face[:0] if lite else face)

    island = np.full(len(mesh.quads), "", dtype="<U12")
    for name, faces in places.items():
        island[faces] = name
    islands = island[whole.triangle_faces]
    seen = _seen(neutral[mesh.quads[whole.triangle_faces]].mean(axis=1), islands, rig)
    visible, islands = whole.only(seen), islands[seen]
    uvs = _corner_uvs(visible, islands)
    kinds = np.array([_KINDS[name] for name in islands], dtype=np.float64)
    texels = _skin_map(whole.matrix @ neutral, whole.triangles, visible, uvs, kinds, 1024 if lite else 2048)
    pictures = complexion.paint_skin(source, neutral, texels, _lips(source, texels))
    extensions = {} if lite else {"KHR_materials_specular": {"specularFactor": 0.55}}
    textures = {"baseColorTexture": pictures.color, "metallicRoughnessTexture": pictures.surface}
    material = Material("skin", roughness=1.0, textures=textures, extensions=extensions)
    return skin_part(visible, whole, uvs, neutral, units, rig), material


def _islands(mesh: BaseMesh, faces: Ints) -> dict[str, Ints]:
    """The given body faces by the texture island they lie on; feet are on none."""
    u, v = mesh.uvs[mesh.quad_uvs[faces]].mean(axis=1).T
    x, y, _ = np.abs(mesh.positions[mesh.quads[faces]].mean(axis=1)).T
    hand = x > 3.0
    boxes = {name: (u > u0) & (u < u1) & (v > v0) & (v < v1) for name, ((u0, v0, u1, v1), _, _) in _PATCHES.items()}
    found = {
        "mouth": boxes["mouth"] & ~hand,
        "sockets": boxes["sockets"] & ~hand & (y > 5),
        "right hand": boxes["right hand"] & hand,
        "left hand": boxes["left hand"] & hand,
    }
    found["head"] = (u > 0.64) & (v > 0.145) & (v < 0.82) & ~hand & (y > 4)
    taken = np.logical_or.reduce(list(found.values()))
    found["trunk"] = (u < 0.77) & (v > 0.13) & ~taken
    return {name: faces[inside] for name, inside in found.items()}


def _seen(middle: Floats, islands: NDArray[np.str_], rig: Rig) -> NDArray[np.bool_]:
    """Triangles that are ever seen: not under clothes, in the sockets behind the eyes, or under the hair."""
    eye = rig.position("leftEye")
    covered = (islands == "") | ((islands == "trunk") & (middle[:, 1] < _NECK))
    socket = (islands == "sockets") & (middle[:, 2] < eye[2] + 0.02)
    scalp = (middle[:, 2] < 0.5) & (middle[:, 1] > eye[1] + 0.1) & (middle[:, 1] < eye[1] + 0.7)
    seen: NDArray[np.bool_] = ~(covered | socket | scalp)
    return seen


def _corner_uvs(visible: RefinedMesh, islands: NDArray[np.str_]) -> Floats:
    """Her texture's uvs (triangles, 3, 2), v down."""
    base = visible.uvs[visible.triangle_uvs]
    uvs = np.zeros_like(base)
    for name in _KINDS:
        uvs[islands == name] = _place(base[islands == name].reshape(-1, 2), name).reshape(-1, 3, 2)
    return uvs


def _place(uvs: Floats, island: str) -> Floats:
    """Base uvs (n, 2), v up, of one island → her texture's uvs, v down."""
    if island == "head":
        x, y = _FACE_MIDDLE[1] - uvs[:, 1], _FACE_MIDDLE[0] - uvs[:, 0]
        distance = np.maximum(np.hypot(x, y), 1e-9)
        lens = np.arcsinh(distance / _LENS) / np.arcsinh(_REACH / _LENS) * _REACH / distance * _HEAD_SCALE
        return np.stack([_HEAD_CENTRE[0] + x * lens, _HEAD_CENTRE[1] - y * lens], axis=1)
    (u0, _, _, v1), corner, scale = _PATCHES[island]
    return np.stack([corner[0] + (uvs[:, 0] - u0) * scale, corner[1] + (v1 - uvs[:, 1]) * scale], axis=1)


def _skin_map(
    positions: Floats, triangles: Ints, visible: RefinedMesh, uvs: Floats, kinds: Floats, size: int
) -> SkinMap:
    curvature = _curvature(triangles, positions, vertex_normals(positions, triangles))
    corners = visible.triangles.ravel()
    attributes = [
        positions[corners],
        visible.uvs[visible.triangle_uvs.ravel()],
        curvature[corners, None],
        np.repeat(kinds, 3)[:, None],
    ]
    faces = np.arange(len(corners)).reshape(-1, 3)
    texels = paint.rasterise(uvs.reshape(-1, 2), faces, np.concatenate(attributes, axis=1), size)
    return SkinMap(texels[..., 0:3], texels[..., 3:5], texels[..., 5], np.round(texels[..., 6]))


def _curvature(triangles: Ints, positions: Floats, normals: Floats) -> Floats:
    """Per vertex, how much its neighbours rise above its tangent plane, per decimetre; hollows are positive."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    a, b = np.concatenate([edges, edges[:, ::-1]]).T
    step = positions[b] - positions[a]
    bend = np.einsum("ij,ij->i", step, normals[a]) / np.maximum((step**2).sum(axis=1), 1e-6)
    total, count = np.zeros(len(positions)), np.zeros(len(positions))
    np.add.at(total, a, bend)
    np.add.at(count, a, 1)
    return total / np.maximum(count, 1)


def _lips(source: Source, texels: SkinMap) -> Floats:
    """The source's lip mask on her texture, 0 … 1."""
    mask = source.mask("lips")
    u, v = texels.base_uv[..., 0], texels.base_uv[..., 1]
    at = [(1 - v) * len(mask) - 0.5, u * len(mask) - 0.5]
    lips: Floats = ndimage.map_coordinates(mask, at, order=1) * (texels.island == complexion.HEAD)
    return lips
