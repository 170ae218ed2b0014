"""Painting helpers: attributes per texel, smooth noise, soft steps, front-view drawings, encoded pictures."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw
from scipy import ndimage
from scipy.interpolate import CubicSpline

from services.stage.avatar.materials import Image
from services.stage.avatar.source import Floats, Ints


def rasterise(uvs: Floats, triangles: Ints, attributes: Floats, size: int) -> Floats:
    """Attributes (vertices, k) spread over a texture of size × size texels; uvs have v down, 0 … 1.

    Texels outside every triangle take the value of the nearest covered one, so that filtering finds no seams.
    """
    image = np.zeros((size, size, attributes.shape[1]), dtype=np.float32)
    covered = np.zeros((size, size), dtype=bool)
    corners = uvs[triangles] * size - 0.5
    values = attributes[triangles].astype(np.float32)
    low = np.clip(np.floor(corners.min(axis=1)).astype(int), 0, size - 1)
    high = np.clip(np.ceil(corners.max(axis=1)).astype(int), 0, size - 1)
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    for t in np.flatnonzero(np.abs(areas) > 1e-9):
        x0, y0, x1, y1 = low[t, 0], low[t, 1], high[t, 0] + 1, high[t, 1] + 1
        x = np.arange(x0, x1)[None, :] - corners[t, 0, 0]
        y = np.arange(y0, y1)[:, None] - corners[t, 0, 1]
        b = (x * edge2[t, 1] - y * edge2[t, 0]) / areas[t]
        c = (y * edge1[t, 0] - x * edge1[t, 1]) / areas[t]
        inside = (b >= -1e-6) & (c >= -1e-6) & (b + c <= 1 + 1e-6)
        mix = np.stack([1 - b - c, b, c], axis=-1)[inside].astype(np.float32)
        image[y0:y1, x0:x1][inside] = mix @ values[t]
        covered[y0:y1, x0:x1] |= inside
    nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    filled: Floats = image[tuple(nearest)]
    return filled


def smooth_step(low: float, high: float, value: Floats) -> Floats:
    """0 below `low`, 1 above `high`, a smooth S between; `low` may be the larger one."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    result: Floats = t * t * (3 - 2 * t)
    return result


def noise(shape: tuple[int, ...], cell: float, seed: int) -> Floats:
    """Smooth random field with mean 0 and deviation 1; `cell` is the size of its blobs in texels."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), cell, mode="wrap")
    result: Floats = field / field.std()
    return result


def blend(image: Floats, color: tuple[float, float, float] | Floats, amount: Floats) -> Floats:
    """`image` (…, 3) moved towards `color` by `amount` (…), 0 … 1."""
    return image + (np.asarray(color) - image) * amount[..., None]


class FrontDrawing:
    """A picture drawn in front view: coordinates are x and y of the model in decimetres."""

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float], pixels_per_unit: float) -> None:
        self._origin = np.array([x_range[0], y_range[1]])
        self._scale = pixels_per_unit
        width = int((x_range[1] - x_range[0]) * pixels_per_unit)
        height = int((y_range[1] - y_range[0]) * pixels_per_unit)
        self._canvas = Pillow.new("L", (width, height), 0)
        self._draw = ImageDraw.Draw(self._canvas)

    def polygon(self, points: Floats) -> None:
        self._draw.polygon(self._pixels(points), fill=255)

    def sample(self, points: Floats, blur: float) -> Floats:
        """Darkness 0 … 1 at the x, y of points (…, ≥ 2), softened by `blur` units."""
        picture = ndimage.gaussian_filter(np.asarray(self._canvas, dtype=np.float32), blur * self._scale) / 255.0
        x = (points[..., 0] - self._origin[0]) * self._scale - 0.5
        y = (self._origin[1] - points[..., 1]) * self._scale - 0.5
        darkness: Floats = ndimage.map_coordinates(picture, [y, x], order=1, mode="constant")
        return darkness

    def _pixels(self, points: Floats) -> list[tuple[float, float]]:
        at = (points[:, :2] - self._origin) * [self._scale, -self._scale]
        return [(float(x), float(y)) for x, y in at]


def ribbon(line: Floats, width: Callable[[Floats], Floats]) -> Floats:
    """The outline of a stroke along a front-view polyline (n, 2); `width(t)` is its full width at t in 0 … 1."""
    along = np.gradient(line[:, :2], axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    half = width(np.linspace(0, 1, len(line)))[:, None] / 2
    return np.concatenate([line[:, :2] + across * half, (line[:, :2] - across * half)[::-1]])


def curve(points: Floats, count: int) -> Floats:
    """A smooth curve (count, k) through points (n, k), evenly spread over its length."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-9))])
    result: Floats = CubicSpline(at, points)(np.linspace(0, at[-1], count))
    return result


def jpeg(rgb: Floats, quality: int = 90) -> Image:
    """A picture in sRGB, (h, w, 3), 0 … 1, as JPEG without chroma subsampling."""
    stream = io.BytesIO()
    Pillow.fromarray(_bytes(rgb)).save(stream, "JPEG", quality=quality, subsampling=0, optimize=True)
    return Image(stream.getvalue(), "image/jpeg")


def png(pixels: Floats) -> Image:
    """Picture (h, w, 3 or 4), 0 … 1, as PNG."""
    stream = io.BytesIO()
    Pillow.fromarray(_bytes(pixels)).save(stream, "PNG", optimize=True)
    return Image(stream.getvalue(), "image/png")


def _bytes(pixels: Floats) -> NDArray[np.uint8]:
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def rgb(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """An sRGB colour given in 0 … 255 as 0 … 1."""
    return red / 255, green / 255, blue / 255
