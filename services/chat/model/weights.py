"""Weights in the safetensors format, as other programs read them: https://github.com/huggingface/safetensors#format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

NAMES: Mapping[str, np.dtype[Any]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
NAME = "model.safetensors"


def write(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Writes arrays of half or single precision, in the order of their names."""
    kinds = {kind: name for name, kind in NAMES.items()}
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, values in sorted(tensors.items()):
        begin, end = end, end + values.nbytes
        head[name] = {"dtype": kinds[values.dtype], "shape": list(values.shape), "data_offsets": [begin, end]}
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, values in sorted(tensors.items()):
            file.write(np.ascontiguousarray(values).tobytes())
    unfinished.replace(path)


def places(path: Path) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """Of each array: kind, shape, where its bytes begin in the file, how many they are. Raises OSError, ValueError."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > 10_000_000:
            raise ValueError(f"{path} is no file of weights. Mend: make it anew with `lydia train chat`.")
        head: dict[str, Any] = json.loads(file.read(size))
    found = {}
    for name, entry in head.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            found[name] = (str(entry["dtype"]), tuple(entry["shape"]), 8 + size + int(begin), int(end) - int(begin))
    return found


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file, by name. Raises OSError, ValueError."""
    return {
        name: np.memmap(path, NAMES[kind], "r", begin, shape) for name, (kind, shape, begin, _) in places(path).items()
    }


def load_into(network: nn.Module, path: Path) -> None:
    """Gives a network the weights of a file. Raises ValueError when they are another network's, OSError."""
    import torch

    kept = {name: torch.from_numpy(values.astype(np.float32)) for name, values in read(path).items()}
    try:
        lacking, unknown = network.load_state_dict(kept, strict=False)
    except RuntimeError as problem:
        raise ValueError(f"{path} holds another network's weights. Mend: choose its --size. {problem}") from None
    if unknown or set(lacking) - {"lm_head.weight"}:
        raise ValueError(f"{path} holds another network's weights. Mend: train from the beginning")
