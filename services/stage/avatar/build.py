"""The whole way from the source data to her file."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from services.stage.avatar import blendshapes, clothes, eyes, face, hair, lashes, mouth, rig, skin
from services.stage.avatar.assemble import assemble
from services.stage.avatar.lids import SIDES, lash_grid
from services.stage.avatar.materials import Material
from services.stage.avatar.part import Part
from services.stage.avatar.refine import refine
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats, Source
from services.stage.avatar.surface import morphed, skin_part, vertex_normals


STEPS = ("face and body", "skin", "eyes and mouth", "file")

_NECK = 4.7  # skin of the trunk below this height is covered, decimetres


def build(source: Source, *, lite: bool, progress: Callable[[str], None]) -> bytes:
    """Her VRM 1.0 file. `lite`: same skeleton and shapes with fewer triangles and smaller pictures.

    `progress` is called with the name of each step as it begins.
    """
    progress("face and body")
    plain = mouth.settle(source, face.shape(source))
    centres = face.eye_centres(source, plain)
    shaped = face.with_large_eyes(plain, centres)
    units = {
        name: face.with_large_eyes(plain + offsets, centres) - shaped
        for name, offsets in blendshapes.source_shapes(source).items()
    }
    neutral = face.neutral(shaped, units)
    units = blendshapes.with_closing_lids(source, neutral, units)
    skeleton = hair.with_springs(rig.build(source, neutral))

    progress("skin")
    parts, materials = _skin(source, neutral, units, skeleton, lite)
    progress("eyes and mouth")
    parts += eyes.build(source, neutral, skeleton, lite)
    parts.append(_lashes(source, neutral, units, skeleton, lite))
    parts += mouth.build(source, neutral, units, skeleton, lite)
    parts.append(hair.build(neutral[source.groups["body"]], skeleton, lite))
    materials.append(hair.material(lite))
    parts += clothes.build(source, neutral, skeleton, lite)
    materials += clothes.materials(lite)
    materials += [
        *eyes.materials(lite),
        *mouth.materials(),
        Material("lashes", 0.9, color=(0.012, 0.008, 0.009, 1), double_sided=True),
    ]
    progress("file")
    ground = float(min(part.positions[:, 1].min() for part in parts))
    return assemble(parts, skeleton, materials, ground)


def _skin(
    source: Source, neutral: Floats, units: dict[str, Floats], skeleton: Rig, lite: bool
) -> tuple[list[Part], list[Material]]:
    mesh = source.mesh
    body = mesh.in_group("body")
    places = skin.islands(mesh, body)
    x, y, z = neutral[mesh.quads[places["head"]]].mean(axis=1).T
    fine = places["head"][(y > 5.25) & (y < 6.55) & (z > 0.95) & (np.abs(x) < 0.56)]
    whole = refine(mesh, body, fine[:0] if lite else fine)
    island_of = dict.fromkeys(range(len(mesh.quads)), "")
    for name, faces in places.items():
        island_of |= dict.fromkeys(faces.tolist(), name)
    names = np.array([island_of[face] for face in whole.triangle_faces.tolist()])
    height = neutral[mesh.quads[whole.triangle_faces]].mean(axis=1)[:, 1]
    keep = np.isin(names, ["head", "mouth", "sockets", "left hand", "right hand"])
    keep |= (names == "trunk") & (height > _NECK)
    keep &= ~_hidden(neutral[mesh.quads[whole.triangle_faces]].mean(axis=1), names, skeleton)
    refined = skin.visible_skin(whole, keep)
    names = names[keep]
    base = refined.uvs[refined.triangle_uvs]
    corner_uvs = np.zeros_like(base)
    kinds = np.full(len(names), 3.0)
    for kind, name in ((0, "head"), (1, "mouth"), (2, "sockets"), (3, "left hand"), (3, "right hand"), (3, "trunk")):
        at = names == name
        corner_uvs[at] = skin.place_uvs(base[at].reshape(-1, 2), name).reshape(-1, 3, 2)
        kinds[at] = kind
    positions = whole.matrix @ neutral
    normals = vertex_normals(positions, whole.triangles)
    texels = skin.skin_map(refined, positions, normals, corner_uvs, kinds, 1024 if lite else 2048)
    mask = source.mask("lips")
    lips = ndimage.map_coordinates(
        mask, [(1 - texels.base_uv[..., 1]) * len(mask) - 0.5, texels.base_uv[..., 0] * len(mask) - 0.5], order=1
    ) * (texels.island == 0)
    pictures = skin.paint_skin(source, neutral, texels, lips)
    part = skin_part(refined, whole, corner_uvs, neutral, units, skeleton)
    return [part], [skin.material(pictures, lite)]


def _hidden(middle: Floats, islands: NDArray[np.str_], skeleton: Rig) -> NDArray[np.bool_]:
    """Skin triangles that are never seen: eye sockets behind the eyes, the scalp under the hair."""
    eye = skeleton.position("leftEye")
    socket = (islands == "sockets") & (middle[:, 2] < eye[2] + 0.02)
    scalp = (middle[:, 2] < 0.5) & (middle[:, 1] > eye[1] + 0.1) & (middle[:, 1] < eye[1] + 0.7)
    return socket | scalp


def _lashes(source: Source, neutral: Floats, units: dict[str, Floats], skeleton: Rig, lite: bool) -> Part:
    matrices, triangles, normals, start = [], [], [], 0
    for side in SIDES:
        eye = neutral[source.groups[f"helper-{side}-eye"]].mean(axis=0)
        for strip in lashes.STRIPS:
            matrix, faces = lashes.hairs(lash_grid(source, side, strip), strip, len(neutral), lite)
            matrices.append(matrix)
            triangles.append(faces + start)
            normals.append(lashes.normals(matrix @ neutral, eye))
            start += matrix.shape[0]
    matrix = sparse.vstack(matrices).tocsr()
    return morphed(
        "lashes", "lashes", matrix, np.concatenate(normals), np.concatenate(triangles), neutral, units, skeleton
    )
