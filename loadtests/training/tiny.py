"""A small task: a network of a transformer's shape learns which word follows each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from services.training import parallel
from services.training.task import Options, drawn, share

WORDS, WIDTH, LENGTH = 32, 32, 12
CERTAIN = 0.8
"""Share of the words that follow as they should; any may follow the others, so that the loss has a floor."""


class Block(nn.Module):
    """A gated sum of what came before, then two matrices as in a transformer."""

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, LENGTH, WIDTH]"""
        past = x.cumsum(1) / torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        wide = F.gelu(self.up(self.norm(x + past)))
        out: Tensor = x + self.drop(self.down(wide))
        return out


class Net(nn.Module):
    """Words in, words out; one matrix serves both ends."""

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList(Block(drop) for _ in range(2))
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.embedding.weight
        nn.init.normal_(self.embedding.weight, std=0.2)

    def forward(self, words: Tensor) -> Tensor:
        """[batch, LENGTH] → [batch, LENGTH, WORDS]"""
        x = self.embedding(words)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(x)
        return logits


@dataclass(frozen=True, slots=True)
class Batch:
    """[batch, LENGTH] each."""

    words: Tensor
    following: Tensor


@dataclass(frozen=True, slots=True)
class Counting:
    """The task. `poison`: a step whose loss has infinite gradients."""

    options: Options
    drop: float = 0.0
    poison: frozenset[int] = frozenset()

    def network(self) -> nn.Module:
        """As the seed has it."""
        return Net(self.drop)

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Any:
        """Random words and those that follow them; whether the step is poisoned."""
        random = drawn(self.options.seed, step, micro)
        words, others = random.integers(WORDS, size=(2, self.options.batch, LENGTH))
        following = np.where(random.random(words.shape) < CERTAIN, (words + 1) % WORDS, others)
        own = share(self.options.batch, rank, ranks)
        return Batch(torch.from_numpy(words[own]), torch.from_numpy(following[own])), step in self.poison

    def loss(self, network: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        """Cross-entropy, and how much was right."""
        (given, poisoned) = batch
        logits = network(given.words)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), given.following.flatten())
        right = (logits.argmax(-1) == given.following).float().mean()
        return {"loss": loss * (float("inf") if poisoned else 1.0), "right": right}

    def parallel_plan(self) -> Mapping[str, Any]:
        """Megatron's: the first matrix by columns, the second by rows, the embedding by words."""
        from torch.distributed.tensor import Replicate
        from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel

        return {
            "embedding": RowwiseParallel(input_layouts=Replicate()),
            "blocks.*.up": ColwiseParallel(),
            "blocks.*.down": RowwiseParallel(),
            "head": ColwiseParallel(output_layouts=Replicate()),
        }


def first_pass(options: Options) -> dict[str, NDArray[np.float32]]:
    """What the untrained network says ("forward"), and the gradients of its weights by name, whole on every rank."""
    world = parallel.world(options.tensor)
    task = Counting(options)
    torch.manual_seed(options.seed)
    network = task.network()
    parallel.spread(network, task, world, options)
    words = torch.arange(4 * LENGTH, device=world.device).reshape(4, LENGTH) % WORDS
    logits = network(words)
    torch.autograd.backward(logits.square().mean())
    parallel.gather_gradients(network.parameters(), world, shard=options.shard)
    found = {name: parallel.whole(weight.grad).numpy() for name, weight in network.named_parameters()}
    return {**found, "forward": parallel.whole(logits).numpy()}
