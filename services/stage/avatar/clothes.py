"""Her clothes, grown from the base mesh's helper hull for tights."""

import numpy as np

from services.stage.avatar.materials import Material
from services.stage.avatar.part import Part
from services.stage.avatar.refine import refine
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats, Source
from services.stage.avatar.surface import vertex_normals


def build(source: Source, neutral: Floats, rig: Rig) -> list[Part]:
    """The suit."""
    mesh = source.mesh
    faces = mesh.in_group("helper-tights")
    refined = refine(mesh, faces, faces[:0])
    used, triangles = np.unique(refined.triangles, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    matrix = refined.matrix[used]
    positions = matrix @ neutral
    normals = vertex_normals(positions, triangles)
    uvs = np.zeros((len(used), 2))
    skin = (matrix @ rig.weights).tocsr()
    return [Part("suit", "suit", positions + 0.03 * normals, normals, uvs, triangles, skin)]


def materials() -> list[Material]:
    return [Material("suit", roughness=0.55, color=(0.02, 0.025, 0.04, 1.0))]
