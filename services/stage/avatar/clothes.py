"""Her clothes, grown from the base mesh's helper hulls: dark suit, white cropped jacket, boots, lines of light."""

import numpy as np

from services.stage.avatar.materials import Material
from services.stage.avatar.paint import smooth_step
from services.stage.avatar.part import Part
from services.stage.avatar.refine import refine
from services.stage.avatar.rig import Rig
from services.stage.avatar.sheet import Sheet, borders, compact, cut, joined, piping, smoothed, smoothed_border, thinned
from services.stage.avatar.source import Floats, Ints, Source
from services.stage.avatar.surface import vertex_normals

SOLE = 0.14  # thickness of the boots' soles, decimetres
_BOOT_TOP = -5.75
_SUIT_TOP = 4.98


def build(source: Source, neutral: Floats, rig: Rig, lite: bool) -> list[Part]:
    """Suit, jacket, boots and the glowing lines."""
    hull = _hull(source, neutral, rig, fine=not lite)
    suit = _suit(hull)
    jacket = _jacket(hull, rig)
    neckline, opening = _neckline(jacket)
    collar, collar_edge = _collar(jacket, neckline)
    boots = _boots(hull)
    sides, spacing = (3, 0.16) if lite else (4, 0.09)

    def line(sheet: Sheet, vertices: Ints, radius: float, *, closed: bool) -> Sheet:
        return piping(sheet, thinned(sheet.positions, vertices, spacing), radius, sides, closed=closed)

    cuffs = [loop for loop in borders(jacket) if np.abs(jacket.positions[loop, 0]).min() > 1.5]
    top = max(borders(suit), key=lambda loop: suit.positions[loop, 1].min())
    lines = [line(jacket, opening, 0.026, closed=False), line(collar, collar_edge, 0.026, closed=False)]
    lines += [line(jacket, cuff, 0.026, closed=True) for cuff in cuffs]
    lines.append(line(suit, top, 0.02, closed=True))
    white, band = _banded(jacket, rig)
    shown = cut(suit, _seen_of_suit(suit.positions, rig))
    return [
        joined([shown, band, _skirt(source, neutral, rig)]).part("suit", "suit"),
        joined([white, collar, boots]).part("jacket", "jacket"),
        joined(lines).part("glow", "glow"),
    ]


