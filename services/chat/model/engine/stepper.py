"""One step of all rooms: decode and choose, on CUDA as a recorded graph that starts with a single call.

A graph has fixed sizes, so there is one for each power of two of rooms and of reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from services.chat.model.engine.decoder import Decoder
from services.chat.model.engine.sampling import sample

SHORTEST = 128
"""Tokens that the shortest graph looks back."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a step reads, always at the same place in memory; each [rows]."""

    tokens: Tensor
    positions: Tensor
    heat: Tensor
    top_p: Tensor
    seeds: Tensor


class Stepper:
    """Steps the first rows of a decoder."""

    def __init__(self, decoder: Decoder, *, graphs: bool | None = None) -> None:
        """graphs: whether to record them; by default on CUDA only."""
        self._decoder, self._device = decoder, decoder.device
        self._recorded = graphs if graphs is not None else self._device.type == "cuda"
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        rows = decoder.rows
        self._inputs = Inputs(
            tokens=torch.zeros(rows, dtype=torch.long, device=self._device),
            positions=torch.zeros(rows, dtype=torch.long, device=self._device),
            heat=torch.zeros(rows, device=self._device),
            top_p=torch.ones(rows, device=self._device),
            seeds=torch.zeros(rows, dtype=torch.long, device=self._device),
        )

    def __call__(self, given: Inputs, reach: int) -> list[int]:
        """The next token of each room. given: on the processor, [rooms]; reach: more than any position."""
        count = len(given.tokens)
        for name in Inputs.__dataclass_fields__:
            own: Tensor = getattr(self._inputs, name)
            own[:count].copy_(getattr(given, name), non_blocking=True)
        if not self._recorded:
            return list(self._step(count, reach).tolist())
        sizes = min(_power(count), self._decoder.rows), min(max(_power(reach), SHORTEST), self._decoder.length)
        if sizes not in self._graphs:
            self._graphs[sizes] = self._record(*sizes)
        graph, tokens = self._graphs[sizes]
        graph.replay()
        return list(tokens[:count].tolist())

    def _step(self, count: int, reach: int) -> Tensor:
        own = self._inputs
        logits = self._decoder.step(own.tokens[:count], own.positions[:count], reach)
        return sample(logits, own.heat[:count], own.top_p[:count], own.seeds[:count], own.positions[:count])

    def _record(self, count: int, reach: int) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        # Rows beyond the rooms are free: what a step writes there is overwritten before it is read.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # the libraries choose and load their kernels
                self._step(count, reach)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            tokens = self._step(count, reach)
        return graph, tokens


def _power(number: int) -> int:
    """The smallest power of two that is not below it."""
    return 1 << (number - 1).bit_length()
