"""Her hair: solid tapered locks, marched over the head from a side parting, so that ends are clean without transparency."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import ConvexHull

from services.stage.avatar import paint
from services.stage.avatar.gltf import Json
from services.stage.avatar.materials import Image, Material
from services.stage.avatar.paint import blend, rgb, smooth_step
from services.stage.avatar.part import Part
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats, Ints

_STEP = 0.06
_VARIANTS = 8  # columns of the strand picture; see hair_picture
_INNER = 7  # the column with the bright inner colour


class Skull:
    """A smooth convex stand-in for the hairy part of the head, ears included."""

    _SHARPNESS = 22.0

    def __init__(self, body: Floats, eye_height: float) -> None:
        x, y, z = np.abs(body[:, 0]), body[:, 1], body[:, 2]
        head = (y > eye_height - 1.0) & (x < 0.83)
        nose_and_mouth = (x < 0.3) & (z > 1.3) & (y < eye_height + 0.1)
        neck = (y < eye_height - 0.75) & (z < 0.9)
        points = body[head & ~nose_and_mouth & ~neck]
        self._planes = ConvexHull(points).equations
        self.centre = (points.max(axis=0) + points.min(axis=0)) / 2
        self.top = float(points[:, 1].max())

    def distance(self, points: Floats) -> tuple[Floats, Floats]:
        """Distance outside the skull (n,), negative inside, and the direction away from it (n, 3)."""
        reach = points @ self._planes[:, :3].T + self._planes[:, 3]
        share = np.exp(self._SHARPNESS * (reach - reach.max(axis=1, keepdims=True)))
        share /= share.sum(axis=1, keepdims=True)
        away = share @ self._planes[:, :3]
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        return (share * reach).sum(axis=1), away

    def surface(self, start: Floats, direction: Floats) -> Floats:
        """Where a ray from outside first meets the skull."""
        point = start.copy()
        for _ in range(80):
            gap = float(self.distance(point[None])[0][0])
            if gap < 1e-3:
                break
            point = point + direction * gap
        return point


@dataclass(frozen=True)
class Lock:
    path: Floats  # (steps, 3)
    away: Floats  # (steps, 3), unit, out of the head
    width: float
    thickness: float
    variant: int
    tip: float  # share of the length over which it tapers to its end
    blunt: float  # width of the very end, of the full width


@dataclass(frozen=True)
class _Run:
    """How one lock runs from its root."""

    heading: tuple[float, float, float]
    end_height: float  # it stops below this height
    lift: float  # distance it keeps from the skull
    stiffness: float = 0.8  # how long it keeps its heading, 0 … 1
    curl: float = 0.0  # inward turn over the last third
    wave: float = 0.0  # sideways sway, decimetres
    phase: float = 0.0
    longest: float = 4.5


def _march(skull: Skull, root: Floats, run: _Run, eye_height: float) -> tuple[Floats, Floats]:
    """The path of a lock (steps, 3) and the directions out of the head along it."""
    point = root - 0.07 * skull.distance(root[None])[1][0]
    heading = np.array(run.heading) / np.linalg.norm(run.heading)
    path, outward = [], []
    drop = max(root[1] - run.end_height, 0.1)
    for step in range(int(run.longest / _STEP)):
        distance, directions = skull.distance(point[None])
        gap, away = float(distance[0]), directions[0]
        aim = run.lift * min(1.0, 0.15 + step / 7)
        if gap < aim:
            point = point + away * (aim - gap) * 0.6
        point = _off_the_face(point, eye_height)
        path.append(point.copy())
        outward.append(away)
        if point[1] < run.end_height:
            break
        pull = np.array([0.0, -1.0, 0.0])
        late = np.clip(((root[1] - point[1]) / drop - 0.62) / 0.38, 0.0, 1.0)
        inward = np.array([-point[0], 0.0, 0.25 - point[2]])
        pull = pull + run.curl * late * inward / max(float(np.linalg.norm(inward)), 1e-6)
        # Hair clings to the head, most so beside the face, until it hangs free below it.
        cling = float(np.clip((away[1] + 0.45) / 0.35, 0.0, 1.0))
        point = point - away * 0.22 * cling * max(gap - aim, 0.0)
        pull = pull - away * 0.5 * cling * min(max(gap - aim, 0.0) / 0.12, 1.0)
        if gap < run.lift * 1.3:  # hair slides on the head, it does not sink in
            pull = pull - away * min(0.0, float(pull @ away))
            heading = heading - away * min(0.0, float(heading @ away))
        heading = run.stiffness * heading + (1 - run.stiffness) * pull
        heading /= np.linalg.norm(heading)
        point = point + heading * _STEP
    line, out = np.array(path), np.array(outward)
    line = ndimage.gaussian_filter1d(line, 2.0, axis=0, mode="nearest")
    if run.wave and len(line) > 3:
        along = np.linspace(0, 1, len(line))
        side = np.cross(np.gradient(line, axis=0), out)
        side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
        line = line + side * (run.wave * along * np.sin(run.phase + 7 * along))[:, None]
    return line, out


def _off_the_face(point: Floats, eye_height: float) -> Floats:
    """Hair before the face is moved sideways and back, past brows and cheeks."""
    below = eye_height + 0.3 - point[1]
    if point[2] < 0.75 or below <= 0 or abs(point[0]) < 0.22:
        return point
    least = 0.56 + 0.16 * min(below / 0.4, 1.0) - 0.08 * np.clip((below - 1.0) / 0.5, 0, 1)
    short = max(least - abs(point[0]), 0.0)
    back = 0.07 * (point[2] - 0.75) * min(below / 0.3, 1.0)
    return point + np.array([np.sign(point[0]) * short * 0.22, 0.0, -back])


def build(body: Floats, eye: Floats, rig: Rig, lite: bool) -> list[Part]:
    """The hair as one part."""
    skull = Skull(body, float(eye[1]))
    locks = style(skull, eye)
    pieces = [_mesh(lock, *_resolution(lock, lite)) for lock in locks]
    starts = np.cumsum([0] + [len(piece[0]) for piece in pieces])
    positions = np.concatenate([piece[0] for piece in pieces])
    head = sparse.csr_matrix(
        (np.ones(len(positions)), (np.arange(len(positions)), np.full(len(positions), rig.index("head")))),
        shape=(len(positions), len(rig.joints)),
    )
    return [
        Part(
            "hair",
            "hair",
            positions,
            np.concatenate([piece[1] for piece in pieces]),
            np.concatenate([piece[2] for piece in pieces]),
            np.concatenate([piece[3] + start for piece, start in zip(pieces, starts, strict=False)]),
            head,
        )
    ]


def style(skull: Skull, eye: Floats) -> list[Lock]:
    """All locks: bright inner layer, outer layers from the parting, fringe, and locks that frame the face."""
    generator = np.random.default_rng(21)
    locks: list[Lock] = []
    ey = float(eye[1])

    def vary(middle: float, spread: float) -> float:
        return float(middle + generator.uniform(-spread, spread))

    def parting(t: float) -> Floats:
        """From the forehead (0) to behind the crown (1), on her left."""
        above = np.array([0.17 * (1 - t) + 0.04 * t, skull.top + 0.5, 1.08 * (1 - t) + 0.02 * t])
        return skull.surface(above, np.array([0.0, -1.0, 0.0]))

    def add(root: Floats, run: _Run, width: float, variant: int, tip: float, blunt: float = 0.0) -> None:
        path, away = _march(skull, root, run, ey)
        if variant == _INNER:  # keeps inside the outer locks where all hang free
            inside = 1 - 0.12 * paint.smooth_step(ey - 0.3, ey - 1.2, path[:, 1])
            path = path * np.stack([inside, np.ones_like(inside), inside], axis=1)
        if len(path) >= 4:
            locks.append(Lock(path, away, width, 0.1 * width + 0.01, variant, tip, blunt))

    def end(azimuth: float) -> float:
        """Height of the ends of the bob, longer in front; azimuth 0 is the face, π the nape."""
        return float(ey - 1.42 + 0.3 * (1 - np.cos(azimuth)) / 2)

    def shade() -> int:
        return int(generator.integers(0, _INNER))

    # Inner layer, rooted in a ring around the head, shows below and between the outer locks.
    for azimuth in np.linspace(0.45 * np.pi, 1.55 * np.pi, 32):
        outward = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
        root = skull.surface(skull.centre + [0.0, 0.15, 0.0] + 3 * outward, -outward)
        run = _Run((0.0, -1.0, 0.0), end(azimuth) + vary(-0.06, 0.04), vary(0.03, 0.008), 0.5, 0.55, 0.03, vary(0, 3))
        add(root, run, 0.3, _INNER, 0.12, 0.5)
    # Outer layers: over the head from the parting, all around except the face.
    for layer, (lift, count, width) in enumerate(((0.05, 36, 0.36), (0.075, 42, 0.29), (0.1, 36, 0.22))):
        for k in range(count):
            azimuth = 0.3 * np.pi + 1.4 * np.pi * (k + 0.5 * (layer % 2) + vary(0.25, 0.2)) / count
            outward = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
            root = parting(float(np.clip(0.5 - 0.6 * np.cos(azimuth), 0.1, 1.0)))
            # Towards the face, roots lie further from the parting, so that no lock crosses the eyes.
            aside = 0.4 * max(0.0, float(np.cos(azimuth))) - 0.04
            root = skull.surface(root + [np.sign(outward[0]) * aside, 0.5, 0.0], np.array([0.0, -1.0, 0.0]))
            run = _Run(
                (float(outward[0]), 0.1, float(outward[2]) * 0.8),
                end(azimuth) + vary(0.04 * layer, 0.06),
                vary(lift, 0.012),
                0.8,
                0.9,
                0.03,
                vary(0, 3),
            )
            add(root, run, vary(width, 0.04), shade(), 0.16, 0.35 if layer < 2 else 0.12)
    # Fringe: a base that starts behind the hairline, then light locks swept to both sides of the parting, so that brows and eyes stay free.
    for k, across in enumerate(np.linspace(-1.0, 1.0, 16)):
        root = skull.surface(parting(0.34) + [0.16 * across, 0.3, 0.0], np.array([0.0, -1.0, 0.0]))
        heading = (0.95 * across, 0.25, 1.0)
        run = _Run(heading, ey + vary(0.4 - 0.5 * abs(across) ** 2, 0.04), 0.05 + 0.012 * (k % 2), 0.86, 0.0, 0.02, k)
        add(root, run, 0.24, shade(), 0.6)
    for k, across in enumerate(np.linspace(-1.0, 1.0, 26)):
        root = parting(vary(0.08, 0.05)) + [0.10 * across, 0.0, 0.0]
        reach = abs(across)
        run = _Run(
            (1.25 * across + vary(0, 0.06), 0.25, 1.0),
            ey + vary(0.22 - 0.5 * reach**2.4, 0.06),
            vary(0.06 + 0.02 * (k % 3), 0.01),
            0.87,
            0.0,
            0.035,
            vary(0, 3),
        )
        add(root, run, vary(0.1 + 0.04 * reach, 0.025), shade(), 0.65)
    # Locks in front of the ears that frame the face.
    for sign in (-1.0, 1.0):
        for k, across in enumerate((0.0, 0.35, 0.7, 1.0)):
            root = parting(0.12 + 0.1 * across) + [(0.3 + 0.1 * across) * sign - 0.1, 0.5, 0.0]
            root = skull.surface(root, np.array([0.0, -1.0, 0.0]))
            run = _Run(
                (sign, 0.1, 0.75 - 0.35 * across),
                ey - 0.75 - 0.5 * across + vary(0, 0.05),
                0.1 + 0.015 * (k % 2),
                0.86,
                0.25,
                0.03,
                vary(0, 3),
            )
            add(root, run, vary(0.22, 0.02), shade(), 0.45)
    return locks


def _resolution(lock: Lock, lite: bool) -> tuple[int, int]:
    """Rows and columns of a lock's grid: long and wide ones need more."""
    rows = int(np.clip(len(lock.path) * 0.42, 8, 15))
    columns = 3 if lock.variant == _INNER or lock.width < 0.16 else 5
    return (max(rows * 6 // 10, 6), 3) if lite else (rows, columns)


def _mesh(lock: Lock, rows: int, columns: int) -> tuple[Floats, Floats, Floats, Ints]:
    at = np.linspace(0, 1, rows) ** 1.15
    source = np.linspace(0, 1, len(lock.path))
    path = np.stack([np.interp(at, source, lock.path[:, k]) for k in range(3)], axis=1)
    away = np.stack([np.interp(at, source, lock.away[:, k]) for k in range(3)], axis=1)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, away)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, along)
    width = lock.width * _profile(at, lock.tip, lock.blunt)
    across = np.linspace(-1, 1, columns)
    bulge = 1 - across**2
    grid = (
        path[:, None]
        + side[:, None] * (across[None, :, None] * width[:, None, None] / 2)
        + up[:, None]
        * ((bulge - 0.5)[None, :, None] * (lock.thickness * np.minimum(1, width / lock.width * 1.5))[:, None, None])
    )
    down_u, down_v = np.gradient(grid, axis=(0, 1))
    normals = np.cross(down_v, down_u)
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-9)
    sign = np.sign((normals * away[:, None]).sum())
    # Mostly the head's own roundness, a little of each lock's: hair that shines as one soft body.
    normals = 0.45 * normals * sign + 0.55 * away[:, None]
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    uvs = np.stack(np.broadcast_arrays((lock.variant + 0.5 + 0.46 * across[None, :]) / _VARIANTS, at[:, None]), axis=-1)
    triangles = []
    for r in range(rows - 1):
        for c in range(columns - 1):
            a, b, d, e = r * columns + c, r * columns + c + 1, (r + 1) * columns + c, (r + 1) * columns + c + 1
            triangles += [[a, d, e], [a, e, b]]
    faces = np.array(triangles)
    corners = grid.reshape(-1, 3)[faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if (facing * normals.reshape(-1, 3)[faces[:, 0]]).sum() < 0:
        faces = faces[:, ::-1]
    return grid.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), faces


