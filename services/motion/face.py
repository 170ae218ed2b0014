"""The 61 face values of a frame: names, order, units, and how far the lips stand apart.

52 ARKit shapes in the order of Live Link Face (0 neutral, 1 full; developer.apple.com,
`ARFaceAnchor.BlendShapeLocation`), then nine angles in radians: yaw + to her left, pitch + up, roll + to her left
shoulder. The head turns by yaw, then pitch, then roll, each about the axes that the one before has turned. An eye's
angles are relative to the head. The same gaze is also given by the EyeLook shapes: a renderer turns the eyeballs by the
angles and lets the shapes move the lids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_NAMES = """
    EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft
    EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight
    JawForward JawLeft JawRight JawOpen
    MouthClose MouthFunnel MouthPucker MouthLeft MouthRight MouthSmileLeft MouthSmileRight
    MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight
    MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight
    MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight
    BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight
    CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut
    HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch RightEyeRoll
"""
NAMES: tuple[str, ...] = tuple(_NAMES.split())
"""Names of the 61 values, in order, as Live Link Face writes them."""

ARKIT_NAMES: tuple[str, ...] = tuple(name[0].lower() + name[1:] for name in NAMES)
"""The same as ARKit and glTF morph targets write them (`jawOpen`)."""

SIZE = len(NAMES)
SHAPES = 52
"""How many of the values are shapes; the rest are angles."""
INDEX: dict[str, int] = {name: place for place, name in enumerate(NAMES)}

BLINK = (INDEX["EyeBlinkLeft"], INDEX["EyeBlinkRight"])
WIDE = (INDEX["EyeWideLeft"], INDEX["EyeWideRight"])
SMILE = (INDEX["MouthSmileLeft"], INDEX["MouthSmileRight"])
FROWN = (INDEX["MouthFrownLeft"], INDEX["MouthFrownRight"])
PRESS = (INDEX["MouthPressLeft"], INDEX["MouthPressRight"])
ROLL = (INDEX["MouthRollLower"], INDEX["MouthRollUpper"])
LOWER_DOWN = (INDEX["MouthLowerDownLeft"], INDEX["MouthLowerDownRight"])
UPPER_UP = (INDEX["MouthUpperUpLeft"], INDEX["MouthUpperUpRight"])
JAW_OPEN = INDEX["JawOpen"]
MOUTH_CLOSE = INDEX["MouthClose"]
FUNNEL = INDEX["MouthFunnel"]
PUCKER = INDEX["MouthPucker"]
HEAD = slice(INDEX["HeadYaw"], INDEX["HeadRoll"] + 1)
"""Yaw, pitch, roll."""
EYE_YAW = (INDEX["LeftEyeYaw"], INDEX["RightEyeYaw"])
EYE_PITCH = (INDEX["LeftEyePitch"], INDEX["RightEyePitch"])
MOUTH = slice(INDEX["JawForward"], INDEX["MouthUpperUpRight"] + 1)
"""Jaw and lips."""


def vector(**values: float) -> Floats:
    """A face [61] from ARKit names (`jawOpen=.3`); a name without its Left or Right (`mouthSmile`) means both sides.

    Raises KeyError for a name that is neither.
    """
    face = np.zeros(SIZE, np.float32)
    for name, value in values.items():
        upper = name[0].upper() + name[1:]
        if upper in INDEX:
            face[INDEX[upper]] = value
        else:
            face[[INDEX[upper + "Left"], INDEX[upper + "Right"]]] = value
    return face


def aperture(face: Floats) -> Floats:
    """How far the lips stand apart, at least 0, for faces [..., 61].

    jawOpen - mouthClose (ARKit's mouthClose closes the lips whatever the jaw does), plus half of what raises the upper
    and lowers the lower lip, minus half of what presses the lips together or rolls them in.
    """
    jaw = np.maximum(face[..., JAW_OPEN] - face[..., MOUTH_CLOSE], 0)
    apart = face[..., LOWER_DOWN].mean(-1) + face[..., UPPER_UP].mean(-1)
    together = face[..., PRESS].mean(-1) + face[..., ROLL].mean(-1)
    gap: Floats = np.maximum(jaw + 0.5 * apart - 0.5 * together, 0)
    return gap
