"""Her hair as solid tapered locks, so that its ends are clean without transparency, and the bones that let it swing."""

import numpy as np
from scipy import sparse

from services.stage.avatar import hairstyle, paint
from services.stage.avatar.gltf import Json
from services.stage.avatar.hairstyle import INNER, Lock
from services.stage.avatar.materials import Image, Material
from services.stage.avatar.paint import blend, rgb, smooth_step
from services.stage.avatar.part import Part
from services.stage.avatar.rig import Joint, Rig
from services.stage.avatar.skull import Skull
from services.stage.avatar.source import Floats, Ints

_VARIANTS = hairstyle.SHADES + 1  # columns of the strand picture

# Chains of spring joints around the head: azimuth in turns (0 face, 0.5 nape) and, below the eyes, the joints' heights.
_CHAINS = (-0.43, -0.31, -0.2, -0.11, 0.11, 0.2, 0.31, 0.43)
_LEVELS = (0.28, 0.72, 1.1, 1.45)


def with_springs(rig: Rig) -> Rig:
    """The rig with the chains of spring joints under the head."""
    head, eye = rig.position("head"), rig.position("leftEye")
    joints, chains = list(rig.joints), []
    for number, turn in enumerate(_CHAINS):
        angle = 2 * np.pi * turn
        names = [f"hair{number}-{level}" for level in range(len(_LEVELS))]
        for level, (name, drop) in enumerate(zip(names, _LEVELS, strict=True)):
            spot = np.array([0.72 * np.sin(angle), eye[1] - drop, head[2] + 0.05 + 0.6 * np.cos(angle)])
            joints.append(Joint(name, "head" if level == 0 else names[level - 1], spot))
        chains.append(names)
    return Rig(joints, rig.weights, chains)


def build(body: Floats, rig: Rig, *, lite: bool) -> Part:
    """All locks as one part. `body`: positions of the body's vertices."""
    skull = Skull(body, float(rig.position("leftEye")[1]))
    pieces = [_mesh(lock, *_resolution(lock, lite=lite)) for lock in hairstyle.locks(skull)]
    starts = np.cumsum([0] + [len(piece[0]) for piece in pieces])
    positions = np.concatenate([piece[0] for piece in pieces])
    triangles = np.concatenate([piece[4] + start for piece, start in zip(pieces, starts, strict=False)])
    normals, tangents, uvs = (np.concatenate([piece[k] for piece in pieces]) for k in (1, 2, 3))
    skin = _swing(positions, rig)
    # The lite look has no bumps.
    return Part("hair", "hair", positions, normals, uvs, triangles, skin, tangents=None if lite else tangents)


def _swing(positions: Floats, rig: Rig) -> sparse.csr_matrix:
    """Bone weights: the head above, the two nearest chains below."""
    count, chains, levels = len(positions), len(_CHAINS), len(_LEVELS) - 1  # the last joint only ends the chain
    eye, head = rig.position("leftEye"), rig.position("head")
    turn = np.arctan2(positions[:, 0], positions[:, 2] - head[2] - 0.05) / (2 * np.pi)
    at = np.interp(turn, _CHAINS, np.arange(chains))
    behind = np.abs(turn) > _CHAINS[-1]  # between the last chain and the first
    share = np.where(behind, ((turn - _CHAINS[-1]) % 1) / (1 - 2 * _CHAINS[-1]), at % 1)
    first = np.where(behind, chains - 1, np.clip(np.floor(at), 0, chains - 1)).astype(int)
    depth = np.interp(eye[1] - positions[:, 1], (_LEVELS[0] - 0.15, *_LEVELS[:-1][1:], _LEVELS[-1]), (-1, 0.6, 1.4, 2))
    rows = np.arange(count)
    dense = np.zeros((count, len(rig.joints)))
    for chain, part in ((first, 1 - share), ((first + 1) % chains, share)):
        for level in range(-1, levels):
            near = np.clip(1 - np.abs(depth - level), 0, 1) * part
            if level < 0:
                dense[:, rig.index("head")] += near
            else:
                columns = np.array([rig.index(f"hair{number}-{level}") for number in range(chains)])
                np.add.at(dense, (rows, columns[chain]), near)
    return sparse.csr_matrix(dense / dense.sum(axis=1, keepdims=True))


