"""Her own body and face: which shape targets make her, and how much of each."""

from collections.abc import Mapping

import numpy as np

from services.stage.avatar.source import Floats, Source

# Targets named with `*` exist once per side.
MACRO = {
    "macrodetails/asian-female-young": 0.75,
    "macrodetails/caucasian-female-young": 0.25,
    "macrodetails/universal-female-young-averagemuscle-averageweight": 0.25,
    "macrodetails/universal-female-young-averagemuscle-minweight": 0.25,
    "macrodetails/universal-female-young-minmuscle-averageweight": 0.25,
    "macrodetails/universal-female-young-minmuscle-minweight": 0.25,
    "macrodetails/proportions/female-young-averagemuscle-averageweight-idealproportions": 0.44,
    "macrodetails/proportions/female-young-minmuscle-minweight-idealproportions": 0.36,
    "breast/female-young-averagemuscle-averageweight-averagecup-maxfirmness": 0.3,
    "breast/female-young-minmuscle-minweight-averagecup-maxfirmness": 0.3,
}
HEAD = {
    "eyes/*-eye-scale-incr": 1.0,
    "eyes/*-eye-height1-incr": 0.15,
    "eyes/*-eye-height2-incr": 0.25,
    "eyes/*-eye-height3-incr": 0.25,
    "eyes/*-eye-corner2-up": 0.25,
    "eyes/*-eye-bag-decr": 0.5,
    "eyes/*-eye-trans-out": 0.08,
    "eyebrows/eyebrows-trans-up": 0.3,
    "chin/chin-width-decr": 0.6,
    "chin/chin-bones-decr": 0.5,
    "chin/chin-triangle": 0.45,
    "chin/chin-jaw-drop-decr": 0.3,
    "chin/chin-height-decr": 0.4,
    "cheek/*-cheek-bones-decr": 0.2,
    "cheek/*-cheek-volume-incr": 0.4,
    "head/head-oval": 0.3,
    "head/head-age-decr": 0.8,
    "head/head-round": 0.2,
    "head/head-scale-horiz-decr": 0.3,
    "nose/nose-volume-decr": 0.5,
    "nose/nose-nostrils-width-decr": 0.7,
    "nose/nose-scale-horiz-decr": 0.5,
    "nose/nose-width2-decr": 0.25,
    "nose/nose-point-up": 0.05,
    "nose/nose-point-width-decr": 0.4,
    "nose/nose-flaring-decr": 0.5,
    "nose/nose-scale-vert-decr": 0.15,
    "nose/nose-greek-incr": 0.1,
    "ears/*-ear-scale-decr": 0.5,
    "ears/*-ear-wing-decr": 0.7,
    "mouth/mouth-cupidsbow-incr": 0.25,
    "mouth/mouth-upperlip-height-decr": 0.3,
    "mouth/mouth-lowerlip-height-decr": 0.4,
    "mouth/mouth-scale-horiz-decr": 0.5,
    "mouth/mouth-trans-up": 0.2,
    "mouth/mouth-angles-up": 0.12,
}
BODY = {
    "legs/upperlegs-height-incr": 0.35,
    "legs/lowerlegs-height-incr": 0.35,
    "legs/*-upperleg-fat-decr": 0.5,
    "legs/*-lowerleg-fat-decr": 0.3,
    "hip/hip-scale-horiz-decr": 0.5,
    "neck/neck-scale-horiz-decr": 0.3,
    "neck/neck-scale-depth-decr": 0.2,
    "neck/neck-scale-vert-incr": 0.2,
    "torso/measure-shoulder-dist-decr": 0.5,
    "torso/torso-scale-horiz-decr": 0.3,
    "arms/*-upperarm-fat-decr": 0.6,
    "arms/*-upperarm-shoulder-muscle-decr": 0.5,
}


# Her eyes are larger than the targets make them: everything within the inner radius grows by this share, fading out
# to nothing at the outer radius (decimetres from the middle of the eye).
_EYE_GROWTH, _EYE_INNER, _EYE_OUTER = 0.24, 0.2, 0.55


def shape(source: Source) -> Floats:
    """The base mesh in her shape: (vertices, 3) in decimetres."""
    positions = source.mesh.positions.copy()
    for targets in (MACRO, HEAD, BODY):
        for name, weight in targets.items():
            for side in ("l", "r") if "*" in name else ("",):
                positions += weight * source.shape_target(name.replace("*", side))
    return positions


def eye_centres(source: Source, positions: Floats) -> list[Floats]:
    return [positions[source.groups[f"helper-{side}-eye"]].mean(axis=0) for side in ("l", "r")]


def with_large_eyes(positions: Floats, centres: list[Floats]) -> Floats:
    """Magnify the surroundings of both eyes."""
    grown = positions.copy()
    for centre in centres:
        away = positions - centre
        distance = np.linalg.norm(away, axis=1)
        share = np.clip((_EYE_OUTER - distance) / (_EYE_OUTER - _EYE_INNER), 0, 1)
        grown += away * (_EYE_GROWTH * share * share * (3 - 2 * share))[:, None]
    return grown


# Shapes that her resting face already has a little of: lips closed, which the base mesh leaves open, calm lids, and
# the beginning of a smile. Names without side stand for both sides.
_RESTING = {
    "mouthClose": 0.1,
    "mouthSmile": 0.28,
    "mouthPress": 0.12,
    "cheekSquint": 0.08,
    "eyeBlink": 0.12,
    "eyeSquint": 0.04,
}


def at_rest(shaped: Floats, units: Mapping[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """Her resting face, and the shapes from there: full weight still ends where the source's shape ends."""
    neutral, remaining = shaped.copy(), dict(units)
    for name, weight in _RESTING.items():
        for side in (name,) if name in units else (f"{name}Left", f"{name}Right"):
            neutral += weight * units[side]
            remaining[side] = (1 - weight) * units[side]
    return neutral, remaining