def _seen_of_suit(points: Floats, rig: Rig) -> Floats:
    """Positive where neither jacket nor boots cover the suit."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    trunk = np.maximum.reduce([2.5 - y, np.where(z > 0, 0.6 - x, -1.0), y - 4.35])
    arm = _along_forearm(points, rig)
    sides = np.where(x > 1.5, np.minimum(2.0 - y, trunk), trunk)
    return np.minimum(np.where(arm > -0.5, arm - 0.7, sides), y - _BOOT_TOP + 0.2)


def _banded(jacket: Sheet, rig: Rig) -> tuple[Sheet, Sheet]:
    """The jacket without, and only, the dark bands on its lower sleeves."""
    arm = _along_forearm(jacket.positions, rig)
    return cut(jacket, 0.5 - arm), cut(jacket, arm - 0.5)


def _skirt(source: Source, neutral: Floats, rig: Rig) -> Sheet:
    mesh = source.mesh
    faces = mesh.in_group("helper-skirt")
    refined = refine(mesh, faces, faces[:0])
    skirt = compact(Sheet(refined.matrix @ neutral, (refined.matrix @ rig.weights).tocsr(), refined.triangles))
    skirt = _pushed(skirt, 0.06 + 0.3 * smooth_step(1.0, -1.6, skirt.positions[:, 1]))
    return smoothed_border(cut(skirt, skirt.positions[:, 1] + 1.3 + 0.35 * skirt.positions[:, 0]), 1.0)


def _hull(source: Source, neutral: Floats, rig: Rig, *, fine: bool) -> Sheet:
    """The tights hull, refined over chest and shoulders."""
    mesh = source.mesh
    faces = mesh.in_group("helper-tights")
    x, y, _ = neutral[mesh.quads[faces]].mean(axis=1).T
    upper = faces[(y > 1.9) & (np.abs(x) < 1.6)] if fine else faces[:0]
    refined = refine(mesh, faces, upper)
    return compact(Sheet(refined.matrix @ neutral, (refined.matrix @ rig.weights).tocsr(), refined.triangles))


def _pushed(sheet: Sheet, distance: Floats | float) -> Sheet:
    normals = vertex_normals(sheet.positions, sheet.triangles)
    return sheet.moved(sheet.positions + normals * np.broadcast_to(distance, len(normals))[:, None])


def _suit(hull: Sheet) -> Sheet:
    suit = _pushed(hull, 0.02)
    x, y, z = suit.positions.T
    neck = _SUIT_TOP + 0.06 * np.clip(-(z - 0.3), -0.5, 0.5)
    return smoothed_border(cut(suit, np.where(np.abs(x) < 1.0, neck - y, 1.0)), 1.0)


def _along_forearm(points: Floats, rig: Rig) -> Floats:
    """0 at the elbow, 1 at the wrist; below 0 on upper arm and trunk."""
    mirrored = np.abs(points[:, 0:1])
    points = np.concatenate([mirrored, points[:, 1:]], axis=1)
    elbow, wrist = rig.position("leftLowerArm"), rig.position("leftHand")
    bone = wrist - elbow
    t = (points - elbow) @ bone / (bone @ bone)
    return np.where((mirrored[:, 0] > 1.9) & (points[:, 1] > 0.3), t, -1.0)


def _jacket(hull: Sheet, rig: Rig) -> Sheet:
    x, y, z = hull.positions.T
    side = np.abs(x)
    forearm = _along_forearm(hull.positions, rig)
    distance = 0.11 + 0.12 * smooth_step(3.0, 2.0, y) * (side < 1.6) + 0.1 * smooth_step(-0.6, 1.0, forearm)
    jacket = _pushed(hull, distance)
    jacket = smoothed(jacket, 6, np.zeros(len(x), dtype=bool))
    # Smoothing bridges hollows; where it sank in, push it out again.
    normals = vertex_normals(hull.positions, hull.triangles)
    gap = ((jacket.positions - hull.positions) * normals).sum(axis=1)
    jacket = jacket.moved(jacket.positions + normals * np.maximum(0.6 * distance - gap, 0.0)[:, None])
    for field in (
        lambda p: 0.8 - _along_forearm(p, rig),
        lambda p: np.where(_along_forearm(p, rig) > -0.5, 1.0, p[:, 1] - 2.15 - 0.12 * p[:, 2]),
        lambda p: np.where(p[:, 2] > 0.1, np.abs(p[:, 0]) - 0.3 - 0.05 * (p[:, 1] - 2.0), 1.0),
        lambda p: 4.72 - p[:, 1] - 0.35 * (p[:, 2] - 0.1),
    ):
        jacket = cut(jacket, field(jacket.positions))
    return smoothed_border(jacket, 1.2)


def _neckline(jacket: Sheet) -> tuple[Ints, Ints]:
    """The jacket's open border in two lines: around the neck, and the rest (fronts and hem)."""
    loop = max(borders(jacket), key=len)
    points = jacket.positions[loop]
    near = 4.72 - points[:, 1] - 0.35 * (points[:, 2] - 0.1) < 0.03
    start = int(np.flatnonzero(near & ~np.roll(near, 1))[0])
    turned, near = np.roll(loop, -start), np.roll(near, -start)
    count = int(np.flatnonzero(near)[-1]) + 1
    return turned[:count], np.concatenate([turned[count - 1 :], turned[:1]])


def _collar(jacket: Sheet, neckline: Ints) -> tuple[Sheet, Ints]:
    """A stand-up collar grown from the jacket's neckline, low in front; and the vertices of its upper edge."""
    line = thinned(jacket.positions, neckline, 0.07)
    base = jacket.positions[line]
    count, rows = len(base), 5
    height = 0.46 * (1 - np.abs(np.linspace(-1, 1, count)) ** 2.5)
    outward = (base - [0.0, 0.0, 0.1]) * [1, 0, 1]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    up = np.array([0.0, 1.0, 0.0])
    levels = [base + height[:, None] * s * (up + outward * (0.1 + 0.25 * s)) for s in np.linspace(0, 1, rows)]
    triangles = []
    for r in range(rows - 1):
        for k in range(count - 1):
            a, b, c, d = r * count + k, r * count + k + 1, (r + 1) * count + k, (r + 1) * count + k + 1
            triangles += [[a, b, d], [a, d, c]]
    sheet = Sheet(np.concatenate(levels), jacket.skin[np.tile(line, rows)], np.array(triangles))
    return sheet, np.arange((rows - 1) * count, rows * count)


def _boots(hull: Sheet) -> Sheet:
    boots = _pushed(hull, 0.05)
    boots = cut(boots, _BOOT_TOP + 0.15 * np.abs(boots.positions[:, 2]) - boots.positions[:, 1])
    low = boots.positions[:, 1].min()
    under = smooth_step(low + 0.16, low + 0.05, boots.positions[:, 1])
    positions = boots.positions.copy()
    positions[:, 1] -= SOLE * under
    return boots.moved(positions)


def materials() -> list[Material]:
    return [
        Material("suit", roughness=0.5, color=(0.018, 0.022, 0.036, 1.0)),
        Material("jacket", roughness=0.62, color=(0.82, 0.84, 0.88, 1.0), double_sided=True),
        Material("glow", roughness=0.4, color=(0.02, 0.1, 0.12, 1.0), emissive=(0.1, 0.85, 1.0)),
    ]
