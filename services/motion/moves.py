"""Moves: everything she does beyond speaking, as poses that come, stay, sway and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.motion import face
from services.motion.curves import ease
from services.motion.frames import CHANNELS, channel
from services.motion.joints import LEFT_SHOULDER, LEFT_UPPER_ARM, RIGHT_UPPER_ARM

Array = NDArray[Any]

FIRST_ARM = face.SIZE + 3 * LEFT_SHOULDER
"""Channels from here on turn the arms."""
UPPER_ARMS = [channel(joint, axis) for joint in (LEFT_UPPER_ARM, RIGHT_UPPER_ARM) for axis in "xyz"]
NOTHING = np.zeros(CHANNELS)


@dataclass(slots=True, eq=False)
class Move:
    """A pose [CHANNELS], relative to rest, that is eased in, kept and eased out, swaying about itself meanwhile.

    Times are seconds of the turn. Moves add up, except that one which raises the arms takes them over from those
    before it.
    """

    start: float
    until: float
    """When it begins to go; may be moved to any later time, or to now."""
    pose: Array
    attack: float
    release: float
    sway: Array | None = None
    hertz: float = 0.0
    phase: float = 0.0
    """In turns."""

    @property
    def raises_arms(self) -> bool:
        """Whether it moves more of the arms than the shoulders."""
        return bool(self.pose[UPPER_ARMS].any())

    @property
    def end(self) -> float:
        """When nothing of it is left."""
        return self.until + self.release

    def end_by(self, time: float) -> None:
        """Goes at `time` at the latest. What it has done before stays as it was, if `time` is not past."""
        self.until = min(self.until, time)


def rows(moves: Sequence[Move], t: Array) -> Array:
    """What the moves make of the times [n] together: [n, CHANNELS]."""
    total = np.zeros((len(t), CHANNELS))
    for move in moves:
        if move.end <= t[0] or move.start >= t[-1]:
            continue
        weight = (ease((t - move.start) / move.attack) * (1 - ease((t - move.until) / move.release)))[:, None]
        pose = move.pose
        if move.sway is not None:
            turns = move.hertz * (t - move.start) + move.phase
            pose = pose + np.sin(2 * np.pi * turns)[:, None] * move.sway
        if move.raises_arms:
            total[:, FIRST_ARM:] *= 1 - weight
        total += weight * pose
    return total
