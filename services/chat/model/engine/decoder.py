"""The arithmetic: tokens to logits over keys and values that lie still in memory, a row for each room."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from services.chat.model.engine.shape import Shape
from services.chat.model.engine.weights import Weights


@lru_cache(maxsize=1)
def fused() -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """`layer_step` and `ending` with what lies between two products of matrices in one kernel: a GPU would otherwise
    wait longer for kernels to begin than for its memory.
    """
    options = {"max_autotune_pointwise": True}
    return torch.compile(layer_step, options=options), torch.compile(ending, options=options)


class Decoder:
    """Weights, and keys and values of `rows` rooms of up to `length` tokens each."""

    def __init__(self, weights: Weights, rows: int, length: int, *, compiled: bool | None = None) -> None:
        """compiled: whether steps are, which takes half a minute before the first; by default on CUDA only."""
        shape, like = weights.shape, weights.embedding
        compiled = like.device.type == "cuda" if compiled is None else compiled
        self._layer_step: Callable[..., Tensor] = fused()[0] if compiled else layer_step
        self._ending: Callable[..., Tensor] = fused()[1] if compiled else ending
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
        count, shape = len(tokens), self.weights.shape
        cos, sin = self._cos[:count, None], self._sin[:count, None]
        x = F.embedding(tokens, self.weights.embedding)
        for number, layer in enumerate(self.weights.layers):
            query, key, value = asked(x, layer.before, layer.qkv, layer.bias, cos, sin, shape)
            key, value = key.transpose(0, 1), value.transpose(0, 1)
            self._keys[number, row, :, :count], self._values[number, row, :, :count] = key, value
            grouped = key.shape[0] != query.shape[1]
            told = F.scaled_dot_product_attention(
                query.transpose(0, 1)[None], key[None], value[None], is_causal=True, enable_gqa=grouped
            )
            x = thought(x, told[0].transpose(0, 1), layer.out, layer.between, layer.gate_up, layer.down, shape)
        return ending(x[-1:], self.weights.norm, self.weights.head, shape)

    def step(self, tokens: Tensor, positions: Tensor, reach: int) -> Tensor:
        """One token [rooms] of each of the first rooms, at its position [rooms]. Logits [rooms, vocabulary].

        reach: more than any of the positions; what lies beyond is not looked at.
        """
        shape, rows = self.weights.shape, self._row_numbers[: len(tokens)]
        seen = (self._places[:reach] <= positions[:, None])[:, None, None]
        cos, sin = self._cos[positions][:, None], self._sin[positions][:, None]
        x = F.embedding(tokens, self.weights.embedding)
        for number, layer in enumerate(self.weights.layers):
            own = (layer.before, layer.qkv, layer.bias, layer.out, layer.between, layer.gate_up, layer.down)
            kept = (self._keys[number], self._values[number])
            x = self._layer_step(x, *own, *kept, rows, positions, seen, cos, sin, shape)
        return self._ending(x, self.weights.norm, self.weights.head, shape)

    def move(self, source: int, target: int, length: int) -> None:
        """Copies a row's keys and values over another's."""
        for kept in (self._keys, self._values):
            kept[:, target, :, :length] = kept[:, source, :, :length]


def layer_step(
    x: Tensor,
    before: Tensor,
    qkv: Tensor,
    bias: Tensor | None,
    out: Tensor,
    between: Tensor,
    gate_up: Tensor,
    down: Tensor,
    keys: Tensor,
    values: Tensor,
    rows: Tensor,
    positions: Tensor,
    seen: Tensor,
    cos: Tensor,
    sin: Tensor,
    shape: Shape,
) -> Tensor:
    """A layer's part of a step, [rooms, width] → the same. Tensors one by one, for all layers are one compiled program.

    keys, values: the layer's, [rows, kv_heads, length, size]; those of the new tokens are added.
    """
    query, key, value = asked(x, before, qkv, bias, cos, sin, shape)
    keys[rows, :, positions], values[rows, :, positions] = key, value
    # The queries that share a key go together, as if they were places of one text.
    groups = query.unflatten(1, (shape.kv_heads, -1))
    count, reach = len(x), seen.shape[-1]
    told = F.scaled_dot_product_attention(
        groups, keys[:count, :, :reach], values[:count, :, :reach], attn_mask=seen
    ).flatten(1, 2)
    return thought(x, told, out, between, gate_up, down, shape)


def asked(
    x: Tensor, before: Tensor, qkv: Tensor, bias: Tensor | None, cos: Tensor, sin: Tensor, shape: Shape
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of the tokens, each [tokens, heads, size]."""
    joined = product(normed(x, before, shape), qkv, bias).unflatten(-1, (-1, shape.size))
    query, key, value = joined.split((shape.heads, shape.kv_heads, shape.kv_heads), dim=1)
    return turned(query, cos, sin), turned(key, cos, sin), value


def thought(
    x: Tensor, told: Tensor, out: Tensor, between: Tensor, gate_up: Tensor, down: Tensor, shape: Shape
) -> Tensor:
    """What a layer makes of its tokens [tokens, width] and of what they were told [tokens, heads, size]."""
    x = x + product(told.flatten(1), out)
    gate, up = product(normed(x, between, shape), gate_up).chunk(2, -1)
    return x + product(F.silu(gate) * up, down)


def ending(x: Tensor, norm: Tensor, head: Tensor, shape: Shape) -> Tensor:
    """The logits [tokens, vocabulary]."""
    return product(normed(x, norm, shape), head)


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """[tokens, out] of x [tokens, in] and a matrix [out, in]."""
    if len(x) > 1 or not torch.compiler.is_compiling():
        return F.linear(x, weight, bias)
    # Of one row, as a sum that is one kernel with what makes the row: nothing but the matrix is read then.
    told = (x * weight).sum(-1, dtype=torch.float32).to(x.dtype)[None]
    return told if bias is None else told + bias


def normed(x: Tensor, gain: Tensor, shape: Shape) -> Tensor:
    """RMSNorm."""
    return F.rms_norm(x, gain.shape, gain, shape.epsilon)


def turned(values: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Values [tokens, heads, size] turned by their positions: the first half of a head with the second."""
    first, second = values.chunk(2, -1)
    return values * cos + torch.cat((-second, first), -1) * sin
