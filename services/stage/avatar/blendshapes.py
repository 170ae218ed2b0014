"""The 52 ARKit face shapes on her face.

The source's face units were made for an average face. Here they are corrected for hers: eyeballs stay with the eye
bones, folds of the smile are softened, the tongue clears the lip, and closing lids meet although her eyes are larger.
"""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from services.stage.avatar.lids import LOWER, SIDES, UPPER, LashGrid, lash_grid
from services.stage.avatar.source import Floats, Ints, Source

_SIDED = (
    *("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide"),
    *("browDown", "browOuterUp", "cheekSquint", "noseSneer", "mouthSmile", "mouthFrown", "mouthDimple"),
    *("mouthStretch", "mouthPress", "mouthLowerDown", "mouthUpperUp"),
)
_CENTRE = (
    *("jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft"),
    *("mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "browInnerUp"),
    *("cheekPuff", "tongueOut"),
)
ARKIT_NAMES = tuple(sorted([f"{name}{side}" for name in _SIDED for side in ("Left", "Right")] + list(_CENTRE)))

# How far the eye bones turn at weight 1, so that they agree with the lids of the eyeLook shapes.
EYE_TURN_DEGREES = {"In": 15.0, "Out": 15.0, "Up": 10.0, "Down": 11.0}

_FOLDING = ("mouthSmile", "mouthDimple", "mouthStretch", "cheekSquint", "noseSneer", "mouthFrown")
_SMOOTHING_ROUNDS = 14

# Closing lids, in decimetres or shares of the eye's radius.
_LID_REACH = 0.1
_LID_OVERLAP = 0.008
_LID_HEIGHT = 1.075  # above the eyeball, so that straight morph motion does not cut through it half way


def source_shapes(source: Source) -> dict[str, Floats]:
    """ARKit name → offsets (vertices, 3) as the source has them, in decimetres, without the eyeballs' turn."""
    shapes = {name: source.face_unit(name) for name in ARKIT_NAMES}
    for offsets in shapes.values():
        for side in SIDES:
            offsets[source.groups[f"helper-{side}-eye"]] = 0.0  # the eye bones turn the eyes
    _soften_folds(source, shapes)
    _lift_tongue(source, shapes)
    shapes["mouthFunnel"] = 0.8 * shapes["mouthFunnel"] + _drawn_together(source, 0.24)
    return shapes


def _soften_folds(source: Source, shapes: dict[str, Floats]) -> None:
    """Spread the offsets of folding shapes over neighbours, away from lips and lids."""
    mesh = source.mesh
    quads = mesh.quads[mesh.in_group("body")]
    edges = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    count = len(mesh.positions)
    links = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    degree = np.asarray(links.sum(axis=1)).ravel()
    mean = sparse.diags(1 / np.maximum(degree, 1)) @ links
    free = (degree > 0)[:, None] * (1 - _near_lips_and_lids(source))[:, None]
    for name in [name for name in shapes if name.startswith(_FOLDING)]:
        offsets = shapes[name]
        for _ in range(_SMOOTHING_ROUNDS):
            offsets = offsets + 0.5 * free * (mean @ offsets - offsets)
        shapes[name] = offsets


def _near_lips_and_lids(source: Source) -> Floats:
    """1 on and close to lips and lids, 0 from 0.25 decimetres on."""
    positions = source.mesh.positions
    lips = _lips(source)
    lids = np.concatenate([lash_grid(source, side, strip).vertices[1] for side in SIDES for strip in (UPPER, LOWER)])
    marks = positions[np.concatenate([lips, lids])]
    distance = np.full(len(positions), np.inf)
    for mark in marks:
        np.minimum(distance, np.linalg.norm(positions - mark, axis=1), out=distance)
    result: Floats = np.clip(1 - (distance - 0.06) / 0.19, 0, 1)
    return result


def _lips(source: Source) -> Ints:
    """Vertices of the lips: those that roll in."""
    moved_by = np.abs(source.face_unit("mouthRollLower")) + np.abs(source.face_unit("mouthRollUpper"))
    return np.flatnonzero(moved_by.max(axis=1) > 0.6 * moved_by.max())


def _drawn_together(source: Source, share: float) -> Floats:
    """The corners of the mouth moved inwards by a share of its width; the source's funnel leaves them apart."""
    positions = source.mesh.positions
    x, y, z = (positions - positions[_lips(source)].mean(axis=0) * [0, 1, 1]).T
    near = np.exp(-((x / 0.42) ** 4) - (y / 0.2) ** 2) * np.clip((z + 0.5) / 0.3, 0, 1)
    near[len(source.groups["body"]) :] = 0.0
    corner = np.clip(np.abs(x) / 0.22, 0, 1) ** 1.5
    return np.stack([-share * x * corner * near, 0 * x, 0 * x], axis=1)


def _lift_tongue(source: Source, shapes: dict[str, Floats]) -> None:
    """Let tongueOut pass over the lower lip instead of through it, and draw the lip down a little."""
    tongue = source.groups["helper-tongue"]
    out = shapes["tongueOut"]
    forward = np.clip(out[tongue, 2] / max(out[tongue, 2].max(), 1e-9), 0, 1)
    out[tongue, 1] += 0.11 * forward**0.5
    drawn = 0.35 * (shapes["mouthLowerDownLeft"] + shapes["mouthLowerDownRight"])
    drawn[tongue] = 0.0
    shapes["tongueOut"] = out + drawn


def with_closing_lids(source: Source, neutral: Floats, units: Mapping[str, Floats]) -> dict[str, Floats]:
    """The shapes with eyeBlink corrected on the resting face, so that at weight 1 the lids meet."""
    corrected = dict(units)
    for side, name in zip(SIDES, ("eyeBlinkLeft", "eyeBlinkRight"), strict=True):
        corrected[name] = _closing(source, neutral, units[name], side)
    return corrected


def _closing(source: Source, neutral: Floats, offsets: Floats, side: str) -> Floats:
    upper, lower = lash_grid(source, side, UPPER), lash_grid(source, side, LOWER)
    eye = neutral[source.groups[f"helper-{side}-eye"]]
    centre = eye.mean(axis=0)
    radius = float(np.linalg.norm(eye - centre, axis=1).mean())
    closed = neutral + offsets
    missing = _missing(upper.edge(closed), lower.edge(closed))

    moving = np.linalg.norm(offsets, axis=1)
    share = np.clip(moving / moving[upper.vertices[1]].max(), 0, 1) * (offsets[:, 1] < 0)
    edge = upper.edge(closed)
    for vertex in np.flatnonzero(share > 0.02).tolist():
        away = np.linalg.norm(edge - closed[vertex], axis=1)
        weights = np.exp(-((away / 0.03) ** 2) + (away.min() / 0.03) ** 2)
        near = share[vertex] * np.exp(-((away.min() / _LID_REACH) ** 2))
        closed[vertex] += near * (weights @ missing) / weights.sum()
    _carry_strip(upper, neutral, offsets, missing, closed)
    body = source.groups["body"]
    lid = body[(share[body] > 0.02) | (moving[body] > 0.004)]
    out = closed[lid] - centre
    distance = np.linalg.norm(out, axis=1)
    inside = (distance < _LID_HEIGHT * radius) & (out[:, 2] > 0) & (share[lid] > 0.3)
    closed[lid[inside]] = centre + out[inside] / distance[inside, None] * _LID_HEIGHT * radius
    return closed - neutral


def _missing(upper: Floats, lower: Floats) -> Floats:
    """What each column of the closed upper lid still lacks to lie on the lower one."""
    order = np.argsort(lower[:, 0])
    line = lower[order]
    height = np.interp(upper[:, 0], line[:, 0], line[:, 1]) - _LID_OVERLAP
    depth = np.interp(upper[:, 0], line[:, 0], line[:, 2])
    lack = np.zeros_like(upper)
    lack[:, 1] = height - upper[:, 1]
    lack[:, 2] = depth - upper[:, 2]
    # At the nose the two strips begin apart, around the inner corner.
    result: Floats = lack * np.clip(np.linspace(0, 12, len(upper)), 0, 1)[:, None]
    return result


def _carry_strip(grid: LashGrid, neutral: Floats, offsets: Floats, missing: Floats, closed: Floats) -> None:
    """The lash strip goes where its lid's edge goes."""
    for row in grid.vertices:
        closed[row] = neutral[row] + offsets[row] + missing
