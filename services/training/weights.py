"""Weights of an exported network, read back to go on from: a checkpoint is far larger, and not kept with the code."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

Array = NDArray[np.float32]
HALF = ".half"
"""Ends the name of a constant that `halve` has made smaller."""
APART = 1e-2
"""Noise on fresh weights, so that no two of them look alike."""


def read_back(network: nn.Module, files: Sequence[Path], export: Callable[[Sequence[Path]], object]) -> None:
    """Gives `network` the weights that `files` have.

    The exporter renames, turns and takes apart what it likes, but always in the same way: so the network is exported
    with weights that are known, by `export`, and where each of them comes to lie is where it is found in `files`. Its
    weights are small random numbers meanwhile. Raises ValueError when it is not the network that the files were made
    of.
    """
    state = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    with torch.no_grad():
        for value in state.values():
            value.add_(torch.randn_like(value) * APART)
    with tempfile.TemporaryDirectory() as folder:
        known = [Path(folder) / file.name for file in files]
        export(known)
        places = _constants(known)
    found = _constants(files)
    if {name: values.shape for name, values in places.items()} != {name: each.shape for name, each in found.items()}:
        raise ValueError("the files were made of another network. Mend: train from the beginning")
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(torch.from_numpy(_placed(name, value.numpy(), places, found).astype(np.float32)))


def _constants(files: Sequence[Path]) -> dict[str, Array]:
    """By file and name."""
    return {
        f"{file.name}:{constant.name.removesuffix(HALF)}": numpy_helper.to_array(constant).astype(np.float32)
        for file in files
        for constant in onnx.load(str(file)).graph.initializer
    }


def _placed(name: str, known: Array, places: Mapping[str, Array], found: Mapping[str, Array]) -> Array:
    """What lies where `known` lies; row by row when only its rows lie somewhere."""
    for place, values in places.items():
        for seen, turned in _views(values, known):
            if np.allclose(seen, known, rtol=1e-3, atol=1e-6):
                return turned(found[place]).reshape(known.shape)
    if known.ndim < 2:
        raise ValueError(f"{name} is nowhere in the files. Mend: train from the beginning")
    return np.stack([_placed(f"{name}[{index}]", row, places, found) for index, row in enumerate(known)])


def _views(values: Array, like: Array) -> Iterator[tuple[Array, Callable[[Array], Array]]]:
    """The values as they are and turned, as far as they then have the shape; and what turns others so."""
    if values.size != like.size:
        return
    yield values.reshape(like.shape), np.asarray
    if values.ndim == 2 and values.T.shape == like.shape:
        yield values.T, np.transpose
