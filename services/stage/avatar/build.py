"""The whole way from the source data to her file."""

from collections.abc import Callable

from services.stage.avatar import blendshapes, clothes, eyes, face, hair, lashes, mouth, rig, skin
from services.stage.avatar.assemble import assemble
from services.stage.avatar.source import Floats, Source

STEPS = ("face and body", "skin", "eyes, mouth, hair", "clothes", "file")


def build(source: Source, *, lite: bool, progress: Callable[[str], None]) -> bytes:
    """Her VRM 1.0 file. `lite`: same skeleton and shapes with fewer triangles and smaller pictures.

    `progress` is called with the name of each step as it begins.
    """
    progress("face and body")
    neutral, units = resting_face(source)
    units = blendshapes.with_closing_lids(source, neutral, units)
    skeleton = hair.with_springs(rig.build(source, neutral))

    progress("skin")
    face_part, skin_material = skin.build(source, neutral, units, skeleton, lite=lite)
    progress("eyes, mouth, hair")
    parts = [
        face_part,
        *eyes.build(source, neutral, skeleton, lite=lite),
        lashes.build(source, neutral, units, skeleton, lite=lite),
        *mouth.build(source, neutral, units, skeleton, lite=lite),
        hair.build(neutral[source.groups["body"]], skeleton, lite=lite),
    ]
    progress("clothes")
    parts += clothes.build(source, neutral, skeleton, lite=lite)
    materials = [
        skin_material,
        *eyes.materials(lite=lite),
        lashes.material(),
        *mouth.materials(),
        hair.material(lite=lite),
        *clothes.materials(lite=lite),
    ]
    progress("file")
    ground = float(min(part.positions[:, 1].min() for part in parts))
    return assemble(parts, skeleton, materials, ground)


def resting_face(source: Source) -> tuple[Floats, dict[str, Floats]]:
    """Her resting face and body (vertices, 3), and the offsets of each ARKit shape on it, in decimetres."""
    plain = mouth.settle(source, face.shape(source))
    centres = face.eye_centres(source, plain)
    shaped = face.with_large_eyes(plain, centres)
    units = {
        name: face.with_large_eyes(plain + offsets, centres) - shaped
        for name, offsets in blendshapes.source_shapes(source).items()
    }
    return face.at_rest(shaped, units)
