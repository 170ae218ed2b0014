"""Checkpoints: each rank writes its part, and the folder gets its name only when all is there.

Whatever kills a run, the newest folder with a whole name is good. They can be read by another number of ranks.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer

from services.training import parallel

PREFIX, UNFINISHED = "step-", ".part"
NUMBERS = "run.json"
"""In a checkpoint: what is no tensor."""


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint, or None."""
    whole = [path for path in folder.glob(f"{PREFIX}*") if path.suffix != UNFINISHED]
    return max(whole, key=lambda path: int(path.name.removeprefix(PREFIX)), default=None)


def numbers(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint says of its run besides the weights."""
    read: dict[str, Any] = json.loads((checkpoint / NUMBERS).read_text(encoding="utf-8"))
    return read


def keep(
    folder: Path,
    step: int,
    network: nn.Module,
    optimizer: Optimizer,
    average: Mapping[str, Tensor],
    numbers: Mapping[str, Any],
) -> None:
    """Writes a checkpoint, then removes older ones. Every rank must come."""
    path = folder / f"{PREFIX}{step:07d}"
    unfinished = path.with_suffix(UNFINISHED)
    if parallel.first():
        shutil.rmtree(unfinished, ignore_errors=True)
    parallel.wait()
    with _without_advice():
        save(_state(network, optimizer, average), checkpoint_id=unfinished, no_dist=not dist.is_initialized())
    if parallel.first():
        (unfinished / NUMBERS).write_text(json.dumps(dict(numbers), indent=1) + "\n", encoding="utf-8")
        _publish(unfinished, path)
        for other in folder.glob(f"{PREFIX}*"):
            if other != path:
                shutil.rmtree(other)
    parallel.wait()


def resume(checkpoint: Path, network: nn.Module, optimizer: Optimizer, average: Mapping[str, Tensor]) -> None:
    """Puts a checkpoint's values into network, optimizer and average. Every rank must come."""
    state = _state(network, optimizer, average)
    with _without_advice():
        load(state, checkpoint_id=checkpoint, no_dist=not dist.is_initialized())
    set_model_state_dict(network, state["network"])
    set_optimizer_state_dict(network, optimizer, state["optimizer"])
    for name, mean in average.items():
        parallel.local(mean).copy_(parallel.local(state["average"][name]))


def _state(network: nn.Module, optimizer: Optimizer, average: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "network": get_model_state_dict(network),
        "optimizer": get_optimizer_state_dict(network, optimizer),
        "average": dict(average),
    }


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without the library's remark that a single process saves, which is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _publish(unfinished: Path, path: Path) -> None:
    """Gives a written folder its name, on the disk and not only in its cache."""
    if path.exists():
        shutil.rmtree(path)
    for file in (*unfinished.iterdir(), unfinished):
        _flush(file)
    unfinished.rename(path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
