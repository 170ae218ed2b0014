"""Teeth and tongue."""

from collections.abc import Mapping

import numpy as np

from services.stage.avatar.materials import Material
from services.stage.avatar.part import Part
from services.stage.avatar.refine import refine
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats, Source
from services.stage.avatar.surface import corner_vertices, morphed, vertex_normals

_TEETH = ("helper-upper-teeth", "helper-lower-teeth")


def settle(source: Source, positions: Floats) -> Floats:
    """Teeth behind the lips, as narrow as her mouth, low enough to show in a smile; the tongue flat behind them."""
    settled = positions.copy()
    for group in _TEETH:
        row = source.groups[group]
        settled[row] = settled[row] * [0.74, 1.0, 1.0] - [0.0, 0.05, 0.03]
    tongue = source.groups["helper-tongue"]
    low = settled[tongue, 1].min()
    settled[tongue, 1] = low + (settled[tongue, 1] - low) * 0.72 - 0.08
    settled[tongue, 2] -= 0.06
    return settled


def build(source: Source, neutral: Floats, units: Mapping[str, Floats], rig: Rig, *, lite: bool) -> list[Part]:
    mesh = source.mesh
    teeth = np.concatenate([mesh.in_group(group) for group in _TEETH])
    tongue = mesh.in_group("helper-tongue")
    parts = []
    for name, faces, fine in (("teeth", teeth, not lite), ("tongue", tongue, False)):
        refined = refine(mesh, faces, faces if fine else faces[:0])
        vertex_of, _, triangles = corner_vertices(refined.triangles, np.zeros_like(refined.triangle_uvs))
        normals = vertex_normals(refined.matrix @ neutral, refined.triangles)[vertex_of]
        parts.append(morphed(name, name, refined.matrix[vertex_of], normals, triangles, neutral, units, rig))
    return parts


def materials() -> list[Material]:
    return [
        Material("teeth", roughness=0.25, color=(0.82, 0.8, 0.76, 1.0), emissive=(0.1, 0.095, 0.09)),
        Material("tongue", roughness=0.4, color=(0.55, 0.17, 0.17, 1.0)),
    ]
