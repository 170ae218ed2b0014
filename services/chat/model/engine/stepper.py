"""One step of all rooms: decode and choose, on CUDA as a recorded graph that starts with a single call.

A graph has fixed sizes, so there is one for each power of two of rooms and of reach. What a step chose lies where the
next one reads it: while the same rooms go on, nothing is sent to the device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from services.chat.model.engine.decoder import Decoder
from services.chat.model.engine.sampling import sample

SHORTEST = 128
"""Tokens that the shortest graph looks back."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a step reads, a number for each room."""

    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    heat: tuple[float, ...]
    top_p: tuple[float, ...]
    seeds: tuple[int, ...]


class Stepper:
    """Steps the first rows of a decoder."""

    def __init__(self, decoder: Decoder, *, graphs: bool | None = None) -> None:
        """graphs: whether to record them; by default on CUDA only."""
        self._decoder, self._device = decoder, decoder.device
        self._recorded = graphs if graphs is not None else self._device.type == "cuda"
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._numbers = torch.zeros(3, decoder.rows, dtype=torch.long, device=self._device)
        """Tokens, positions and seeds; always at the same place in memory."""
        self._chances = torch.ones(2, decoder.rows, device=self._device)
        """Heat and top_p."""
        self._there: Inputs | None = None
        """What of these the device holds."""

    def __call__(self, given: Inputs, reach: int) -> list[int]:
        """The next token of each room. reach: more than any position."""
        count = len(given.tokens)
        self._tell(given)
        if not self._recorded:
            chosen = self._step(count, reach)
        else:
            rows, length = self._decoder.rows, self._decoder.length
            sizes = min(_power(count), rows), min(max(_power(reach), SHORTEST), length)
            if sizes not in self._graphs:
                self._graphs[sizes] = self._record(*sizes)
                self._there = None
                self._tell(given)
            graph, chosen = self._graphs[sizes]
            graph.replay()
        tokens = list(chosen[:count].tolist())
        self._there = replace(given, tokens=tuple(tokens), positions=tuple(place + 1 for place in given.positions))
        return tokens

    def _tell(self, given: Inputs) -> None:
        if given == self._there:
            return
        count = len(given.tokens)
        self._numbers[:, :count].copy_(torch.tensor((given.tokens, given.positions, given.seeds)))
        self._chances[:, :count].copy_(torch.tensor((given.heat, given.top_p)))

    def _step(self, count: int, reach: int) -> Tensor:
        tokens, positions, seeds = self._numbers[:, :count]
        heat, top_p = self._chances[:, :count]
        chosen = sample(self._decoder.step(tokens, positions, reach), heat, top_p, seeds, positions)
        tokens.copy_(chosen)
        # Rows without a room go on too, but never beyond the memory.
        positions.add_(1).clamp_(max=self._decoder.length - 1)
        return chosen

    def _record(self, count: int, reach: int) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        # What these steps write beyond the rooms' texts, in their rows and others', is overwritten before it is read.
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
