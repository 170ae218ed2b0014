"""Several ranks: who they are, how the network is spread among them, and what they tell each other.

Ranks form a grid: `tensor` neighbours split each matrix, and the columns of the grid see different data.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Partial
from torch.nn.utils import get_total_norm

from services.training.task import Options, Splittable, Task

DATA, TENSOR = "data", "tensor"
TIMEOUT = timedelta(minutes=10)
"""After which a rank no longer waits for one that is gone."""


@dataclass(frozen=True, slots=True)
class World:
    """Who a rank is among all."""

    rank: int
    ranks: int
    data_rank: int
    data_ranks: int
    device: torch.device
    mesh: DeviceMesh | None
    """[data, tensor]; None for a single rank."""


def first() -> bool:
    """Whether this process is the one that writes what there must be one of."""
    return int(os.environ.get("RANK", "0")) == 0


def wait() -> None:
    """Until all ranks are here."""
    if dist.is_initialized():
        dist.barrier()


@contextmanager
def joined() -> Iterator[None]:
    """Among the ranks that the launcher started, when it started several. May be entered again within."""
    if dist.is_initialized() or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
    try:
        yield
    finally:
        dist.destroy_process_group()


def world(tensor: int) -> World:
    """Who this rank is, each matrix being split among `tensor` ranks. Raises ValueError when they make no grid."""
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else None
    if device is not None:
        torch.cuda.set_device(device)
    device = device or torch.device("cpu")
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    if ranks % tensor:
        raise ValueError(f"{ranks} ranks cannot be split by {tensor}. Mend: start a multiple of {tensor} ranks")
    mesh = None
    if ranks > 1:
        mesh = init_device_mesh(device.type, (ranks // tensor, tensor), mesh_dim_names=(DATA, TENSOR))
    return World(rank, ranks, rank // tensor, ranks // tensor, device, mesh)


def spread(network: nn.Module, task: Task, world: World, options: Options) -> None:
    """Puts the network on the device and shares it out, in place."""
    network.to(world.device)
    if world.mesh is None:
        return
    if options.tensor > 1:
        from torch.distributed.tensor.parallel import parallelize_module

        if not isinstance(task, Splittable):
            raise ValueError("this network has no plan for being split. Mend: tensor=1")
        ties = list(_ties(network))
        parallelize_module(network, world.mesh[TENSOR], dict(task.parallel_plan()))
        _tie(network, ties)
    if options.shard:
        from torch.distributed.fsdp import fully_shard

        for module in network.modules():
            if isinstance(module, nn.ModuleList):
                for block in module:
                    fully_shard(block, mesh=world.mesh[DATA])
        fully_shard(network, mesh=world.mesh[DATA])


def _ties(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Pairs of names of one and the same weight."""
    seen: dict[int, str] = {}
    for name, weight in network.named_parameters(remove_duplicate=False):
        if id(weight) in seen:
            yield seen[id(weight)], name
        else:
            seen[id(weight)] = name


def _tie(network: nn.Module, ties: Iterable[tuple[str, str]]) -> None:
    """Makes weights one again that splitting made two. Raises ValueError when they were split differently."""
    for one, other in ties:
        weight, second = network.get_parameter(one), network.get_parameter(other)
        if getattr(weight, "placements", None) != getattr(second, "placements", None):
            raise ValueError(f"{one} and {other} are one weight, but are split differently. Mend: the parallel plan")
        owner, _, name = other.rpartition(".")
        setattr(network.get_submodule(owner), name, weight)


def local(tensor: Tensor) -> Tensor:
    """The part that this rank holds, sharing memory with the whole."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All parts together, on the processor; every rank must ask."""
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.detach().cpu()


def gather_gradients(weights: Iterable[nn.Parameter], world: World, *, shard: bool) -> list[Tensor]:
    """Of the gradients what this rank holds, as means over all data. Shared-out weights have theirs already."""
    parts = []
    for weight in weights:
        gradient = weight.grad
        if gradient is None:
            continue
        if isinstance(gradient, DTensor) and any(isinstance(place, Partial) for place in gradient.placements):
            assert isinstance(weight, DTensor)
            gradient = weight.grad = gradient.redistribute(placements=weight.placements)
        parts.append(local(gradient))
    if world.mesh is not None and world.data_ranks > 1 and not shard:
        group = world.mesh.get_group(DATA)
        for part in parts:
            dist.all_reduce(part, group=group)
            part.div_(world.data_ranks)
    return parts


def gradient_norm(weights: Iterable[nn.Parameter], world: World) -> Tensor:
    """The norm of all gradients, the same on every rank."""
    by_holders: dict[int, list[Tensor]] = defaultdict(list)
    for weight in weights:
        if weight.grad is not None:
            by_holders[_holders(weight.grad, world.ranks)].append(local(weight.grad))
    total = torch.zeros((), device=world.device)
    for holders, parts in by_holders.items():
        # A part that several ranks hold counts once.
        total += get_total_norm(parts).square() / holders
    if world.ranks > 1:
        dist.all_reduce(total)
    return total.sqrt()


def _holders(tensor: Tensor, ranks: int) -> int:
    """How many ranks hold the same part of a tensor."""
    if not isinstance(tensor, DTensor):
        return ranks
    parts = 1
    for place, size in zip(tensor.placements, tensor.device_mesh.shape, strict=True):
        parts *= 1 if place.is_replicate() else size
    return ranks // parts


def means(values: Mapping[str, Tensor], world: World) -> dict[str, float]:
    """Over all ranks; every rank must ask."""
    stacked = torch.stack([value.detach().float().to(world.device) for value in values.values()])
    if world.ranks > 1:
        dist.all_reduce(stacked)
        stacked /= world.ranks
    return dict(zip(values, stacked.tolist(), strict=True))


def moved(batch: Any, device: torch.device) -> Any:
    """A batch with its tensors on the device."""
    match batch:
        case Tensor():
            return batch.to(device, non_blocking=True)
        case dict():
            return {name: moved(part, device) for name, part in batch.items()}
        case list():
            return [moved(part, device) for part in batch]
        case tuple() if hasattr(batch, "_fields"):
            return type(batch)(*(moved(part, device) for part in batch))
        case tuple():
            return tuple(moved(part, device) for part in batch)
        case _ if hasattr(batch, "__dataclass_fields__"):
            return type(batch)(**{name: moved(getattr(batch, name), device) for name in batch.__dataclass_fields__})
        case _:
            return batch
