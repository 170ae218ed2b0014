"""The trained network as an ONNX file, with weights in half precision and arithmetic in full.

It is checked by its own measure: a gain may be off by a part of its size, and sizes differ by many orders.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from services.speech.model.vocoder.network import INNER, Network
from services.speech.model.vocoder.vocoder import WEIGHTS
from services.speech.natural.encoder import session
from services.speech.natural.voices import TIMBRE
from services.training.export import OPSET, NotTheSame, halve

TOLERANCE = 0.06
"""Largest relative difference of a gain between full and half precision of the weights: half a decibel."""
SILENT = 1e-9
"""A gain below the softest that the network says."""


class Filters(nn.Module):
    """The network as it is run: the pulses' complex gains and the noise's gains, each [1, hops, BINS]."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, inner: Tensor, f0: Tensor, energy: Tensor, style: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pulse, phase, noise = self.network(inner, f0, energy, style)
        return pulse * phase[0], pulse * phase[1], noise


def export(network: Network, path: Path = WEIGHTS) -> float:
    """Writes the model. Returns by how much of its size one gain in a thousand differs at least.

    Raises NotTheSame above TOLERANCE, and leaves what was at `path` before.
    """
    filters = Filters(network).eval()
    example = _example(24, seed=0)
    whole = path.with_suffix(".full")
    torch.onnx.export(
        filters,
        tuple(example.values()),
        str(whole),
        input_names=list(example),
        output_names=["cos", "sin", "noise"],
        opset_version=OPSET,
        dynamo=False,
        dynamic_axes={"inner": {2: "frames"}, "f0": {1: "steps"}, "energy": {1: "steps"}},
    )
    unfinished = path.with_suffix(".part")
    halve(whole, unfinished)
    whole.unlink()
    worst = max(_difference(filters, unfinished, frames=frames) for frames in (5, 24, 101))
    if worst > TOLERANCE:
        unfinished.unlink()
        raise NotTheSame(f"gains differ by {worst:.3f} of their size; {TOLERANCE} is allowed")
    unfinished.replace(path)
    return worst


def _example(frames: int, seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {
        "inner": torch.rand((1, INNER, frames), generator=random) * 2 - 1,
        "f0": torch.rand((1, 2 * frames), generator=random) * 300,
        "energy": torch.randn((1, 2 * frames), generator=random) * 4,
        "style": torch.randn((1, TIMBRE), generator=random) * 0.2,
    }


def _difference(filters: Filters, path: Path, frames: int) -> float:
    example = _example(frames, seed=frames)
    with torch.no_grad():
        wanted = [part.numpy() for part in filters(*example.values())]
    given = session(path).run(None, {name: value.numpy() for name, value in example.items()})
    pulses = np.abs((given[0] + 1j * given[1]) - (wanted[0] + 1j * wanted[1])) / np.hypot(wanted[0], wanted[1])
    noise = np.abs(given[2] - wanted[2]) / np.maximum(wanted[2], SILENT)  # vowels have none below some frequency
    return float(max(np.percentile(off, 99.9) for off in (pulses, noise)))
