"""Her hairstyle: a blunt bob, longer in front, parted on her left, with a light fringe and a bright inner layer."""

from dataclasses import dataclass

import numpy as np

from services.stage.avatar.paint import smooth_step
from services.stage.avatar.skull import Run, Skull, march
from services.stage.avatar.source import Floats

SHADES = 7  # strand pictures for ordinary locks; the one after them is the inner colour
INNER = SHADES


@dataclass(frozen=True)
class Lock:
    """One lock of hair. Lengths in decimetres."""

    path: Floats  # (steps, 3)
    away: Floats  # (steps, 3), unit, out of the head
    width: float
    shade: int  # which strand picture
    tip: float  # share of the length over which it narrows to its end
    blunt: float  # width of the very end, as a share of the full width


class _Comb:
    """Lays locks on a head, one after another."""

    def __init__(self, skull: Skull) -> None:
        self._skull = skull
        self._random = np.random.default_rng(21)
        self.locks: list[Lock] = []

    def vary(self, middle: float, spread: float) -> float:
        return float(middle + self._random.uniform(-spread, spread))

    def parting(self, t: float) -> Floats:
        """The parting, from the forehead (0) to behind the crown (1)."""
        return self._skull.below(np.array([0.17 * (1 - t) + 0.04 * t, self._skull.top, 1.08 * (1 - t) + 0.02 * t]))

    def lay(self, root: Floats, run: Run, width: float, tip: float, blunt: float = 0.0) -> None:
        path, away = march(self._skull, root, run)
        if len(path) >= 4:
            shade = int(self._random.integers(0, SHADES))
            self.locks.append(Lock(path, away, width, shade, tip, blunt))

    def lay_inner(self, root: Floats, run: Run, width: float) -> None:
        path, away = march(self._skull, root, run)
        eyes = self._skull.eye_height
        inside = 1 - 0.12 * smooth_step(eyes - 0.3, eyes - 1.2, path[:, 1])  # stays behind the outer locks
        path = path * np.stack([inside, np.ones_like(inside), inside], axis=1)
        self.locks.append(Lock(path, away, width, INNER, 0.12, 0.5))


def locks(skull: Skull) -> list[Lock]:
    """All her locks, from the inside out."""
    comb = _Comb(skull)
    _inner_layer(comb, skull)
    for layer, (lift, count, width) in enumerate(((0.05, 32, 0.38), (0.075, 34, 0.32), (0.1, 28, 0.25))):
        _outer_layer(comb, skull, layer, lift, count, width)
    _crown(comb, skull)
    _fringe(comb, skull)
    _face_frame(comb, skull)
    return comb.locks


def _end(skull: Skull, azimuth: float) -> float:
    """Height of the ends; azimuth 0 is the face, π the nape."""
    back = (1 - np.cos(azimuth)) / 2
    return float(skull.eye_height - 1.42 + 0.56 * back**2)  # clear of the collar at the nape


def _outward(azimuth: float) -> Floats:
    return np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])


def _across(distance: float) -> Floats:
    return np.array([distance, 0.0, 0.0])


def _inner_layer(comb: _Comb, skull: Skull) -> None:
    """Rooted in a ring around the head, it shows below and between the outer locks."""
    for azimuth in np.linspace(0.45 * np.pi, 1.55 * np.pi, 26):
        outward = _outward(azimuth)
        root = skull.surface(skull.centre + np.array([0.0, 0.15, 0.0]) + 3 * outward, -outward)
        end = _end(skull, azimuth) + comb.vary(-0.07 - 0.07 * np.cos(azimuth), 0.03)
        comb.lay_inner(root, Run((0, -1, 0), end, comb.vary(0.03, 0.008), 0.5, 0.95, 0.03, comb.vary(0, 3)), 0.3)


def _outer_layer(comb: _Comb, skull: Skull, layer: int, lift: float, count: int, width: float) -> None:
    """Over the head from the parting, all around except the face."""
    for k in range(count):
        azimuth = 0.3 * np.pi + 1.4 * np.pi * (k + 0.5 * (layer % 2) + comb.vary(0.25, 0.2)) / count
        outward = _outward(azimuth)
        # Towards the face, roots lie further from the parting, so that no lock crosses the eyes.
        aside = 0.4 * max(0.0, float(np.cos(azimuth))) - 0.04
        root = comb.parting(float(np.clip(0.5 - 0.6 * np.cos(azimuth), 0.1, 1.0)))
        root = skull.below(root + _across(np.sign(outward[0]) * aside))
        end = _end(skull, azimuth) + comb.vary(0.04 * layer, 0.06)
        heading = (float(outward[0]), 0.1, float(outward[2]) * 0.8)
        run = Run(heading, end, comb.vary(lift, 0.012), 0.8, 0.6, 0.03, comb.vary(0, 3))
        comb.lay(root, run, comb.vary(width, 0.04), 0.16, 0.35 if layer < 2 else 0.12)


def _crown(comb: _Comb, skull: Skull) -> None:
    """Short locks across the parting, so that it is a line and not a bare valley."""
    for t in np.linspace(0.0, 0.9, 9):
        for sign in (-1.0, 1.0):
            root = skull.below(comb.parting(float(t)) + _across(-0.1 * sign))
            run = Run(
                (sign, 0.1, 0.2 - 0.5 * t), skull.top - 0.75, comb.vary(0.07, 0.008), 0.8, 0.0, 0.02, comb.vary(0, 3)
            )
            comb.lay(root, run, 0.28, 0.5)


def _fringe(comb: _Comb, skull: Skull) -> None:
    """A base from behind the hairline, then light locks swept to both sides, so that brows and eyes stay free."""
    eyes = skull.eye_height
    for k, across in enumerate(np.linspace(-1.0, 1.0, 18)):
        root = skull.below(comb.parting(0.34) + _across(0.16 * across))
        end = eyes + comb.vary(0.4 - 0.5 * abs(across) ** 2, 0.04)
        run = Run((0.95 * across, 0.25, 1.0), end, 0.05 + 0.012 * (k % 2), 0.86, 0.0, 0.02, k)
        comb.lay(root, run, 0.2, 0.6)
    for k, across in enumerate(np.linspace(-1.0, 1.0, 34)):
        root = comb.parting(comb.vary(0.08, 0.05)) + _across(0.1 * across)
        reach = abs(across)
        heading = (1.25 * across + comb.vary(0, 0.06), 0.25, 1.0)
        end = eyes + comb.vary(0.22 - 0.5 * reach**2.4, 0.06)
        run = Run(heading, end, comb.vary(0.06 + 0.02 * (k % 3), 0.01), 0.87, 0.0, 0.035, comb.vary(0, 3))
        comb.lay(root, run, comb.vary(0.082 + 0.04 * reach, 0.018), 0.6)


def _face_frame(comb: _Comb, skull: Skull) -> None:
    """Locks before the ears that frame the face."""
    for sign in (-1.0, 1.0):
        for k, across in enumerate((0.0, 0.35, 0.7, 1.0)):
            root = skull.below(comb.parting(0.12 + 0.1 * across) + _across((0.3 + 0.1 * across) * sign - 0.1))
            end = skull.eye_height - 0.75 - 0.5 * across + comb.vary(0, 0.05)
            heading = (sign, 0.1, 0.75 - 0.35 * across)
            run = Run(heading, end, 0.1 + 0.015 * (k % 2), 0.86, 0.25, 0.03, comb.vary(0, 3))
            comb.lay(root, run, comb.vary(0.22, 0.02), 0.45)
