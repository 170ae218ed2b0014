"""A finished piece of her body: one draw call."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy import sparse

from services.stage.avatar.source import Floats, Ints


@dataclass(frozen=True)
class Part:
    """Lengths in decimetres in model axes (Y up, +Z front, her left +X), like all modelling here."""

    name: str
    material: str
    positions: Floats  # (vertices, 3)
    normals: Floats  # (vertices, 3), unit
    uvs: Floats | None  # (vertices, 2), v down as in glTF; None where the material has no picture
    triangles: Ints  # (triangles, 3), counter-clockwise seen from outside
    skin: sparse.csr_matrix  # (vertices, bones), rows sum to 1
    tangents: Floats | None = None  # (vertices, 4) as in glTF
    morphs: Mapping[str, Floats] = field(default_factory=dict)  # ARKit name → offsets (vertices, 3)
    morph_normals: Mapping[str, Floats] = field(default_factory=dict)  # ARKit name → normal offsets
