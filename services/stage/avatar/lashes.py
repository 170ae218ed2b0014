"""Lashes as tapered solid hairs on the lash strips, so that they follow every movement of the lids."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy import sparse

from services.stage.avatar.lids import LOWER, SIDES, UPPER, LashGrid, lash_grid
from services.stage.avatar.materials import Material
from services.stage.avatar.part import Part
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats, Ints, Source
from services.stage.avatar.surface import morphed

_STEPS = 4  # segments per hair
_BAND = 40  # columns of the dark line along the lid
_CLEARANCE = 0.006  # from the skin, decimetres


def build(source: Source, neutral: Floats, units: Mapping[str, Floats], rig: Rig, *, lite: bool) -> Part:
    """The lashes of both eyes as one part."""
    matrices, triangles, normals, start = [], [], [], 0
    for side in SIDES:
        eye = neutral[source.groups[f"helper-{side}-eye"]].mean(axis=0)
        for strip in (UPPER, LOWER):
            matrix, faces = _strip(lash_grid(source, side, strip), strip, len(neutral), lite=lite)
            # Shaded as if they stood on the eyeball: evenly dark, without flicker.
            out = matrix @ neutral - eye
            normals.append(out / np.linalg.norm(out, axis=1, keepdims=True))
            matrices.append(matrix)
            triangles.append(faces + start)
            start += matrix.shape[0]
    matrix = sparse.vstack(matrices).tocsr()
    part = morphed("lashes", "lashes", matrix, np.concatenate(normals), np.concatenate(triangles), neutral, units, rig)
    return replace(part, positions=part.positions + _CLEARANCE * part.normals)


def material() -> Material:
    return Material("lashes", roughness=0.9, color=(0.012, 0.008, 0.009, 1.0), double_sided=True)


def _strip(grid: LashGrid, strip: str, vertex_count: int, *, lite: bool) -> tuple[sparse.csr_matrix, Ints]:
    """Rows of base-vertex weights and triangles for the hairs and the dark line of one strip."""
    upper = strip == UPPER
    count = (16 if lite else 44) if upper else (0 if lite else 10)
    pieces = [_line(grid, vertex_count, 0.15 if upper else 0.025)]
    generator = np.random.default_rng(11 if upper else 12)
    for k in range(count):
        root = (k + 0.5) / count
        root = 0.06 + 0.94 * root if upper else 0.42 + 0.55 * root
        # Longest in the outer third, short towards the nose.
        reach = (0.6 + 0.6 * root if upper else 0.5 + 0.25 * root) * generator.uniform(0.88, 1.12)
        lean = (0.05 * (root - 0.35) + generator.uniform(-0.008, 0.008)) * (1.0 if upper else 0.6)
        pieces.append(
            _hair(grid, vertex_count, root, reach * (0.72 if upper else 0.26), lean, 0.0085 if upper else 0.007)
        )
    starts = np.cumsum([0] + [piece[0].shape[0] for piece in pieces])
    matrix = sparse.vstack([piece[0] for piece in pieces]).tocsr()
    return matrix, np.concatenate([piece[1] + start for piece, start in zip(pieces, starts, strict=False)])


def _line(grid: LashGrid, vertex_count: int, thickness: float) -> tuple[sparse.csr_matrix, Ints]:
    u = np.linspace(0.0, 1.0, _BAND)
    # Thin at the nose, full over the iris, drawn out at the temple.
    width = thickness * (0.25 + 0.75 * np.clip(u * 2.2, 0, 1)) * (1 + 0.5 * np.clip((u - 0.7) / 0.3, 0, 1))
    rows = [grid.at(u, np.zeros(_BAND), vertex_count), grid.at(u, width, vertex_count)]
    triangles = [
        triangle for k in range(_BAND - 1) for triangle in ([k, k + 1, _BAND + k], [k + 1, _BAND + k + 1, _BAND + k])
    ]
    return sparse.vstack(rows).tocsr(), np.array(triangles)


def _hair(
    grid: LashGrid, vertex_count: int, root: float, reach: float, lean: float, width: float
) -> tuple[sparse.csr_matrix, Ints]:
    v = np.linspace(0, reach, _STEPS + 1)
    along = v / reach
    middle = root + lean * along**1.6 * 2
    half = width * (1 - along**1.5) + 0.0004
    rows = [grid.at(middle - half, v, vertex_count), grid.at(middle + half, v, vertex_count)]
    triangles = [
        triangle
        for k in range(_STEPS)
        for triangle in ([k, k + 1, _STEPS + 1 + k], [k + 1, _STEPS + 2 + k, _STEPS + 1 + k])
    ]
    return sparse.vstack(rows).tocsr(), np.array(triangles)
