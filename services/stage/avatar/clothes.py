"""Her clothes, grown from the base mesh's helper hulls: suit, cropped jacket, skirt, boots, lines of light."""

import numpy as np

from services.stage.avatar import fabric
from services.stage.avatar.materials import Material
from services.stage.avatar.paint import smooth_step
from services.stage.avatar.part import Part
from services.stage.avatar.refine import refine
from services.stage.avatar.rig import Rig
from services.stage.avatar.sheet import (
    Sheet,
    borders,
    compact,
    cut,
    joined,
    piping,
    smoothed,
    smoothed_border,
    thinned,
)
from services.stage.avatar.source import Floats, Ints, Source

_SOLE = 0.14  # thickness of the boots' soles, decimetres
_BOOT_TOP = -5.75  # heights, before she is put on the ground
_SUIT_TOP = 4.98
_COLLAR_HEIGHT = 0.46


def build(source: Source, neutral: Floats, rig: Rig, *, lite: bool) -> list[Part]:
    """Suit with skirt, jacket with boots, and the glowing lines."""
    hull = _hull(source, neutral, rig, fine=not lite)
    suit, jacket, boots = _suit(hull, rig), _jacket(hull, rig), _boots(hull)
    skirt = _skirt(source, neutral, rig)
    neckline, opening = _neckline(jacket)
    collar, collar_edge = _collar(jacket, neckline)
    sides, spacing = (3, 0.16) if lite else (4, 0.09)

    def line(sheet: Sheet, vertices: Ints, radius: float, *, closed: bool) -> Sheet:
        return piping(sheet, thinned(sheet.positions, vertices, spacing), radius, sides, closed=closed)

    cuffs = [loop for loop in borders(jacket) if np.abs(jacket.positions[loop, 0]).min() > 1.5]
    top = max(borders(suit), key=lambda loop: suit.positions[loop, 1].min())
    lines = [line(jacket, opening, 0.026, closed=False), line(collar, collar_edge, 0.026, closed=False)]
    lines += [line(jacket, cuff, 0.026, closed=True) for cuff in cuffs]
    lines.append(line(suit, top, 0.02, closed=True))
    lines.append(piping(skirt, thinned(skirt.positions, _lowest(skirt), 0.2), 0.024, 3, closed=True))
    boot_tops = [loop for loop in borders(boots) if boots.positions[loop, 1].min() > _BOOT_TOP - 0.5]
    lines += [piping(boots, thinned(boots.positions, loop, 0.2), 0.024, 3, closed=True) for loop in boot_tops]
    shown = cut(suit, _seen_of_suit(suit.positions, rig))
    return [
        joined([_around(shown, fabric.SUIT), _around(skirt, fabric.SUIT)]).part("suit", "suit", bumpy=not lite),
        joined([*_trunk_and_sleeves(jacket, rig), collar, _around(boots, fabric.BOOTS)]).part(
            "jacket", "jacket", bumpy=not lite
        ),
        joined(lines).part("glow", "glow"),
    ]


def _hull(source: Source, neutral: Floats, rig: Rig, *, fine: bool) -> Sheet:
    """The tights hull, refined over chest and shoulders."""
    mesh = source.mesh
    faces = mesh.in_group("helper-tights")
    x, y, _ = neutral[mesh.quads[faces]].mean(axis=1).T
    upper = faces[(y > 1.9) & (np.abs(x) < 1.6)] if fine else faces[:0]
    refined = refine(mesh, faces, upper)
    return compact(Sheet.of(refined.matrix @ neutral, (refined.matrix @ rig.weights).tocsr(), refined.triangles))


def _pushed(sheet: Sheet, distance: Floats | float) -> Sheet:
    along = np.broadcast_to(distance, len(sheet.positions))[:, None]
    return sheet.reshaped(sheet.positions + sheet.normals * along)


def _suit(hull: Sheet, rig: Rig) -> Sheet:
    # Wider at the wrists, where it lies over the hands.
    suit = _pushed(hull, 0.02 + 0.06 * smooth_step(0.7, 1.0, _along_forearm(hull.positions, rig)))
    x, y, z = suit.positions.T
    neck = _SUIT_TOP + 0.06 * np.clip(-(z - 0.3), -0.5, 0.5)
    return smoothed_border(cut(suit, np.where(np.abs(x) < 1.0, neck - y, 1.0)), 1.0)


