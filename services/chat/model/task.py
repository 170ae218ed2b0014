"""Her network's training, as the training spine runs it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.chat.model.config import Config
from services.chat.model.lessons import Lessons
from services.chat.model.network import Network, parallel_plan
from services.chat.model.tokenizer import Tokenizer
from services.training.task import share

DRAWN_FOR_ONE = 4
"""So many times more lessons are drawn than a batch takes, so that those of a batch are about equally long."""


OPENING, STRESS = 6, 4.0
"""The first tokens of an answer weigh this much more: they choose what she says, and the others recite it."""


@dataclass(frozen=True)
class Batch:
    """Tokens [examples, longest]; which of them, but for the first, she says and the network is to foretell."""

    tokens: Tensor
    hers: Tensor


class ChatTask:
    """Foretells her words, token by token; what viewers write and what retrieval found are given."""

    def __init__(self, lessons: Lessons, tokenizer: Tokenizer, config: Config, *, batch: int, seed: int) -> None:
        self._lessons = lessons
        self._tokenizer = tokenizer
        self._config = config
        self._batch = batch
        self._seed = seed

    def network(self) -> nn.Module:
        return Network(self._config)

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Batch:
        draw = random.Random(f"{self._seed} {step} {micro}")
        drawn = [self._lessons.draw(draw).tokens(self._tokenizer) for _ in range(DRAWN_FOR_ONE * self._batch)]
        drawn.sort(key=lambda lesson: len(lesson[0]))
        first = draw.randrange(DRAWN_FOR_ONE) * self._batch
        return batched(drawn[first : first + self._batch][share(self._batch, rank, ranks)])

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        logits, _ = network(batch.tokens[:, :-1], None, batch.hers)
        losses = functional.cross_entropy(logits.float(), batch.tokens[:, 1:][batch.hers], reduction="none")
        opening = batch.hers.cumsum(1)[batch.hers] <= OPENING
        weights = torch.where(opening, STRESS, 1.0)
        return {
            "loss": (weights * losses).sum() / weights.sum(),
            "perplexity": losses.detach().mean().exp(),
        }

    def parallel_plan(self) -> Mapping[str, Any]:
        return parallel_plan(self._config)


def batched(lessons: list[tuple[list[int], int]]) -> Batch:
    """Lessons, each with the number of its given tokens, as one batch; nothing is learnt from the filling."""
    longest = max(len(tokens) for tokens, _ in lessons)
    tokens = torch.zeros(len(lessons), longest, dtype=torch.long)
    hers = torch.zeros(len(lessons), longest - 1, dtype=torch.bool)
    for row, (lesson, given) in enumerate(lessons):
        tokens[row, : len(lesson)] = torch.tensor(lesson)
        hers[row, given - 1 : len(lesson) - 1] = True
    return Batch(tokens, hers)
