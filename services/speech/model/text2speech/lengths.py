"""From symbols to half frames: which belongs to which, and where in it each one is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONGEST = 50
"""Frames of a symbol at most, as in the open network."""
LONG = 10.0
"""The unit of a symbol's length, in frames."""


def durations_of(long: NDArray[np.float32], speed: float) -> NDArray[np.int64]:
    """Frames of each symbol [n]. `long`: logarithms of frames at speed 1.

    What rounding takes from one symbol it gives to the next, so that a sentence is as long as the network says.
    """
    ends = np.cumsum(np.exp(np.minimum(long, np.log(LONGEST))) / speed)
    edges = np.concatenate(([0], np.round(ends))).astype(np.int64)
    return np.maximum(np.diff(edges), 1)


def places_of(durations: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The symbol of each half frame [2T], and its place [2T, 3]: share of the symbol before it, share after it, and how
    long the symbol is.
    """
    halves = 2 * durations
    owner = np.repeat(np.arange(len(durations)), halves)
    first = np.cumsum(halves) - halves
    before = (np.arange(len(owner)) - first[owner] + 0.5) / halves[owner]
    return owner, np.stack((before, 1 - before, durations[owner] / LONG), axis=1).astype(np.float32)
