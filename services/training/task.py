"""What a run is: its options, what is trained, and in which order the data come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:  # every command line reads the options
    from torch import Tensor, nn

Precision = Literal["fp32", "tf32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the weights depend on besides the data, and how the work is shared out.

    Raises ValueError when they contradict themselves.
    """

    steps: int
    batch: int = 8
    """Examples of a micro-batch, over all ranks together: more ranks change the speed, not the result."""
    accumulate: int = 1
    """Micro-batches to a step."""
    rate: float = 1e-3
    """The highest learning rate."""
    warm_up: int = 100
    """Steps over which the learning rate rises."""
    decay: float = 0.3
    """Share of the steps at the end over which the learning rate falls to nothing."""
    precision: Precision = "fp32"
    seed: int = 2112
    keep: int = 250
    """Steps between checkpoints."""
    threads: int = 1
    """Processor threads of a rank."""
    workers: int = 0
    """Processes of a rank that make its batches ahead; with none, it makes each itself when it needs it."""
    tensor: int = 1
    """Ranks among which each matrix is split (tensor parallel)."""
    shard: bool = False
    """Whether weights, gradients and the optimizer's state are shared out among the ranks (FSDP2)."""
    average: float | None = None
    """Factor of the running mean of the weights, which `fit` then returns; None for the weights themselves."""
    clip: float = 1.0
    """Largest norm of the gradients."""
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    """Of matrices; biases and gains are left alone."""

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("steps", "batch", "accumulate", "keep", "threads", "tensor")}
        wrong = [f"{name} is {value}, and must be at least 1" for name, value in counts.items() if value < 1]
        if self.workers < 0:
            wrong.append(f"workers is {self.workers}, and must be at least 0")
        if not 0 <= self.decay <= 1:
            wrong.append(f"decay is {self.decay}, and must be a share from 0 to 1")
        if self.average is not None and not 0 <= self.average < 1:
            wrong.append(f"average is {self.average}, and must be a factor from 0 to below 1")
        if wrong:
            raise ValueError("; ".join(wrong))


class Task(Protocol):
    """A network and what it learns from."""

    def network(self) -> nn.Module:
        """The untrained network, on the processor. The seed of torch is set before."""

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Any:
        """A rank's share of a micro-batch: a function of the seed and these numbers alone, so that a run resumes.

        Tensors, or mappings, sequences and dataclasses of them. `rank` of `ranks` counts copies of the network.
        """

    def loss(self, network: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Scalars that are means over the batch: "loss" is minimised, the others are reported.

        The network is to be called itself, not by a method: that gathers its weights when they are shared out.
        """


@runtime_checkable
class Splittable(Protocol):
    """A task whose network can be split among ranks."""

    def parallel_plan(self) -> Mapping[str, Any]:
        """Module's name → its style, for torch's `parallelize_module`."""


def drawn(seed: int, step: int, micro: int = 0) -> np.random.Generator:
    """The randomness of a micro-batch, the same on every rank: draw for all ranks, then take `share`."""
    return np.random.default_rng((seed, step, micro))


def share(batch: int, rank: int, ranks: int) -> slice:
    """Which of a micro-batch's examples a rank takes. Raises ValueError when they cannot be shared out evenly."""
    if batch % ranks:
        raise ValueError(f"a batch of {batch} cannot be shared out among {ranks} ranks. Mend: a multiple of {ranks}")
    own = batch // ranks
    return slice(rank * own, (rank + 1) * own)


def rate_at(step: int, options: Options) -> float:
    """The learning rate: up at once, long level, then down to nothing along a cosine."""
    falling = options.steps * options.decay
    left = min(1.0, (options.steps - step) / max(falling, 1))
    return options.rate * min(1.0, (step + 1) / max(options.warm_up, 1)) * (0.5 - 0.5 * math.cos(math.pi * left))
