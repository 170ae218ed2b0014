"""The head as hair sees it: a smooth convex body, and locks of hair that run over it and fall from it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from services.stage.avatar.source import Floats

_STEP = 0.06  # decimetres between two points of a lock


class Skull:
    """A convex stand-in for the head, with rounded edges. Lengths in decimetres."""

    _SHARPNESS = 22.0  # per decimetre; larger follows the hull's facets more closely

    def __init__(self, body: Floats, eye_height: float) -> None:
        x, y, z = np.abs(body[:, 0]), body[:, 1], body[:, 2]
        head = (y > eye_height - 1.0) & (x < 0.76)
        nose_and_mouth = (x < 0.3) & (z > 1.3) & (y < eye_height + 0.1)
        neck = (y < eye_height - 0.75) & (z < 0.9)
        points = body[head & ~nose_and_mouth & ~neck]
        self._planes = ConvexHull(points).equations
        self.eye_height = eye_height
        self.centre: Floats = (points.max(axis=0) + points.min(axis=0)) / 2
        self.top = float(points[:, 1].max())

    def distance(self, point: Floats) -> tuple[float, Floats]:
        """Distance outside the head, negative inside, and the direction away from it."""
        reach = self._planes[:, :3] @ point + self._planes[:, 3]
        share = np.exp(self._SHARPNESS * (reach - reach.max()))
        share /= share.sum()
        away = share @ self._planes[:, :3]
        return float(share @ reach), away / np.linalg.norm(away)

    def surface(self, start: Floats, direction: Floats) -> Floats:
        """Where a ray from outside first meets the head."""
        point = start.copy()
        for _ in range(80):
            gap, _away = self.distance(point)
            if gap < 1e-3:
                break
            point = point + direction * gap
        return point

    def below(self, point: Floats) -> Floats:
        """The head's surface straight under (or above) a point near its top."""
        return self.surface(point + np.array([0.0, 0.5, 0.0]), np.array([0.0, -1.0, 0.0]))


@dataclass(frozen=True)
class Run:
    """How one lock runs from its root."""

    heading: tuple[float, float, float]
    end_height: float  # it stops below this height
    lift: float  # distance it keeps from the head
    stiffness: float = 0.8  # how long it keeps its heading, 0 … 1
    curl: float = 0.0  # inward turn over the last third
    wave: float = 0.0  # sideways sway, decimetres
    phase: float = 0.0


def march(skull: Skull, root: Floats, run: Run) -> tuple[Floats, Floats]:
    """The path of a lock (steps, 3) and the directions out of the head along it."""
    heading = np.array(run.heading) / np.linalg.norm(run.heading)
    point = root - 0.07 * skull.distance(root)[1]
    drop = max(float(root[1]) - run.end_height, 0.1)
    path, outward = [], []
    for step in range(75):
        gap, away = skull.distance(point)
        volume = 1 + 0.45 * max(float(away[1]) - 0.35, 0.0)  # hair stands a little higher on top of the head
        aim = run.lift * volume * min(1.0, 0.4 + step / 5)
        if gap < aim:
            point = point + away * (aim - gap) * 0.6
        # Hair clings to the head until it hangs free below it.
        cling = float(np.clip((away[1] + 0.45) / 0.35, 0.0, 1.0))
        point = point - away * 0.22 * cling * max(gap - aim, 0.0)
        point = _off_the_face(point, skull.eye_height)
        path.append(point.copy())
        outward.append(away)
        if point[1] < run.end_height:
            break
        late = float(np.clip(((root[1] - point[1]) / drop - 0.62) / 0.38, 0.0, 1.0))
        inward = np.array([-point[0], 0.0, 0.25 - point[2]])
        pull = np.array([0.0, -1.0, 0.0]) + run.curl * late * inward / max(float(np.linalg.norm(inward)), 1e-6)
        pull = pull - away * 0.5 * cling * min(max(gap - aim, 0.0) / 0.12, 1.0)
        if gap < run.lift * 1.3:  # it slides on the head and does not sink in
            pull = pull - away * min(0.0, float(pull @ away))
            heading = heading - away * min(0.0, float(heading @ away))
        heading = run.stiffness * heading + (1 - run.stiffness) * pull
        heading /= np.linalg.norm(heading)
        point = point + heading * _STEP
    line = ndimage.gaussian_filter1d(np.array(path), 2.0, axis=0, mode="nearest")
    out = np.array(outward)
    return (_swayed(line, out, run) if len(line) > 3 else line), out


def _swayed(line: Floats, outward: Floats, run: Run) -> Floats:
    along = np.linspace(0, 1, len(line))
    side = np.cross(np.gradient(line, axis=0), outward)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    result: Floats = line + side * (run.wave * along * np.sin(run.phase + 7 * along))[:, None]
    return result


def _off_the_face(point: Floats, eye_height: float) -> Floats:
    """Hair before the face is moved sideways and back, past brows and cheeks."""
    below = eye_height + 0.3 - float(point[1])
    x, z = abs(float(point[0])), float(point[2])
    if z < 0.75 or below <= 0 or x < 0.22:
        return point
    least = 0.56 + 0.16 * min(below / 0.4, 1.0) - 0.08 * min(max((below - 1.0) / 0.5, 0.0), 1.0)
    back = 0.07 * (z - 0.75) * min(below / 0.3, 1.0)
    result: Floats = point + np.array([np.sign(point[0]) * max(least - x, 0.0) * 0.22, 0.0, -back])
    return result
