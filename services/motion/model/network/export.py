"""The trained network as an ONNX file, which must compute what the network does."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from services.motion.model.network import features
from services.motion.model.network.rung import EMOTIONS, STATE, WIDTH
from services.training.export import export_onnx

TOLERANCE = 1e-4
"""Largest difference of an output, as a part of its largest value."""


def export(network: nn.Module, path: Path) -> float:
    """Writes it; see `export_onnx`."""
    steps = {1: "steps"}
    return export_onnx(
        network,
        example(60, seed=1),
        path,
        TOLERANCE,
        outputs=("rows", "controls", "after"),
        axes={"heard": steps, "emotion": steps, "rows": steps, "controls": steps},
        others=[example(steps, seed=steps) for steps in (1, 7, 200)],
    )


def example(steps: int, seed: int) -> dict[str, Tensor]:
    """Inputs of the network, in order."""
    random = torch.Generator().manual_seed(seed)
    return {
        "heard": torch.randn((1, steps, features.WIDTH), generator=random),
        "emotion": torch.rand((1, steps, EMOTIONS), generator=random),
        "state": torch.randn((1, STATE, WIDTH), generator=random),
    }