def _seen_of_suit(points: Floats, rig: Rig) -> Floats:
    """Positive where neither jacket nor boots cover the suit."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    trunk = np.maximum.reduce([2.5 - y, np.where(z > 0, 0.6 - x, -1.0), y - 4.35])
    arm = _along_forearm(points, rig)
    sides = np.where(x > 1.5, np.minimum(2.0 - y, trunk), trunk)
    return np.minimum(np.where(arm > -0.5, arm - 0.7, sides), y - _BOOT_TOP + 0.2)


def _along_forearm(points: Floats, rig: Rig) -> Floats:
    """0 at the elbow, 1 at the wrist; −1 away from the lower arms."""
    mirrored = points * [1, 1, 1]
    mirrored[:, 0] = np.abs(points[:, 0])
    elbow, wrist = rig.position("leftLowerArm"), rig.position("leftHand")
    bone = wrist - elbow
    along = (mirrored - elbow) @ bone / (bone @ bone)
    return np.where((mirrored[:, 0] > 1.9) & (points[:, 1] > 0.3), along, -1.0)


def _jacket(hull: Sheet, rig: Rig) -> Sheet:
    x, y, _ = hull.positions.T
    forearm = _along_forearm(hull.positions, rig)
    sleeve = smooth_step(1.3, 1.9, np.abs(x))
    hem = smooth_step(3.0, 2.0, y) * (np.abs(x) < 1.6)
    distance = 0.11 - 0.03 * sleeve + 0.12 * hem + 0.1 * smooth_step(-0.6, 1.0, forearm)
    jacket = smoothed(_pushed(hull, distance), 6)
    # Smoothing bridges hollows; where it sank in, it is pushed out again.
    gap = ((jacket.positions - hull.positions) * hull.normals).sum(axis=1)
    jacket = jacket.reshaped(jacket.positions + hull.normals * np.maximum(0.6 * distance - gap, 0.0)[:, None])
    for field in (_before_cuff, _above_hem, _beside_opening, _below_neck):
        jacket = cut(jacket, field(jacket.positions, rig))
    return smoothed_border(jacket, 1.2)


def _before_cuff(p: Floats, rig: Rig) -> Floats:
    return 0.8 - _along_forearm(p, rig)


def _above_hem(p: Floats, rig: Rig) -> Floats:
    return np.where(_along_forearm(p, rig) > -0.5, 1.0, p[:, 1] - 2.15 - 0.12 * p[:, 2])


def _beside_opening(p: Floats, _rig: Rig) -> Floats:
    return np.where(p[:, 2] > 0.1, np.abs(p[:, 0]) - 0.3 - 0.05 * (p[:, 1] - 2.0), 1.0)


def _below_neck(p: Floats, _rig: Rig) -> Floats:
    below: Floats = 4.72 - p[:, 1] - 0.35 * (p[:, 2] - 0.1)
    return below


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
    along = np.linspace(-1, 1, count)
    height = 0.02 + (_COLLAR_HEIGHT - 0.02) * (1 - np.abs(along) ** 2.5)
    outward = (base - [0.0, 0.0, 0.1]) * [1, 0, 1]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    shares = np.linspace(0, 1, rows)
    levels = [base + height[:, None] * s * (np.array([0, 1, 0]) + outward * (0.1 + 0.25 * s)) for s in shares]
    triangles = []
    for r in range(rows - 1):
        for k in range(count - 1):
            a, b, c, d = r * count + k, r * count + k + 1, (r + 1) * count + k, (r + 1) * count + k + 1
            triangles += [[a, b, d], [a, d, c]]
    sheet = Sheet.of(np.concatenate(levels), jacket.skin[np.tile(line, rows)], np.array(triangles))
    uvs = fabric.COLLAR.place(np.tile(np.abs(along), rows), np.repeat(1 - shares, count))
    return sheet.mapped(uvs), np.arange((rows - 1) * count, rows * count)


def _trunk_and_sleeves(jacket: Sheet, rig: Rig) -> list[Sheet]:
    """The jacket parted at the armholes, each piece with its place on the jacket's picture."""
    armhole = _armhole(jacket.positions, rig)
    trunk, sleeves = cut(jacket, -armhole), cut(jacket, armhole)
    along, around = _on_sleeve(sleeves.positions, rig)
    x, _, z = trunk.positions.T
    down = 1 - _above_hem(trunk.positions, rig) / 2.9
    trunk = trunk.mapped(fabric.TRUNK.place(np.abs(np.arctan2(x, z - 0.2)) / np.pi, down))
    return [trunk, sleeves.mapped(fabric.SLEEVE.place(around, along))]