def _resolution(lock: Lock, *, lite: bool) -> tuple[int, int]:
    """Rows and columns of a lock's grid: long and wide ones need more."""
    rows = int(np.clip(len(lock.path) * 0.42, 8, 15))
    columns = 3 if lock.shade == INNER or lock.width < 0.16 else 5
    return (max(rows * 6 // 10, 6), 3) if lite else (rows, columns)


def _mesh(lock: Lock, rows: int, columns: int) -> tuple[Floats, Floats, Floats, Floats, Ints]:
    """Positions, normals, tangents, texture coordinates and triangles of a bulging ribbon."""
    at = np.linspace(0, 1, rows) ** 1.15
    source = np.linspace(0, 1, len(lock.path))
    path, away = (
        np.stack([np.interp(at, source, line[:, k]) for k in range(3)], axis=1) for line in (lock.path, lock.away)
    )
    along = _unit(np.gradient(path, axis=0))
    side = _unit(np.cross(along, away))
    up = np.cross(side, along)
    width = lock.width * _profile(at, lock.tip, lock.blunt)
    across = np.linspace(-1, 1, columns)
    height = (0.1 * lock.width + 0.01) * np.minimum(1, width / lock.width * 1.5)
    grid = path[:, None] + side[:, None] * (across[None, :] * width[:, None] / 2)[..., None]
    grid = grid + up[:, None] * ((0.5 - across**2)[None, :] * height[:, None])[..., None]
    # Mostly the head's own roundness, a little of each lock's: hair that shines as one soft body.
    own = _unit(up[:, None] + side[:, None] * (1.1 * across)[None, :, None])
    normals = _unit(0.45 * own + 0.55 * away[:, None])
    tangents = _unit(side[:, None] - normals * (side[:, None] * normals).sum(axis=-1, keepdims=True))
    tangents = np.concatenate([tangents, np.ones((rows, columns, 1))], axis=-1)
    u = (lock.shade + 0.5 + 0.46 * across) / _VARIANTS
    uvs = np.stack(np.broadcast_arrays(u[None, :], at[:, None]), axis=-1)
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel(), corner[1:, :-1].ravel(), corner[1:, 1:].ravel()
    triangles = np.concatenate([np.stack([a, c, d], axis=1), np.stack([a, d, b], axis=1)])
    if (np.cross(along, side)[0] * up[0]).sum() < 0:
        triangles = triangles[:, ::-1]
    return grid.reshape(-1, 3), normals.reshape(-1, 3), tangents.reshape(-1, 4), uvs.reshape(-1, 2), triangles


def _unit(vectors: Floats) -> Floats:
    result: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return result


def _profile(at: Floats, tip: float, blunt: float) -> Floats:
    """Relative width from root to end."""
    root = 0.22 + 0.78 * np.clip(at / 0.22, 0, 1)
    end = blunt + (1 - blunt) * np.clip((1 - at) / tip, 0, 1) ** 0.6
    return np.maximum(root * end, 0.004)


def material(*, lite: bool) -> Material:
    color, bumps = _strands(256 if lite else 1024)
    textures = {"baseColorTexture": color}
    extensions: dict[str, Json] = {}
    if not lite:
        textures["normalTexture"] = bumps
        extensions["KHR_materials_specular"] = {"specularFactor": 0.4, "specularColorFactor": [1.0, 0.8, 0.84]}
        extensions["KHR_materials_anisotropy"] = {"anisotropyStrength": 0.45, "anisotropyRotation": 1.5708}
    return Material("hair", roughness=0.48, double_sided=True, textures=textures, extensions=extensions)


def _strands(size: int) -> tuple[Image, Image]:
    """Colour and bumps of the strands: one column per shade, roots at the top."""
    u, v = np.meshgrid((np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size)
    column = np.floor(u * _VARIANTS)
    generator = np.random.default_rng(5)
    drift = 0.0016 * np.sin(2 * np.pi * (v * 1.3 + column * 0.37))
    height = np.zeros_like(u)
    for strands, weight in ((60, 0.3), (170, 0.4), (420, 0.3)):
        knots = generator.standard_normal(strands)
        height += weight * np.interp((u + drift) % 1, np.linspace(0, 1, strands), knots)
    height /= height.std()
    root, body, tip = rgb(30, 24, 30), rgb(60, 46, 54), rgb(50, 54, 70)
    color = blend(np.broadcast_to(np.array(root), (size, size, 3)), body, smooth_step(0.02, 0.45, v))
    color = blend(color, tip, 0.6 * smooth_step(0.62, 1.0, v))
    inner = blend(np.broadcast_to(np.array(rgb(18, 40, 54)), color.shape), rgb(52, 150, 168), smooth_step(0.4, 1.0, v))
    color = np.where((column == INNER)[..., None], inner, color)
    color = color * (1 + 0.16 * np.clip(height, -2, 2))[..., None]
    streak = smooth_step(1.0, 2.0, height) * smooth_step(0.1, 0.4, v)
    color = blend(color, rgb(112, 80, 96), 0.26 * streak * (column != INNER))
    shine = np.exp(-(((v - 0.3) / 0.1) ** 2)) * np.clip(0.55 + 0.35 * height, 0, 1)
    color = blend(color, rgb(126, 88, 106), 0.26 * shine * (column != INNER))
    slope = 0.45 * (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1))
    normal = _unit(np.stack([-slope, np.zeros_like(slope), np.ones_like(slope)], axis=-1))
    return paint.jpeg(color, 88), paint.jpeg(normal[::2] * 0.5 + 0.5, 85)
