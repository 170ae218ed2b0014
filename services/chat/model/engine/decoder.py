"""The arithmetic: tokens to logits over keys and values that lie still in memory, a row for each room."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from services.chat.model.engine.weights import Layer, Weights

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""Layer's number, queries, keys and values of the new tokens [tokens, heads, size] → [tokens, heads, size]."""


class Decoder:
    """Weights, and keys and values of `rows` rooms of up to `length` tokens each."""

    def __init__(self, weights: Weights, rows: int, length: int) -> None:
        shape, like = weights.shape, weights.embedding
        self.weights, self.rows, self.length = weights, rows, length
        size = (shape.layers, rows, shape.kv_heads, length, shape.size)
        self._keys, self._values = like.new_zeros(size), like.new_zeros(size)
        frequencies = torch.tensor(shape.frequencies, device=like.device, dtype=torch.float32)
        angles = torch.outer(torch.arange(length, device=like.device).float(), frequencies)
        angles = torch.cat((angles, angles), -1)
        self._cos, self._sin = angles.cos().to(like.dtype), angles.sin().to(like.dtype)
        self._places = torch.arange(length, device=like.device)
        self._row_numbers = torch.arange(rows, device=like.device)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.weights.embedding.device

    def begin(self, row: int, tokens: Tensor) -> Tensor:
        """Reads a text [tokens] into a row. The logits of what comes next, [1, vocabulary]."""
        count = len(tokens)

        def attend(number: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            key, value = key.transpose(0, 1), value.transpose(0, 1)
            self._keys[number, row, :, :count], self._values[number, row, :, :count] = key, value
            grouped = key.shape[0] != query.shape[1]
            told = F.scaled_dot_product_attention(
                query.transpose(0, 1)[None], key[None], value[None], is_causal=True, enable_gqa=grouped
            )
            return told[0].transpose(0, 1)

        return self._logits(self._through(tokens, self._places[:count], attend)[-1:])

    def step(self, tokens: Tensor, positions: Tensor, reach: int) -> Tensor:
        """One token [rooms] of each of the first rooms, at its position [rooms]. Logits [rooms, vocabulary].

        reach: more than any of the positions; what lies beyond is not looked at.
        """
        count = len(tokens)
        rows = self._row_numbers[:count]
        seen = (self._places[:reach] <= positions[:, None])[:, None, None]

        def attend(number: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            self._keys[number, rows, :, positions], self._values[number, rows, :, positions] = key, value
            # The queries that share a key go together, as if they were places of one text.
            groups = query.unflatten(1, (key.shape[1], -1))
            keys, values = self._keys[number, :count, :, :reach], self._values[number, :count, :, :reach]
            return F.scaled_dot_product_attention(groups, keys, values, attn_mask=seen).flatten(1, 2)

        return self._logits(self._through(tokens, positions, attend))

    def move(self, source: int, target: int, length: int) -> None:
        """Copies a row's keys and values over another's."""
        for kept in (self._keys, self._values):
            kept[:, target, :, :length] = kept[:, source, :, :length]

    def _through(self, tokens: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """[tokens, width] after all layers."""
        cos, sin = self._cos[positions][:, None], self._sin[positions][:, None]
        x = F.embedding(tokens, self.weights.embedding)
        for number, layer in enumerate(self.weights.layers):
            x = x + self._attention(number, layer, x, (cos, sin), attend)
            gate, up = F.linear(self._normed(x, layer.between), layer.gate_up).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, layer.down)
        return x

    def _attention(self, number: int, layer: Layer, x: Tensor, turns: tuple[Tensor, Tensor], attend: Attend) -> Tensor:
        shape = self.weights.shape
        joined = F.linear(self._normed(x, layer.before), layer.qkv, layer.bias).unflatten(-1, (-1, shape.size))
        query, key, value = joined.split((shape.heads, shape.kv_heads, shape.kv_heads), dim=1)
        told = attend(number, _turned(query, *turns), _turned(key, *turns), value)
        return F.linear(told.flatten(1), layer.out)

    def _normed(self, x: Tensor, gain: Tensor) -> Tensor:
        return F.rms_norm(x, gain.shape, gain, self.weights.shape.epsilon)

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self._normed(x, self.weights.norm), self.weights.head)


def _turned(values: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Values [tokens, heads, size] turned by their positions: the first half of a head with the second."""
    first, second = values.chunk(2, -1)
    return values * cos + torch.cat((-second, first), -1) * sin
