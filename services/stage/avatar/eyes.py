"""Her eyes: eyeballs with painted irises, and a thin shell that keeps highlight and lid shadow in place."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from services.stage.avatar import paint
from services.stage.avatar.materials import Image, Material
from services.stage.avatar.paint import blend, rgb, smooth_step
from services.stage.avatar.part import Part
from services.stage.avatar.rig import Rig
from services.stage.avatar.sheet import Sheet, joined
from services.stage.avatar.source import Floats, Ints, Source

_IRIS = 0.6  # of the eye's radius; a natural iris has about .5
_PUPIL = 0.4  # of the iris
_BALL_SCALE = 0.97  # of the modelled eye, so that the lids never cut into it
_SHELL_SCALE = 1.006
_VIEW = 2.2  # width of the pictures, in eye radii


def build(source: Source, neutral: Floats, rig: Rig, *, lite: bool) -> list[Part]:
    """The eyeballs (turned by the eye bones) and the shell before them (which stays with the head)."""
    rings, sectors = (10, 20) if lite else (15, 32)
    balls, shells = [], []
    for side, bone in (("l", "leftEye"), ("r", "rightEye")):
        vertices = neutral[source.groups[f"helper-{side}-eye"]]
        centre = vertices.mean(axis=0)
        radius = float(np.linalg.norm(vertices - centre, axis=1).mean()) * _BALL_SCALE
        balls.append(_cap(centre, radius, 0.62 * np.pi, rings, sectors).hung_on(rig, bone))
        shells.append(_cap(centre, radius * _SHELL_SCALE, 0.3 * np.pi, rings // 3, sectors).hung_on(rig, "head"))
    return [joined(balls).part("eyes", "eyes"), joined(shells).part("eyeLight", "eyeLight")]


def materials(*, lite: bool) -> list[Material]:
    size = 256 if lite else 512
    extensions = {} if lite else {"KHR_materials_clearcoat": {"clearcoatFactor": 0.6, "clearcoatRoughnessFactor": 0.08}}
    return [
        Material(
            "eyes",
            roughness=0.25,
            textures={"baseColorTexture": _eye_picture(size), "emissiveTexture": _glow_picture(size // 2)},
            emissive=(0.5, 0.5, 0.5),
            extensions=extensions,
        ),
        Material(
            "eyeLight",
            roughness=1.0,
            alpha_mode="BLEND",
            textures={"baseColorTexture": _shell_picture(size)},
            extensions={"KHR_materials_unlit": {}},
        ),
    ]


@dataclass(frozen=True)
class _Cap:
    """A piece of a sphere."""

    positions: Floats  # (vertices, 3)
    normals: Floats
    uvs: Floats
    triangles: Ints

    def hung_on(self, rig: Rig, bone: str) -> Sheet:
        count = len(self.positions)
        columns = np.full(count, rig.index(bone))
        skin = sparse.csr_matrix((np.ones(count), (np.arange(count), columns)), shape=(count, len(rig.joints)))
        return Sheet(self.positions, self.normals, self.uvs, skin, self.triangles)


def _cap(centre: Floats, radius: float, angle: float, rings: int, sectors: int) -> _Cap:
    """The sphere around +Z down to `angle` from the pole; its uvs show it in front view."""
    polar = np.linspace(0, angle, rings + 1)[1:]
    around = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    p, a = (grid.ravel() for grid in np.meshgrid(polar, around, indexing="ij"))
    pole = np.array([[0.0, 0.0, 1.0]])
    normals = np.concatenate([pole, np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], axis=1)])
    # Beyond the equator the front view would fold back; the white there is never seen in detail.
    spread = np.where(p < np.pi / 2, np.sin(p), 2 - np.sin(p)) / _VIEW
    uvs = np.concatenate([[[0.5, 0.5]], np.stack([0.5 + spread * np.cos(a), 0.5 - spread * np.sin(a)], axis=1)])
    triangles = [[0, 1 + s, 1 + (s + 1) % sectors] for s in range(sectors)]
    for ring in range(rings - 1):
        inner, outer = 1 + ring * sectors, 1 + (ring + 1) * sectors
        for s in range(sectors):
            t = (s + 1) % sectors
            triangles += [[inner + s, outer + s, outer + t], [inner + s, outer + t, inner + t]]
    return _Cap(centre + normals * radius, normals, np.clip(uvs, 0, 1), np.array(triangles))


def _polar(size: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Per texel: x and y in eye radii (y up), distance and angle from the middle."""
    at = ((np.arange(size) + 0.5) / size - 0.5) * _VIEW
    x, y = np.meshgrid(at, -at)
    return x, y, np.hypot(x, y), np.arctan2(y, x)


def _eye_picture(size: int) -> Image:
    """White, iris and pupil in front view."""
    _, y, distance, angle = _polar(size)
    r = distance / _IRIS  # 1 at the iris border
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
    below = smooth_step(0.35, -0.9, y / _IRIS)
    iris = blend(iris, rgb(38, 92, 110), smooth_step(1.0, 0.55, r) * (0.55 + 0.45 * below))
    iris = blend(iris, rgb(96, 190, 196), 0.85 * below * smooth_step(0.38, 0.62, r) * smooth_step(0.97, 0.7, r))
    iris = blend(iris, rgb(168, 122, 84), 0.35 * smooth_step(0.62, 0.42, r))
    iris *= (1 + 0.13 * np.clip(fibres, -2, 2) * smooth_step(0.35, 0.6, r))[..., None]
    iris = blend(iris, rgb(10, 16, 24), smooth_step(0.82, 0.98, r))
    iris = blend(iris, rgb(6, 8, 12), smooth_step(_PUPIL + 0.05, _PUPIL - 0.03, r))
    iris = blend(iris, rgb(8, 14, 20), 0.6 * smooth_step(-0.1, 0.85, y / _IRIS))
    picture = blend(picture, iris, smooth_step(1.03, 0.96, r))
    return paint.jpeg(picture, 92)


def _glow_picture(size: int) -> Image:
    """A faint light of its own in the lower iris, which keeps her eyes alive in the shade."""
    _, y, distance, _ = _polar(size)
    r = distance / _IRIS
    amount = smooth_step(0.2, -0.8, y / _IRIS) * smooth_step(0.4, 0.6, r) * smooth_step(0.95, 0.75, r)
    return paint.jpeg(np.array(rgb(40, 110, 116)) * amount[..., None], 90)


def _shell_picture(size: int) -> Image:
    """Highlights and the shadow of the upper lid, transparent elsewhere."""
    x, y, _, _ = _polar(size)
    shadow = 0.55 * smooth_step(0.18, 0.62, y + 0.12 * x * x)
    big = smooth_step(0.115, 0.085, np.hypot(x - 0.19, (y - 0.2) / 1.15))
    small = 0.75 * smooth_step(0.06, 0.035, np.hypot(x + 0.2, y + 0.2))
    light = np.maximum(big, small)
    alpha = np.maximum(shadow * (1 - light), light)
    colour = light[..., None] * np.ones(3) + (1 - light)[..., None] * np.array(rgb(40, 22, 26))
    return paint.png(np.concatenate([colour, alpha[..., None]], axis=-1))
