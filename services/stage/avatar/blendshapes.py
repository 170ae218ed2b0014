"""The 52 ARKit face shapes on her face."""

from services.stage.avatar.source import Floats, Source

_SIDED = (
    "eyeBlink eyeLookDown eyeLookIn eyeLookOut eyeLookUp eyeSquint eyeWide mouthSmile mouthFrown mouthDimple "
    "mouthStretch mouthPress mouthLowerDown mouthUpperUp browDown browOuterUp cheekSquint noseSneer"
).split()
_CENTRE = (
    "jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthRollLower "
    "mouthRollUpper mouthShrugLower mouthShrugUpper browInnerUp cheekPuff tongueOut"
).split()
ARKIT_NAMES = tuple(sorted([f"{name}{side}" for name in _SIDED for side in ("Left", "Right")] + _CENTRE))

# How far the eye bones turn at weight 1, so that they agree with the lids of the eyeLook shapes.
EYE_TURN_DEGREES = {"In": 15.0, "Out": 15.0, "Up": 10.0, "Down": 11.0}


def build(source: Source) -> dict[str, Floats]:
    """ARKit name → offsets (vertices, 3) over the base mesh, decimetres."""
    eyeballs = [source.groups["helper-l-eye"], source.groups["helper-r-eye"]]
    shapes = {name: source.face_unit(name) for name in ARKIT_NAMES}
    for offsets in shapes.values():
        for eyeball in eyeballs:
            offsets[eyeball] = 0.0  # the eye bones turn the eyes
    return shapes
