"""The pictures of her clothes: panels, seams, folds and weave, and where each piece of cloth lies on them."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from services.stage.avatar import paint
from services.stage.avatar.gltf import Json
from services.stage.avatar.materials import Image, Material
from services.stage.avatar.paint import blend, rgb, smooth_step
from services.stage.avatar.source import Floats


@dataclass(frozen=True)
class Patch:
    """A rectangle of a picture, in texture coordinates."""

    left: float
    top: float
    right: float
    bottom: float

    def place(self, across: Floats, down: Floats) -> Floats:
        """Texture coordinates (n, 2) of points given as 0 … 1 across and down the patch."""
        u = self.left + np.clip(across, 0, 1) * (self.right - self.left)
        v = self.top + np.clip(down, 0, 1) * (self.bottom - self.top)
        return np.stack([u, v], axis=1)

    def of(self, size: int) -> tuple[slice, slice, Floats, Floats]:
        """Rows and columns of the patch on a picture, and across and down of its texels."""
        rows = slice(round(self.top * size), round(self.bottom * size))
        columns = slice(round(self.left * size), round(self.right * size))
        across = (np.arange(columns.stop - columns.start) + 0.5) / (columns.stop - columns.start)
        down = (np.arange(rows.stop - rows.start) + 0.5) / (rows.stop - rows.start)
        across, down = np.meshgrid(across, down)
        return rows, columns, across, down


# Jacket picture. Across is 0 in front (or outside) and 1 behind (or inside).
TRUNK = Patch(0.0, 0.0, 0.60, 0.80)
SLEEVE = Patch(0.62, 0.0, 1.0, 0.80)
COLLAR = Patch(0.0, 0.82, 0.60, 1.0)
BOOTS = Patch(0.62, 0.82, 1.0, 1.0)
# Suit picture.
SUIT = Patch(0.0, 0.0, 1.0, 1.0)

_WHITE, _SHADE, _DARK = rgb(224, 228, 236), rgb(176, 186, 204), rgb(34, 38, 52)


def materials(*, lite: bool) -> list[Material]:
    size = 256 if lite else 1024
    jacket, jacket_bumps = _jacket(size)
    suit, suit_bumps = _suit(size)
    sheen: dict[str, Json] = {}
    if not lite:
        sheen["KHR_materials_sheen"] = {"sheenColorFactor": [0.12, 0.13, 0.15], "sheenRoughnessFactor": 0.6}
    return [
        Material(
            "jacket", 0.6, double_sided=True, textures=_textures(jacket, jacket_bumps, lite=lite), extensions=sheen
        ),
        Material("suit", 0.58, double_sided=True, textures=_textures(suit, suit_bumps, lite=lite)),
    ]


def _textures(color: Image, bumps: Image, *, lite: bool) -> dict[str, Image]:
    return {"baseColorTexture": color} if lite else {"baseColorTexture": color, "normalTexture": bumps}


def _line(value: Floats, at: float, width: float) -> Floats:
    """1 on a line where `value` = `at`, falling to 0 over `width`."""
    result: Floats = np.exp(-(((value - at) / width) ** 2))
    return result


def _jacket(size: int) -> tuple[Image, Image]:
    color = np.broadcast_to(np.array(_WHITE), (size, size, 3)).copy()
    height = np.zeros((size, size))

    rows, columns, across, down = TRUNK.of(size)
    yoke = smooth_step(0.345, 0.335, down + 0.1 * np.abs(across - 0.5))
    side = smooth_step(0.02, 0.0, np.abs(across - 0.5) - 0.085 - 0.04 * down) * (1 - yoke)
    hem = smooth_step(0.93, 0.935, down)
    piece = blend(color[rows, columns], _SHADE, 0.9 * yoke)
    piece = blend(piece, _SHADE, 0.55 * side)
    piece = blend(piece, _DARK, hem)
    color[rows, columns] = piece
    folds = _folds(across.shape, (26, 9), 31) * smooth_step(0.35, 0.8, down) * 0.7
    ribs = 0.5 * np.sin(across * 2 * np.pi * 90) * hem
    height[rows, columns] = folds + ribs + 1.2 * (_edge(yoke) + _edge(side) + _edge(hem)) * -1

    rows, columns, across, down = SLEEVE.of(size)
    cuff = smooth_step(0.765, 0.775, down)
    stripe = smooth_step(0.02, 0.0, np.abs(across - 0.0) - 0.13) * (1 - cuff) * smooth_step(0.2, 0.21, down)
    piece = blend(color[rows, columns], _SHADE, 0.9 * stripe)
    color[rows, columns] = blend(piece, _DARK, cuff)
    bend = _line(down, 0.56, 0.12) + 0.6 * _line(down, 0.75, 0.06) + 0.5 * _line(down, 0.2, 0.08)
    folds = _folds(across.shape, (5, 22), 32) * bend * smooth_step(0.0, 0.4, across + 0.15)
    height[rows, columns] = 1.5 * folds - 1.2 * (_edge(stripe) + _edge(cuff)) + 0.5 * np.sin(across * 160) * cuff

    rows, columns, across, down = COLLAR.of(size)
    height[rows, columns] = 0.35 * np.sin(down * 2 * np.pi * 5)

    rows, columns, across, down = BOOTS.of(size)
    sole = smooth_step(0.93, 0.94, down)
    band = smooth_step(0.02, 0.0, np.abs(down - 0.12) - 0.05)
    piece = blend(color[rows, columns], _DARK, np.maximum(sole, band))
    color[rows, columns] = piece
    height[rows, columns] = -1.0 * (_edge(sole) + _edge(band))

    weave = paint.noise((size, size), 0.8 * size / 1024, 33)
    color *= (1 + 0.012 * weave)[..., None]
    return paint.jpeg(color, 88), _normals(height + 0.05 * weave, size)


def _suit(size: int) -> tuple[Image, Image]:
    _, _, across, down = SUIT.of(size)
    color = np.broadcast_to(np.array(rgb(32, 36, 50)), (size, size, 3)).copy()
    panel = smooth_step(0.004, 0.0, np.abs(across - 0.09) - 0.03) * smooth_step(0.42, 0.4, down)
    color = blend(color, rgb(46, 52, 72), 0.8 * panel)
    seam = _line(across, 0.12, 0.0015) + _line(across, 0.5, 0.002) + _line(across, 0.0, 0.002)
    color = blend(color, rgb(14, 16, 24), 0.8 * np.clip(seam, 0, 1))
    hexes = _hexagons(across * 120, down * 340)
    height = 0.3 * hexes - 1.2 * seam
    return paint.jpeg(color, 88), _normals(height + 0.04 * paint.noise((size, size), 0.8, 34), size)


def _folds(shape: tuple[int, ...], stretch: tuple[float, float], seed: int) -> Floats:
    """Soft creases: noise drawn out along one direction, ridged. `stretch`: blob size down and across, in 1/256."""
    scale = shape[0] / 256
    field = np.random.default_rng(seed).standard_normal(shape)
    field = ndimage.gaussian_filter(field, (stretch[0] * scale / 2, stretch[1] * scale / 2), mode="reflect")
    field /= field.std()
    result: Floats = 1.6 * np.tanh(1.2 * field)
    return result


def _edge(mask: Floats) -> Floats:
    """1 along the border of a mask."""
    soft = ndimage.gaussian_filter(mask, 1.2)
    result: Floats = np.clip(4 * soft * (1 - soft), 0, 1)
    return result


def _hexagons(x: Floats, y: Floats) -> Floats:
    """A honeycomb of pads, 1 in the middles and 0 on the borders, cells about one unit wide."""
    waves = [np.cos(2 * np.pi * (x * np.cos(a) + y * np.sin(a) * 0.577)) for a in (0, 2 * np.pi / 3, 4 * np.pi / 3)]
    result: Floats = np.clip(np.sum(waves, axis=0) / 3 + 0.5, 0, 1) ** 0.5
    return result


def _normals(height: Floats, size: int) -> Image:
    """A tangent-space normal picture of a height field in texels."""
    soft = ndimage.gaussian_filter(height, 0.7)
    down, across = np.gradient(soft * 2.2 * 1024 / size / 2)
    normal = np.stack([-across, down, np.ones_like(soft)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return paint.jpeg(normal * 0.5 + 0.5, 85)
