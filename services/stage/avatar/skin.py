"""Her skin: which faces of the base mesh are skin that can be seen, their place on the texture, and its painting.

The texture shows the head like a front view in which the face is enlarged, so that lips and lids get most texels;
hands, breast, and the inside of the mouth lie below it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from services.stage.avatar import paint
from services.stage.avatar.lids import LOWER, SIDES, UPPER, lash_grid
from services.stage.avatar.materials import Image, Material
from services.stage.avatar.paint import FrontDrawing, blend, curve, ribbon, rgb, smooth_step
from services.stage.avatar.refine import RefinedMesh
from services.stage.avatar.source import BaseMesh, Floats, Ints, Source

_FACE_MIDDLE = (0.868, 0.484)  # between eyes and mouth on the base mesh's uvs
_LENS = 0.09  # within this distance from the middle the face is enlarged
_REACH = 0.36  # of the head's island around the middle

# Island on the base uvs (u0, v0, u1, v1) → place on her texture (x, y of the top left corner, scale).
_PATCHES = {
    "mouth": ((0.750, 0.005, 0.930, 0.140), (0.005, 0.83), 1.2),
    "sockets": ((0.005, 0.540, 0.155, 0.640), (0.24, 0.83), 0.6),
    "right hand": ((0.355, 0.005, 0.562, 0.200), (0.36, 0.78), 1.1),
    "left hand": ((0.562, 0.005, 0.768, 0.200), (0.60, 0.78), 1.1),
    "trunk": ((0.005, 0.135, 0.770, 0.990), (0.85, 0.80), 0.18),
}


def islands(mesh: BaseMesh, faces: Ints) -> dict[str, Ints]:
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


def place_uvs(uvs: Floats, island: str) -> Floats:
    """Base uvs (n, 2), v up, of one island → her texture's uvs, v down."""
    if island == "head":
        x, y = _FACE_MIDDLE[1] - uvs[:, 1], _FACE_MIDDLE[0] - uvs[:, 0]
        distance = np.maximum(np.hypot(x, y), 1e-9)
        lens = np.arcsinh(distance / _LENS) / np.arcsinh(_REACH / _LENS) * _REACH / distance
        return np.stack([0.5 + x * lens * 1.38, 0.41 - y * lens * 1.38], axis=1)
    (u0, _, _, v1), corner, scale = _PATCHES[island]
    return np.stack([corner[0] + (uvs[:, 0] - u0) * scale, corner[1] + (v1 - uvs[:, 1]) * scale], axis=1)


@dataclass(frozen=True)
class SkinMap:
    """What the painter knows of every texel."""

    position: Floats  # (size, size, 3), decimetres
    base_uv: Floats  # (size, size, 2), v up
    cavity: Floats  # (size, size): > 0 in hollows, < 0 on ridges
    island: Floats  # (size, size): 0 head, 1 mouth, 2 sockets, 3 hands and trunk


def skin_map(
    refined: RefinedMesh, positions: Floats, normals: Floats, corner_uvs: Floats, kinds: Floats, size: int
) -> SkinMap:
    """Rasterise the skin. `corner_uvs` (triangles, 3, 2) on her texture; `kinds` (triangles,) as SkinMap.island."""
    curvature = _curvature(refined.triangles, positions, normals)
    corners = refined.triangles.ravel()
    attributes = np.concatenate(
        [
            positions[corners],
            refined.uvs[refined.triangle_uvs.ravel()],
            curvature[corners, None],
            np.repeat(kinds, 3)[:, None],
        ],
        axis=1,
    )
    texels = paint.rasterise(corner_uvs.reshape(-1, 2), np.arange(len(corners)).reshape(-1, 3), attributes, size)
    return SkinMap(texels[..., 0:3], texels[..., 3:5], texels[..., 5], np.round(texels[..., 6]))


def _curvature(triangles: Ints, positions: Floats, normals: Floats) -> Floats:
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    a, b = np.concatenate([edges, edges[:, ::-1]]).T
    step = positions[b] - positions[a]
    bend = np.einsum("ij,ij->i", step, normals[a]) / np.maximum((step**2).sum(axis=1), 1e-6)
    total, count = np.zeros(len(positions)), np.zeros(len(positions))
    np.add.at(total, a, bend)
    np.add.at(count, a, 1)
    return total / np.maximum(count, 1)


@dataclass(frozen=True)
class SkinPictures:
    color: Image
    surface: Image  # glTF metallic-roughness


