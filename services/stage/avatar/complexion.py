"""The painting of her skin: tone, blush, lids, brows, lips. All of it is a function of where a texel is on her face."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from services.stage.avatar import paint
from services.stage.avatar.lids import LOWER, SIDES, UPPER, lash_grid
from services.stage.avatar.materials import Image
from services.stage.avatar.paint import FrontDrawing, blend, curve, rgb, ribbon, smooth_step
from services.stage.avatar.source import Floats, Source

HEAD, MOUTH, SOCKETS, LIMBS = 0, 1, 2, 3  # kinds of skin

_BROW = np.array([[0.105, 0.222], [0.20, 0.252], [0.32, 0.268], [0.41, 0.252], [0.475, 0.212]])  # x, above the eyes


@dataclass(frozen=True)
class SkinMap:
    """What the painter knows of every texel."""

    position: Floats  # (size, size, 3), decimetres
    base_uv: Floats  # (size, size, 2), the source's texture coordinates, v up
    cavity: Floats  # (size, size): > 0 in hollows, < 0 on ridges
    island: Floats  # (size, size): HEAD, MOUTH, SOCKETS or LIMBS


@dataclass(frozen=True)
class SkinPictures:
    color: Image
    surface: Image  # glTF metallic-roughness


class _Face:
    """The texels in terms of her face: across from the middle, above the eyes, forward."""

    def __init__(self, neutral: Floats, eye: Floats, texels: SkinMap) -> None:
        self.points = texels.position
        self.eye_x, self.eye_y = float(eye[0]), float(eye[1])
        self.across = np.abs(texels.position[..., 0])
        self.above = texels.position[..., 1] - self.eye_y
        self.forward = texels.position[..., 2]
        self.front = smooth_step(0.55, 0.85, self.forward) * (texels.island == HEAD)
        self.is_head = texels.island == HEAD
        low = neutral[(np.abs(neutral[:, 0]) < 0.03) & (neutral[:, 2] > 1.0) & (neutral[:, 1] > 5.0), 1]
        self.chin = float(low.min()) - self.eye_y

    def spot(self, across: float, above: float, width: float, height: float) -> Floats:
        """A soft round spot, 1 in its middle, on both sides of the face."""
        spot: Floats = self.front * np.exp(
            -(((self.across - across) / width) ** 2) - ((self.above - above) / height) ** 2
        )
        return spot

    def drawing(self) -> FrontDrawing:
        return FrontDrawing((-0.75, 0.75), (self.eye_y - 0.6, self.eye_y + 0.6), 1600)


def paint_skin(source: Source, neutral: Floats, texels: SkinMap, lip_mask: Floats) -> SkinPictures:
    """Colour and roughness of the skin. `lip_mask` (size, size): 0 … 1."""
    body = neutral[source.groups["body"]]
    eye = neutral[source.groups["helper-l-eye"]].mean(axis=0)
    face = _Face(body, eye, texels)
    scale = texels.position.shape[0] / 2048
    color = _tone(face, texels, scale)
    color = _paint_lids(source, neutral, face, color)
    color = _paint_brows(face, color)
    color = blend(color, rgb(44, 34, 42), 0.96 * _scalp(face))
    lips = ndimage.gaussian_filter(lip_mask, 3 * scale)
    deepest = smooth_step(0.55, 1.0, ndimage.gaussian_filter(lip_mask, 16 * scale))
    color = blend(color, rgb(228, 140, 134), 0.62 * smooth_step(0.15, 0.85, lips))
    color = blend(color, rgb(204, 84, 92), 0.5 * deepest)
    color = blend(color, rgb(150, 66, 66), 0.9 * _between_the_lips(face, lip_mask, lips))
    color = _paint_inside(texels, color)

    roughness = 0.52 - 0.1 * face.spot(0, -0.2, 0.06, 0.25) - 0.06 * face.spot(0, 0.5, 0.3, 0.25) - 0.22 * lips
    roughness = np.where(texels.island == MOUTH, 0.35, roughness)
    surface = np.stack([np.ones_like(roughness), roughness, np.zeros_like(roughness)], axis=-1)
    return SkinPictures(paint.jpeg(color, 89), paint.jpeg(surface[::4, ::4], 88))


def _tone(face: _Face, texels: SkinMap, scale: float) -> Floats:
    """The skin itself, with its blush and its light and dark places."""
    shape = face.across.shape
    grain = 0.008 * paint.noise(shape, 1.2 * scale, 1) + 0.008 * paint.noise(shape, 14 * scale, 2)
    color = np.array(rgb(250, 216, 198)) * (1 + grain)[..., None]
    # Hollows are darker only where light does not reach: nostrils, corners of the mouth, ears.
    ears = smooth_step(0.6, 0.68, face.across) * smooth_step(1.0, 0.6, face.forward) * face.is_head
    nostrils = np.exp(-((face.across / 0.11) ** 4) - ((face.above + 0.375) / 0.045) ** 4)
    deep = np.maximum(nostrils, ears)
    color = blend(color, rgb(200, 128, 112), 0.26 * deep * smooth_step(1.0, 4.0, texels.cavity))
    color = blend(color, rgb(244, 178, 164), 0.35 * ears)
    color = blend(color, rgb(243, 150, 146), 0.34 * face.spot(face.eye_x + 0.1, -0.27, 0.2, 0.13))  # cheeks
    color = blend(color, rgb(242, 160, 150), 0.22 * face.spot(0, -0.33, 0.11, 0.09))  # tip of the nose
    color = blend(color, rgb(240, 170, 156), 0.2 * face.spot(0, face.chin, 0.14, 0.09))
    color = blend(color, rgb(255, 236, 226), 0.4 * face.spot(face.eye_x + 0.02, -0.15, 0.13, 0.05))  # below the eyes
    return blend(color, rgb(255, 238, 228), 0.35 * face.spot(0, -0.12, 0.05, 0.2))  # bridge of the nose


def _paint_lids(source: Source, neutral: Floats, face: _Face, color: Floats) -> Floats:
    """Shadow on the upper lid, its crease, the lash line and a warm touch below the eye."""
    crease, shade, line, below = (face.drawing() for _ in range(4))
    count = 60
    lift = 0.014 + 0.038 * np.sin(np.pi * np.linspace(0.04, 0.96, count)) ** 0.8
    up = np.array([0.0, 1.0, 0.0])
    for side in SIDES:
        upper = curve(lash_grid(source, side, UPPER).edge(neutral), count)
        lower = curve(lash_grid(source, side, LOWER).edge(neutral), count)
        fold = upper + lift[:, None] * up
        crease.polygon(ribbon(fold[4:], lambda t: 0.006 + 0.005 * t))
        shade.polygon(np.concatenate([upper, (fold + 0.012 * up)[::-1]]))
        line.polygon(ribbon(upper + 0.004 * up, lambda t: 0.01 + 0.016 * t))
        below.polygon(ribbon(lower - 0.012 * up, lambda t: 0.012 + 0.026 * t))
    color = blend(color, rgb(214, 142, 128), 0.5 * shade.sample(face.points, 0.02) * face.front)
    color = blend(color, rgb(150, 84, 74), 0.62 * crease.sample(face.points, 0.004) * face.front)
    color = blend(color, rgb(206, 120, 108), 0.34 * below.sample(face.points, 0.012) * face.front)
    return blend(color, rgb(52, 32, 36), 0.85 * line.sample(face.points, 0.006) * face.front)


def _brow_width(t: Floats) -> Floats:
    """Full width of the brow from the nose (0) to the temple (1)."""
    return 0.044 * (0.75 + 0.25 * smooth_step(0, 0.15, t)) * (1 - 0.85 * smooth_step(0.45, 1.0, t)) + 0.004


def _paint_brows(face: _Face, color: Floats) -> Floats:
    """Soft, rather straight brows: a powdered base under fine hairs."""
    base, hairs = face.drawing(), face.drawing()
    generator = np.random.default_rng(3)
    spine = curve(_BROW, 80)
    along = np.linspace(0, 1, len(spine))
    for sign in (1.0, -1.0):
        mirror = np.array([sign, 1.0])
        lifted = np.array([0.0, face.eye_y])
        base.polygon(ribbon((spine + lifted) * mirror, lambda t: _brow_width(t) * 0.8))
        for _ in range(320):
            t = generator.uniform(0, 1) ** 0.9
            offset = generator.uniform(-0.5, 0.5)
            root = np.array([np.interp(t, along, spine[:, 0]), np.interp(t, along, spine[:, 1]) + face.eye_y])
            root[1] += offset * float(_brow_width(np.array(t)))
            angle = np.radians(np.interp(t, [0, 0.15, 0.5, 1], [72, 40, 12, -24]) - offset * 30)
            length = generator.uniform(0.03, 0.055) * (1 - 0.35 * t)
            tip = root + length * np.array([np.cos(angle), np.sin(angle)])
            hairs.polygon(ribbon(np.linspace(root, tip, 5) * mirror, lambda t: 0.0038 * (1 - 0.8 * t)))
    color = blend(color, rgb(104, 74, 72), 0.7 * base.sample(face.points, 0.012) * face.front)
    return blend(color, rgb(54, 38, 42), 0.72 * hairs.sample(face.points, 0.0016) * face.front)


def _scalp(face: _Face) -> Floats:
    """1 where hair grows, fading over the hairline."""
    hairline = 0.84 - 0.9 * face.across**2
    front = smooth_step(-0.05, 0.06, face.above - hairline)
    side = smooth_step(0.66, 0.56, face.forward) * smooth_step(-0.35, -0.2, face.above)
    ear = np.exp(-(((face.forward - 0.42) / 0.2) ** 2) - ((face.above + 0.2) / 0.3) ** 4)
    ear = ear * smooth_step(0.6, 0.64, face.across)
    grown: Floats = face.is_head * np.maximum(front, side) * (1 - np.clip(1.5 * ear, 0, 1))
    return grown


def _between_the_lips(face: _Face, lip_mask: Floats, lips: Floats) -> Floats:
    """1 where the lips meet in shadow: their inner sides, and the corners of the mouth. `lips`: the mask softened."""
    red = lip_mask > 0.5
    corner = face.points[red & (face.across == face.across[red].max())].mean(axis=0)
    across, above, forward = face.across - abs(corner[0]), face.points[..., 1] - corner[1], face.forward - corner[2]
    near = np.exp(-((across / 0.022) ** 2) - (above / 0.014) ** 2 - (forward / 0.03) ** 2) * smooth_step(
        0.15, 0.7, lips
    )
    inner = smooth_step(0.0, -0.02, forward) * smooth_step(0.005, 0.0, across) * smooth_step(0.03, 0.015, np.abs(above))
    result: Floats = np.maximum(near, inner) * face.is_head
    return result


def _paint_inside(texels: SkinMap, color: Floats) -> Floats:
    """The inside of the mouth darkens towards the throat; the lids' inner rims are pink."""
    depth = smooth_step(1.15, 0.7, texels.position[..., 2])
    inside = blend(np.broadcast_to(np.array(rgb(168, 74, 74)), color.shape), rgb(46, 12, 16), depth)
    color = np.where((texels.island == MOUTH)[..., None], inside, color)
    return np.where((texels.island == SOCKETS)[..., None], np.array(rgb(226, 160, 150)), color)
