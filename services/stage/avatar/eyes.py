"""Her eyes: eyeballs with painted irises, and a thin shell that keeps highlight and lid shadow in place."""

import numpy as np
from scipy import sparse

from services.stage.avatar import paint
from services.stage.avatar.materials import Image, Material
from services.stage.avatar.paint import blend, rgb, smooth_step
from services.stage.avatar.part import Part
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats, Ints, Source

IRIS = 0.6  # of the eye's radius; a natural iris has about .5
PUPIL = 0.4  # of the iris
_BALL_SCALE = 0.985  # of the modelled eye, so that the lids never cut into it
_SHELL_SCALE = 1.006


def build(source: Source, neutral: Floats, rig: Rig, lite: bool) -> list[Part]:
    """The eyeballs (turned by the eye bones) and the shell before them (which stays with the head)."""
    rings, sectors = (10, 20) if lite else (18, 36)
    balls, shells = [], []
    for side, bone in (("l", "leftEye"), ("r", "rightEye")):
        vertices = neutral[source.groups[f"helper-{side}-eye"]]
        centre = vertices.mean(axis=0)
        radius = np.linalg.norm(vertices - centre, axis=1).mean() * _BALL_SCALE
        balls.append(_cap(centre, radius, 0.62 * np.pi, rings, sectors, len(rig.joints), rig.index(bone)))
        shells.append(
            _cap(centre, radius * _SHELL_SCALE, 0.3 * np.pi, rings // 3, sectors, len(rig.joints), rig.index("head"))
        )
    return [_join("eyes", "eyes", balls), _join("eyeLight", "eyeLight", shells)]


def materials(lite: bool) -> list[Material]:
    size = 256 if lite else 512
    extensions = {} if lite else {"KHR_materials_clearcoat": {"clearcoatFactor": 0.6, "clearcoatRoughnessFactor": 0.08}}
    return [
        Material(
            "eyes",
            roughness=0.25,
            textures={"baseColorTexture": eye_picture(size), "emissiveTexture": glow_picture(size // 2)},
            emissive=(0.5, 0.5, 0.5),
            extensions=extensions,
        ),
        Material(
            "eyeLight",
            roughness=1.0,
            alpha_mode="BLEND",
            textures={"baseColorTexture": shell_picture(size)},
            extensions={"KHR_materials_unlit": {}},
        ),
    ]


def _cap(
    centre: Floats, radius: float, angle: float, rings: int, sectors: int, bones: int, bone: int
) -> tuple[Floats, Floats, Floats, Ints, sparse.csr_matrix]:
    """A piece of a sphere around +Z down to `angle` from the pole; its uvs show it in front view."""
    polar = np.linspace(0, angle, rings + 1)[1:]
    around = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    p, a = (grid.ravel() for grid in np.meshgrid(polar, around, indexing="ij"))
    normals = np.concatenate(
        [[[0.0, 0.0, 1.0]], np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], 1)]
    )
    # Beyond the equator the front view would fold back; the white there is never seen in detail.
    spread = np.where(p < np.pi / 2, np.sin(p), 2 - np.sin(p))
    uvs = np.concatenate([[[0.5, 0.5]], np.stack([0.5 + spread * np.cos(a) / 2.2, 0.5 - spread * np.sin(a) / 2.2], 1)])
    triangles = [[0, 1 + s, 1 + (s + 1) % sectors] for s in range(sectors)]
    for ring in range(rings - 1):
        for s in range(sectors):
            inner, outer = 1 + ring * sectors, 1 + (ring + 1) * sectors
            t = (s + 1) % sectors
            triangles += [[inner + s, outer + s, outer + t], [inner + s, outer + t, inner + t]]
    skin = sparse.csr_matrix(
        (np.ones(len(normals)), (np.arange(len(normals)), np.full(len(normals), bone))), shape=(len(normals), bones)
    )
    return centre + normals * radius, normals, np.clip(uvs, 0, 1), np.array(triangles), skin


def _join(name: str, material: str, pieces: list[tuple[Floats, Floats, Floats, Ints, sparse.csr_matrix]]) -> Part:
    starts = np.cumsum([0] + [len(piece[0]) for piece in pieces])
    return Part(
        name,
        material,
        np.concatenate([piece[0] for piece in pieces]),
        np.concatenate([piece[1] for piece in pieces]),
        np.concatenate([piece[2] for piece in pieces]),
        np.concatenate([piece[3] + start for piece, start in zip(pieces, starts, strict=False)]),
        sparse.vstack([piece[4] for piece in pieces]).tocsr(),
    )


def _polar(size: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Per texel: x and y in eye radii (y up), distance and angle from the middle."""
    at = ((np.arange(size) + 0.5) / size - 0.5) * 2.2
    x, y = np.meshgrid(at, -at)
    return x, y, np.hypot(x, y), np.arctan2(y, x)


def eye_picture(size: int) -> Image:
    """White, iris and pupil in front view."""
    _, y, distance, angle = _polar(size)
    r = distance / IRIS  # 1 at the iris border
    white = np.array(rgb(243, 240, 240))
    picture = np.broadcast_to(white, (size, size, 3)).copy()
    picture = blend(picture, rgb(226, 190, 188), 0.5 * smooth_step(1.25, 1.75, r))
    # Fibres: random brightness per direction, a coarse and a fine set.
    generator = np.random.default_rng(7)
    turn = (angle / (2 * np.pi)) % 1
    fibres = sum(
        np.interp(turn + 0.02 * np.sin(9 * r + k), np.linspace(0, 1.02, 40 * k), generator.standard_normal(40 * k))
        for k in (1, 2, 4)
    )
    iris = np.broadcast_to(np.array(rgb(20, 34, 46)), picture.shape).copy()
    below = smooth_step(0.35, -0.9, y / IRIS)
    iris = blend(iris, rgb(38, 92, 110), smooth_step(1.0, 0.55, r) * (0.55 + 0.45 * below))
    iris = blend(iris, rgb(96, 190, 196), 0.85 * below * smooth_step(0.38, 0.62, r) * smooth_step(0.97, 0.7, r))
    iris = blend(iris, rgb(168, 122, 84), 0.35 * smooth_step(0.62, 0.42, r))
    iris *= (1 + 0.13 * np.clip(fibres, -2, 2) * smooth_step(0.35, 0.6, r))[..., None]
    iris = blend(iris, rgb(10, 16, 24), smooth_step(0.82, 0.98, r))
    iris = blend(iris, rgb(6, 8, 12), smooth_step(PUPIL + 0.05, PUPIL - 0.03, r))
    iris = blend(iris, rgb(8, 14, 20), 0.6 * smooth_step(-0.1, 0.85, y / IRIS))
    picture = blend(picture, iris, smooth_step(1.03, 0.96, r)[..., None][..., 0])
    return paint.jpeg(picture, 92)


def glow_picture(size: int) -> Image:
    """A faint light of its own in the lower iris, which keeps her eyes alive in the shade."""
    _, y, distance, _ = _polar(size)
    r = distance / IRIS
    amount = smooth_step(0.2, -0.8, y / IRIS) * smooth_step(0.4, 0.6, r) * smooth_step(0.95, 0.75, r)
    return paint.jpeg(np.array(rgb(40, 110, 116)) * amount[..., None], 90)


def shell_picture(size: int) -> Image:
    """Highlights and the shadow of the upper lid, transparent elsewhere."""
    x, y, _, _ = _polar(size)
    shadow = 0.55 * smooth_step(0.18, 0.62, y + 0.12 * x * x)
    big = smooth_step(0.115, 0.085, np.hypot((x - 0.19) / 1.0, (y - 0.2) / 1.15))
    small = 0.75 * smooth_step(0.06, 0.035, np.hypot(x + 0.2, y + 0.2))
    light = np.maximum(big, small)
    alpha = np.maximum(shadow * (1 - light), light)
    colour = light[..., None] * np.ones(3) + (1 - light)[..., None] * np.array(rgb(40, 22, 26))
    return paint.png(np.concatenate([colour, alpha[..., None]], axis=-1))