def paint_skin(source: Source, neutral: Floats, texels: SkinMap, lip_mask: Floats) -> SkinPictures:
    """Colour and roughness of the skin. `lip_mask` (size, size): 0 … 1."""
    size = texels.position.shape[0]
    p = texels.position
    x, y, z = np.abs(p[..., 0]), p[..., 1], p[..., 2]
    eye = {side: neutral[source.groups[f"helper-{side}-eye"]].mean(axis=0) for side in SIDES}
    ex, ey = eye["l"][0], eye["l"][1]
    front = smooth_step(0.55, 0.85, z)

    tone = np.array(rgb(250, 216, 198))
    color = np.broadcast_to(tone, (*p.shape[:2], 3)).copy()
    color *= (1 + 0.008 * paint.noise(p.shape[:2], 1.2 * size / 2048, 1) + 0.008 * paint.noise(p.shape[:2], 14, 2))[
        ..., None
    ]
    hollow = smooth_step(0.6, 4.0, texels.cavity)
    # Hollows are painted only where light would not reach: nostrils, corners of the mouth, ears.
    deep = np.maximum(np.exp(-((x / 0.2) ** 2) - ((y - ey + 0.36) / 0.1) ** 2), smooth_step(0.6, 0.68, x))
    color = blend(color, rgb(200, 128, 112), 0.5 * hollow * deep)

    def spot(cx: float, cy: float, rx: float, ry: float) -> Floats:
        return np.exp(-(((x - cx) / rx) ** 2) - ((y - cy) / ry) ** 2) * front

    color = blend(color, rgb(243, 150, 146), 0.34 * spot(ex + 0.1, ey - 0.27, 0.2, 0.13))  # cheeks
    color = blend(color, rgb(242, 160, 150), 0.22 * spot(0, ey - 0.33, 0.11, 0.09))  # tip of the nose
    color = blend(color, rgb(240, 170, 156), 0.2 * spot(0, neutral[:13380, 1][_chin(neutral)], 0.14, 0.09))
    color = blend(
        color, rgb(244, 178, 164), 0.35 * smooth_step(0.58, 0.68, x) * smooth_step(1.0, 0.6, z) * (texels.island == 0)
    )
    color = blend(color, rgb(255, 236, 226), 0.4 * spot(ex + 0.02, ey - 0.15, 0.13, 0.05))  # light under the eyes
    color = blend(color, rgb(255, 238, 228), 0.35 * spot(0, ey - 0.12, 0.05, 0.2))  # bridge of the nose
    color = _paint_lids(source, neutral, p, color, front)
    color = _paint_brows(p, color, ex, ey, front)
    color = blend(color, rgb(44, 34, 42), 0.96 * _scalp(x, y - ey, z) * (texels.island == 0))
    color, gloss = _paint_lips(p, color, lip_mask)
    color = _paint_inside(texels, color)

    roughness = 0.52 - 0.1 * spot(0, ey - 0.2, 0.06, 0.25) - 0.06 * spot(0, ey + 0.5, 0.3, 0.25) - 0.22 * gloss
    roughness = np.where(texels.island == 1, 0.35, roughness)
    surface = np.stack([np.ones_like(roughness), roughness, np.zeros_like(roughness)], axis=-1)
    step = 2 if size >= 1024 else 1
    return SkinPictures(paint.jpeg(color, 91), paint.jpeg(surface[:: 2 * step, :: 2 * step], 88))


def _chin(neutral: Floats) -> int:
    middle = np.flatnonzero(
        (np.abs(neutral[:13380, 0]) < 0.03) & (neutral[:13380, 2] > 1.0) & (neutral[:13380, 1] > 5.0)
    )
    return int(middle[np.argmin(neutral[middle, 1])])


def _scalp(x: Floats, above_eyes: Floats, z: Floats) -> Floats:
    """1 where hair grows, fading over the hairline; x without sign."""
    hairline = 0.84 - 0.9 * x * x
    front = smooth_step(-0.05, 0.06, above_eyes - hairline)
    side = smooth_step(0.66, 0.56, z) * smooth_step(-0.35, -0.2, above_eyes)
    ear = np.exp(-(((z - 0.42) / 0.2) ** 2) - ((above_eyes + 0.2) / 0.3) ** 4) * smooth_step(0.6, 0.64, x)
    grown: Floats = np.maximum(front, side) * (1 - np.clip(1.5 * ear, 0, 1))
    return grown


def _drawing(ey: float) -> FrontDrawing:
    return FrontDrawing((-0.75, 0.75), (ey - 0.6, ey + 0.6), 1600)


