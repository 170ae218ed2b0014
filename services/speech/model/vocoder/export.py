"""The trained network as an ONNX file, with weights in half precision and arithmetic in full.

`python -m services.speech.model.vocoder.export CHECKPOINT` writes it and checks it against the network.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from services.speech.model.vocoder.network import INNER, STYLE, Network
from services.speech.model.vocoder.vocoder import WEIGHTS
from services.speech.natural.encoder import session

OPSET = 18
TOLERANCE = 0.06
"""Largest relative difference of a gain between full and half precision of the weights: half a decibel."""
SMALL = 1_024
"""Constants of fewer values stay in full precision."""


class NotTheSame(Exception):
    """The exported model does not compute what the network does."""


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
    _halve(whole, unfinished)
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
        "style": torch.randn((1, STYLE), generator=random) * 0.2,
    }


def _difference(filters: Filters, path: Path, frames: int) -> float:
    example = _example(frames, seed=frames)
    with torch.no_grad():
        wanted = [part.numpy() for part in filters(*example.values())]
    given = session(path).run(None, {name: value.numpy() for name, value in example.items()})
    pulses = np.abs((given[0] + 1j * given[1]) - (wanted[0] + 1j * wanted[1])) / np.hypot(wanted[0], wanted[1])
    return float(max(np.percentile(off, 99.9) for off in (pulses, np.abs(given[2] - wanted[2]) / wanted[2])))


def _halve(whole: Path, path: Path) -> None:
    """Keeps large constants in half precision; the runtime brings them back to full when it loads the model."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model: Any = onnx.load(str(whole))
    kept, casts = [], []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < SMALL:
            kept.append(constant)
            continue
        half = f"{constant.name}.half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [constant.name], to=TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def main(checkpoint: Path) -> None:
    """Exports the averaged network of a checkpoint."""
    network = Network()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    worst = export(network)
    size = WEIGHTS.stat().st_size / 1e6
    sys.stdout.write(f"{WEIGHTS.name}: {size:.1f} MB, one gain in a thousand differs by {worst:.4f}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
