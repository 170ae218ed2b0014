"""Closing lids on her own, larger eyes: they meet and do not cross."""

import numpy as np
import pytest

from services.stage.avatar import blendshapes, build
from services.stage.avatar.lids import LOWER, UPPER, lash_grid
from services.stage.avatar.source import Floats, Source

TOLERANCE = 0.012  # decimetres


def _crossing(source: Source, side: str, closed: Floats) -> float:
    """Largest distance in height between the two closed edges over the middle of the eye, decimetres."""
    upper = lash_grid(source, side, UPPER).edge(closed)
    lower = lash_grid(source, side, LOWER).edge(closed)
    upper, lower = (line[np.argsort(line[:, 0])] for line in (upper, lower))
    inner = np.linspace(upper[0, 0], upper[-1, 0], 42)[4:-4]
    heights = [np.interp(inner, line[:, 0], line[:, 1]) for line in (upper, lower)]
    return float(np.abs(heights[0] - heights[1]).max())


@pytest.mark.parametrize(("side", "name"), [("l", "eyeBlinkLeft"), ("r", "eyeBlinkRight")])
def test_closed_lids_meet_along_the_eye_and_do_not_cross(source: Source, side: str, name: str) -> None:
    neutral, units = build.resting_face(source)
    assert _crossing(source, side, neutral) > 0.08  # open at rest
    assert _crossing(source, side, neutral + units[name]) > 2 * TOLERANCE  # what the source's shape does on her eyes
    corrected = blendshapes.with_closing_lids(source, neutral, units)
    assert _crossing(source, side, neutral + corrected[name]) <= TOLERANCE
