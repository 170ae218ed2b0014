"""A trained network as an ONNX file, written only when it computes what the network does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 18
SMALL = 1_024
"""Constants of fewer values stay in full precision."""


class NotTheSame(Exception):
    """The exported model does not compute what the network does."""


def export_onnx(
    network: nn.Module,
    inputs: Mapping[str, Tensor],
    path: Path,
    tolerance: float,
    *,
    outputs: Sequence[str] = ("output",),
    axes: Mapping[str, Mapping[int, str]] | None = None,
    others: Sequence[Mapping[str, Tensor]] = (),
    half: bool = False,
) -> float:
    """Writes the model. Returns by how much an output differs at most, as a part of its largest value.

    inputs: name → example, in the order of the network's arguments. axes: those of inputs and outputs whose length may
    differ. others: further inputs on which it must agree, of other lengths. half: keeps large constants in half
    precision; arithmetic stays full. Raises NotTheSame above the tolerance, and leaves what was at `path` before.
    """
    network = network.eval()
    whole, unfinished = path.with_suffix(".full"), path.with_suffix(".part")
    try:
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            str(whole),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={name: dict(lengths) for name, lengths in (axes or {}).items()},
        )
        if half:
            halve(whole, unfinished)
        else:
            whole.replace(unfinished)
        worst = max(difference(network, unfinished, example) for example in (inputs, *others))
        if not worst <= tolerance:
            raise NotTheSame(f"outputs differ by {worst:.2g} of their size; {tolerance} is allowed")
        unfinished.replace(path)
    finally:
        whole.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
    return worst


def difference(network: nn.Module, path: Path, inputs: Mapping[str, Tensor]) -> float:
    """The largest difference of an output between network and file, as a part of the output's largest value."""
    with torch.no_grad():
        wanted = network(*inputs.values())
    wanted = [wanted] if isinstance(wanted, Tensor) else list(wanted)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    worst = 0.0
    for right, own in zip(wanted, given, strict=True):
        off = np.abs(right.numpy() - own).max(initial=0.0)
        worst = max(worst, float(off / (np.abs(right.numpy()).max(initial=0.0) + 1e-9)))
    return worst


def halve(whole: Path, path: Path) -> None:
    """Keeps large constants in half precision; the runtime brings them back to full when it loads the model."""
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
