"""The VRM 1.0 side of the file: humanoid, expressions, gaze, licence, hair springs.

Specification: vrm-c/vrm-specification, VRMC_vrm-1.0 and VRMC_springBone-1.0.
"""

from collections.abc import Mapping, Sequence

from services.stage.avatar.blendshapes import ARKIT_NAMES, EYE_TURN_DEGREES
from services.stage.avatar.gltf import Json

# Expression → ARKit shapes and how much of each.
_BOTH: dict[str, dict[str, float]] = {  # shapes without side are set on both sides
    "happy": {"mouthSmile": 0.7, "cheekSquint": 0.55, "eyeSquint": 0.25, "mouthUpperUp": 0.25, "jawOpen": 0.05},
    "angry": {"browDown": 0.8, "eyeSquint": 0.35, "noseSneer": 0.25, "mouthFrown": 0.35, "mouthPress": 0.4},
    "sad": {"browInnerUp": 0.8, "mouthFrown": 0.55, "eyeSquint": 0.15, "mouthShrugLower": 0.3, "eyeLookDown": 0.2},
    "relaxed": {"mouthSmile": 0.35, "cheekSquint": 0.2, "eyeBlink": 0.18},
    "surprised": {"browInnerUp": 0.6, "browOuterUp": 0.7, "eyeWide": 0.6, "jawOpen": 0.22, "mouthFunnel": 0.15},
    "neutral": {},
    "aa": {"jawOpen": 0.45, "mouthLowerDown": 0.15, "mouthUpperUp": 0.25},
    "ih": {"jawOpen": 0.14, "mouthStretch": 0.25, "mouthLowerDown": 0.25, "mouthUpperUp": 0.25},
    "ou": {"mouthPucker": 0.55, "mouthFunnel": 0.3, "jawOpen": 0.12},
    "ee": {"mouthSmile": 0.4, "mouthStretch": 0.2, "jawOpen": 0.1, "mouthLowerDown": 0.25, "mouthUpperUp": 0.3},
    "oh": {"mouthFunnel": 0.55, "jawOpen": 0.32},
    "blink": {"eyeBlink": 1.0},
    "lookUp": {"eyeLookUp": 1.0},
    "lookDown": {"eyeLookDown": 1.0},
}
_SIDED: dict[str, dict[str, float]] = {
    "blinkLeft": {"eyeBlinkLeft": 1.0},
    "blinkRight": {"eyeBlinkRight": 1.0},
    "lookLeft": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    "lookRight": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
}

META: Json = {
    "name": "Lydia",
    "version": "1",
    "authors": ["The Lydia project"],
    "copyrightInformation": (
        "CC0 1.0. Made by a script from MakeHuman/MPFB2 data and the face units of Mika Suominen, both CC0 1.0. "
        "This character is spoken and moved by an artificial intelligence; say so where she is shown."
    ),
    "references": ["https://creativecommons.org/publicdomain/zero/1.0/"],
    "licenseUrl": "https://vrm.dev/licenses/1.0/",
    "otherLicenseUrl": "https://creativecommons.org/publicdomain/zero/1.0/",
    "avatarPermission": "everyone",
    "allowExcessivelyViolentUsage": False,
    "allowExcessivelySexualUsage": False,
    "commercialUsage": "corporation",
    "allowPoliticalOrReligiousUsage": False,
    "allowAntisocialOrHateUsage": False,
    "creditNotation": "unnecessary",
    "allowRedistribution": True,
    "modification": "allowModificationRedistribution",
}


def preset_shapes() -> dict[str, dict[str, float]]:
    """VRM preset expression → ARKit shape → weight, 0 … 1."""
    presets = dict(_SIDED)
    for preset, shapes in _BOTH.items():
        presets[preset] = {}
        for shape, weight in shapes.items():
            sides = [shape] if shape in ARKIT_NAMES else [f"{shape}Left", f"{shape}Right"]
            presets[preset] |= dict.fromkeys(sides, weight)
    return presets


def extension(
    nodes: Mapping[str, int], morph_nodes: Sequence[tuple[int, Sequence[str]]], eye_offset: Sequence[float]
) -> Json:
    """The VRMC_vrm extension.

    `nodes`: humanoid bone → node index. `morph_nodes`: per node with morph targets, their names in order.
    `eye_offset`: from the head bone to between the eyes, metres.
    """

    def expression(shapes: Mapping[str, float]) -> Json:
        binds = [
            {"node": node, "index": list(names).index(shape), "weight": weight}
            for node, names in morph_nodes
            for shape, weight in shapes.items()
            if shape in names
        ]
        return {"morphTargetBinds": binds} if binds else {}

    def turn(direction: str) -> Json:
        # 45° away, her eyes are turned as far as they go.
        return {"inputMaxValue": 45.0, "outputScale": EYE_TURN_DEGREES[direction]}

    return {
        "specVersion": "1.0",
        "meta": META,
        "humanoid": {"humanBones": {bone: {"node": node} for bone, node in nodes.items()}},
        "firstPerson": {"meshAnnotations": [{"node": node, "type": "auto"} for node, _ in morph_nodes]},
        "lookAt": {
            "type": "bone",
            "offsetFromHeadBone": list(eye_offset),
            "rangeMapHorizontalInner": turn("In"),
            "rangeMapHorizontalOuter": turn("Out"),
            "rangeMapVerticalDown": turn("Down"),
            "rangeMapVerticalUp": turn("Up"),
        },
        "expressions": {
            "preset": {name: expression(shapes) for name, shapes in preset_shapes().items()},
            "custom": {name: expression({name: 1.0}) for name in ARKIT_NAMES},
        },
    }


# Colliders that keep her hair out of head, neck and shoulders: bone → spheres (offset from the bone, radius), metres.
_COLLIDERS: dict[str, list[tuple[tuple[float, float, float], float]]] = {
    "head": [((0.0, 0.05, 0.01), 0.066), ((0.0, -0.015, 0.035), 0.052)],
    "neck": [((0.0, 0.05, 0.02), 0.04), ((0.0, 0.01, 0.01), 0.05)],
    "upperChest": [((0.07, 0.08, 0.0), 0.06), ((-0.07, 0.08, 0.0), 0.06)],
}
_HAIR_SPRING = {"hitRadius": 0.012, "stiffness": 1.6, "gravityPower": 0.12, "gravityDir": [0, -1, 0], "dragForce": 0.45}


def springs(nodes: Mapping[str, int], chains: Sequence[Sequence[str]]) -> Json:
    """The VRMC_springBone extension that lets her hair swing. `nodes`: joint → node index."""
    colliders = [
        {"node": nodes[bone], "shape": {"sphere": {"offset": list(offset), "radius": radius}}}
        for bone, spheres in _COLLIDERS.items()
        for offset, radius in spheres
    ]
    return {
        "specVersion": "1.0",
        "colliders": colliders,
        "colliderGroups": [{"name": "body", "colliders": list(range(len(colliders)))}],
        "springs": [
            {
                "name": f"hair {number}",
                "joints": [{"node": nodes[name]} | _HAIR_SPRING for name in chain],
                "colliderGroups": [0],
                "center": nodes["hips"],
            }
            for number, chain in enumerate(chains)
        ],
    }