def _armhole(points: Floats, rig: Rig) -> Floats:
    """Positive on the sleeves."""
    shoulder = rig.position("leftUpperArm")
    mirrored = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]], axis=1)
    outward = np.array([0.95, 0.3, 0.0])
    field: Floats = (mirrored - shoulder) @ outward + 0.02
    return field


def _on_sleeve(points: Floats, rig: Rig) -> tuple[Floats, Floats]:
    """Along the sleeve (0 above the shoulder … 1 wrist) and around it (0 outer side … 1 inner side)."""
    mirrored = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]], axis=1)
    shoulder, elbow, wrist = (rig.position(f"left{bone}") for bone in ("UpperArm", "LowerArm", "Hand"))
    upper, lower = elbow - shoulder, wrist - elbow
    first = np.clip((mirrored - shoulder) @ upper / (upper @ upper), -0.3, 1)
    second = np.clip((mirrored - elbow) @ lower / (lower @ lower), 0, 1)
    middle = shoulder + first[:, None] * upper + second[:, None] * lower
    away = mirrored - middle
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    outer = np.array([0.75, 0.66, 0.0])
    return (first + second + 0.3) / 2.3, np.arccos(np.clip(away @ outer, -1, 1)) / np.pi


def _around(sheet: Sheet, place: fabric.Patch) -> Sheet:
    """Texture coordinates around the body's axis (0 front … 1 back, both sides alike) and down."""
    x, y, z = sheet.positions.T
    around = np.abs(np.arctan2(x, z - 0.2)) / np.pi
    return sheet.mapped(place.place(around, (y.max() - y) / (y.max() - y.min())))


def _skirt(source: Source, neutral: Floats, rig: Rig) -> Sheet:
    """A short skirt with a slanting hem."""
    mesh = source.mesh
    faces = mesh.in_group("helper-skirt")
    refined = refine(mesh, faces, faces[:0])
    skirt = compact(Sheet.of(refined.matrix @ neutral, (refined.matrix @ rig.weights).tocsr(), refined.triangles))
    skirt = _pushed(skirt, 0.06 + 0.3 * smooth_step(1.0, -1.6, skirt.positions[:, 1]))
    return smoothed_border(cut(skirt, skirt.positions[:, 1] + 1.3 + 0.35 * skirt.positions[:, 0]), 1.0)


def _lowest(sheet: Sheet) -> Ints:
    """The border loop that reaches farthest down."""
    return min(borders(sheet), key=lambda loop: float(sheet.positions[loop, 1].min()))


def _boots(hull: Sheet) -> Sheet:
    boots = _pushed(hull, 0.05)
    boots = cut(boots, _BOOT_TOP + 0.15 * np.abs(boots.positions[:, 2]) - boots.positions[:, 1])
    low = boots.positions[:, 1].min()
    under = smooth_step(low + 0.16, low + 0.05, boots.positions[:, 1])
    flat = boots.positions.copy()
    flat[:, 1] += under * (low - _SOLE - flat[:, 1])
    return boots.reshaped(flat)


def materials(*, lite: bool) -> list[Material]:
    return [
        *fabric.materials(lite=lite),
        Material("glow", roughness=0.4, color=(0.02, 0.1, 0.12, 1.0), emissive=(0.1, 0.85, 1.0)),
    ]
