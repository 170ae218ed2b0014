"""How sure the network must be that lips meet: set after training, so that few closures are missed.

A missed closure is seen at once, lips that meet once too often hardly. So the logits of shut lips and of lips that
touch teeth are moved, until nearly all that must be seen in spoiled clips is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from services.motion import lips
from services.motion.model.network import clips
from services.motion.model.network.network import Network
from services.motion.model.network.rung import AHEAD, STATE, WIDTH

MUSTS = (lips.CLOSED, lips.TOUCHING)
MISSED = 0.17
"""Share of the windows in which something must be seen that need not show it fully. Of spoiled clips, that is, many of
which nobody could understand: on clean speech next to none is missed then, and lips meet seldom without need.
"""
FULL, FULLY = 0.98, 2.5
"""What counts as fully shown in the targets, and the logit that shows it: 0.92. More would hardly shut the lips more
often, but stir them in silence.
"""
CLIPS = 60
HELD_BACK = 20
"""One clip in so many is not learned from but calibrated on: the network is surer of what it has learned, and a wider
one still surer.
"""


def held_back(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Clips to learn from, and clips to calibrate on; the same ones where there are too few."""
    back = list(paths[HELD_BACK - 1 :: HELD_BACK])
    return ([path for path in paths if path not in back], back) if back else (list(paths), list(paths))


def calibrate(network: Network, paths: Sequence[Path]) -> dict[int, float]:
    """Moves the logits of MUSTS in place. Returns from which logit on each was shown before. `paths`: of clips that
    it has not learned from.
    """
    best: dict[int, list[float]] = {must: [] for must in MUSTS}
    for clip in map(clips.load, paths[:: max(len(paths) // CLIPS, 1)]):
        for heard in clip.heard[1:]:
            with torch.no_grad():
                found, _ = network.logits(
                    torch.from_numpy(heard.astype(np.float32))[None], torch.zeros(1, STATE, WIDTH)
                )
            logits = found[0, AHEAD:].numpy()
            for must, tops in best.items():
                tops += [float(logits[own, must].max()) for own in _windows(clip.wanted[: len(logits), must])]
    moved = {must: float(np.quantile(tops, MISSED)) for must, tops in best.items() if tops}
    with torch.no_grad():
        for must, threshold in moved.items():
            network.say.bias[must] += FULLY - threshold
    return moved


def _windows(wanted: NDArray[np.float32]) -> Iterator[slice]:
    """Where something must be fully seen."""
    edges = np.flatnonzero(np.diff(np.pad((wanted >= FULL).astype(np.int8), 1)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield slice(int(begin), int(end))