def _paint_lids(source: Source, neutral: Floats, p: Floats, color: Floats, front: Floats) -> Floats:
    """Shadow on the upper lid, its crease, the lash line and a warm touch below the eye."""
    ey = float(neutral[source.groups["helper-l-eye"]].mean(axis=0)[1])
    crease, shade, line, below = (_drawing(ey) for _ in range(4))
    for side in SIDES:
        upper = curve(lash_grid(source, side, UPPER).edge(neutral), 60)
        lower = curve(lash_grid(source, side, LOWER).edge(neutral), 60)
        t = np.linspace(0, 1, 60)
        lift = 0.014 + 0.038 * np.sin(np.pi * np.clip(t * 0.92 + 0.04, 0, 1)) ** 0.8
        fold = upper + np.stack([np.zeros(60), lift, np.zeros(60)], axis=1)
        crease.polygon(ribbon(fold[4:], lambda s: 0.006 + 0.005 * s), 1.0)
        shade.polygon(np.concatenate([upper[:, :2], (fold + [0, 0.012, 0])[::-1, :2]]), 1.0)
        line.polygon(ribbon(upper + [0, 0.004, 0], lambda s: 0.01 + 0.016 * s), 1.0)
        below.polygon(ribbon(lower - [0, 0.012, 0], lambda s: 0.012 + 0.026 * s), 1.0)
    color = blend(color, rgb(214, 142, 128), 0.5 * shade.sample(p, 0.02) * front)
    color = blend(color, rgb(150, 84, 74), 0.62 * crease.sample(p, 0.004) * front)
    color = blend(color, rgb(206, 120, 108), 0.34 * below.sample(p, 0.012) * front)
    return blend(color, rgb(52, 32, 36), 0.85 * line.sample(p, 0.006) * front)


def _paint_brows(p: Floats, color: Floats, ex: float, ey: float, front: Floats) -> Floats:
    """Soft, rather straight brows: a powdered base under fine hairs."""
    base, hairs = _drawing(ey), _drawing(ey)
    generator = np.random.default_rng(3)
    spine = curve(np.array([[0.105, 0.222], [0.20, 0.252], [0.32, 0.268], [0.41, 0.252], [0.475, 0.212]]), 80)

    def width(t: Floats) -> Floats:
        return 0.044 * (0.75 + 0.25 * smooth_step(0, 0.15, t)) * (1 - 0.85 * smooth_step(0.45, 1.0, t)) + 0.004

    for sign in (1.0, -1.0):
        line = (spine + [0, ey]) * [sign, 1]
        base.polygon(ribbon(line, lambda t: width(t) * 0.8), 1.0)
        for _ in range(320):
            t = generator.uniform(0, 1) ** 0.9
            root = (np.array([np.interp(t, np.linspace(0, 1, 80), spine[:, k]) for k in (0, 1)])) + [0, ey]
            offset = generator.uniform(-0.5, 0.5)
            root = root + [0, offset * width(np.array(t))]
            angle = np.radians(np.interp(t, [0, 0.15, 0.5, 1], [72, 40, 12, -24]) - offset * 30)
            length = generator.uniform(0.03, 0.055) * (1 - 0.35 * t)
            tip = root + length * np.array([np.cos(angle), np.sin(angle)])
            stroke = np.linspace(root, tip, 5) * [sign, 1]
            hairs.polygon(ribbon(stroke, lambda s: 0.0038 * (1 - 0.8 * s)), 1.0)
    color = blend(color, rgb(104, 74, 72), 0.7 * base.sample(p, 0.012) * front)
    return blend(color, rgb(54, 38, 42), 0.72 * hairs.sample(p, 0.0016) * front)


def _paint_lips(p: Floats, color: Floats, mask: Floats) -> tuple[Floats, Floats]:
    """Lips that are deepest where they meet, and how much they gloss."""
    soft = ndimage.gaussian_filter(mask, 3 * p.shape[0] / 2048)
    inner = smooth_step(0.55, 1.0, ndimage.gaussian_filter(mask, 16 * p.shape[0] / 2048))
    color = blend(color, rgb(228, 140, 134), 0.62 * smooth_step(0.15, 0.85, soft))
    color = blend(color, rgb(204, 84, 92), 0.5 * inner)
    return color, soft


def _paint_inside(texels: SkinMap, color: Floats) -> Floats:
    """The inside of the mouth darkens towards the throat; the lids' inner rims are pink."""
    depth = smooth_step(1.15, 0.7, texels.position[..., 2])
    inside = blend(np.broadcast_to(np.array(rgb(168, 74, 74)), color.shape), rgb(46, 12, 16), depth)
    color = np.where((texels.island == 1)[..., None], inside, color)
    return np.where((texels.island == 2)[..., None], np.array(rgb(226, 160, 150)), color)


def material(pictures: SkinPictures, lite: bool) -> Material:
    extensions = {} if lite else {"KHR_materials_specular": {"specularFactor": 0.55}}
    return Material(
        "skin",
        roughness=1.0,
        metallic=0.0,
        textures={"baseColorTexture": pictures.color, "metallicRoughnessTexture": pictures.surface},
        extensions=extensions,
    )


def visible_skin(refined: RefinedMesh, keep: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> RefinedMesh:
    """The same mesh with only the triangles to `keep`."""
    return RefinedMesh(
        refined.matrix,
        refined.uvs,
        refined.triangles[keep],
        refined.triangle_uvs[keep],
        refined.triangle_faces[keep],
    )