def _profile(at: Floats, tip: float, blunt: float) -> Floats:
    """Relative width from root to end."""
    root = 0.5 + 0.5 * np.clip(at / 0.3, 0, 1)
    end = blunt + (1 - blunt) * np.clip((1 - at) / tip, 0, 1) ** 0.6
    return np.maximum(root * end, 0.004)


def material(lite: bool) -> Material:
    size = 256 if lite else 1024
    color, bumps = _strands(size)
    extensions: dict[str, Json] = {
        "KHR_materials_specular": {"specularFactor": 0.8, "specularColorFactor": [1.0, 0.86, 0.8]}
    }
    if not lite:
        extensions["KHR_materials_anisotropy"] = {"anisotropyStrength": 0.4, "anisotropyRotation": np.pi / 2}
    textures = {"baseColorTexture": color} if lite else {"baseColorTexture": color, "normalTexture": bumps}
    return Material("hair", roughness=0.42, double_sided=True, textures=textures, extensions=extensions)


def _strands(size: int) -> tuple[Image, Image]:
    """Colour and bumps of the strands: one column per variant, roots at the top."""
    u, v = np.meshgrid((np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size)
    column = np.floor(u * _VARIANTS)
    generator = np.random.default_rng(5)
    drift = 0.0016 * np.sin(2 * np.pi * (v * 1.3 + column * 0.37))
    height = np.zeros_like(u)
    for strands, weight in ((60, 0.3), (170, 0.4), (420, 0.3)):
        knots = generator.standard_normal(strands)
        height += weight * np.interp((u + drift) % 1, np.linspace(0, 1, strands), knots)
    height /= height.std()
    root, body, tip = rgb(30, 24, 32), rgb(62, 47, 56), rgb(58, 70, 88)
    color = blend(np.broadcast_to(np.array(root), (size, size, 3)), body, smooth_step(0.02, 0.45, v))
    color = blend(color, tip, 0.6 * smooth_step(0.62, 1.0, v))
    inner = blend(np.broadcast_to(np.array(rgb(18, 40, 54)), color.shape), rgb(52, 150, 168), smooth_step(0.4, 1.0, v))
    color = np.where((column == _INNER)[..., None], inner, color)
    color = color * (1 + 0.16 * np.clip(height, -2, 2))[..., None]
    streak = smooth_step(1.0, 2.0, height) * smooth_step(0.1, 0.4, v)
    color = blend(color, rgb(118, 96, 108), 0.3 * streak * (column != _INNER))
    slope = np.gradient(height, axis=1) * 0.9
    normal = np.stack([-slope, np.zeros_like(slope), np.ones_like(slope)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return paint.jpeg(color, 88), paint.jpeg(normal[:size:2, ::1] * 0.5 + 0.5, 85)
