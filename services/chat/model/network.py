"""Her own network in PyTorch: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Every weight has the name that `LlamaForCausalLM` gives it. RMSNorm: arXiv 1910.07467; rotary positions: arXiv
2104.09864, in the halves form that this format uses; grouped queries: arXiv 2305.13245; SwiGLU: arXiv 2002.05202.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.chat.model.config import Config


class Norm(nn.Module):
    """Root mean square normalisation of the last axis."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, values: Tensor) -> Tensor:
        wide = values.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        return self.weight * wide.to(values.dtype)


class Attention(nn.Module):
    """Causal attention. How many heads there are is read from the projections: tensor parallel ranks have a part."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.size = config.size
        self.q_proj = nn.Linear(config.width, config.heads * config.size, bias=False)
        self.k_proj = nn.Linear(config.width, config.kv_heads * config.size, bias=False)
        self.v_proj = nn.Linear(config.width, config.kv_heads * config.size, bias=False)
        self.o_proj = nn.Linear(config.heads * config.size, config.width, bias=False)

    def forward(self, values: Tensor, turns: tuple[Tensor, Tensor], past: Tensor | None) -> tuple[Tensor, Tensor]:
        """Values [batch, new, width] and the layer's keys and values so far [2, batch, heads, old, size]."""
        query, key, value = (self._heads(part(values)) for part in (self.q_proj, self.k_proj, self.v_proj))
        query, key = turned(query, turns), turned(key, turns)
        if past is not None:
            key, value = torch.cat((past[0], key), 2), torch.cat((past[1], value), 2)
        new, whole = query.shape[2], key.shape[2]
        mask = None
        if past is not None and new > 1:
            mask = torch.ones(new, whole, dtype=torch.bool, device=values.device).tril(whole - new)
        told = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=past is None, enable_gqa=query.shape[1] != key.shape[1]
        )
        return self.o_proj(told.transpose(1, 2).flatten(2)), torch.stack((key, value))

    def _heads(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (-1, self.size)).transpose(1, 2)


class Gated(nn.Module):
    """The feed-forward part."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.inner, bias=False)
        self.up_proj = nn.Linear(config.width, config.inner, bias=False)
        self.down_proj = nn.Linear(config.inner, config.width, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        inner: Tensor = functional.silu(self.gate_proj(values)) * self.up_proj(values)
        out: Tensor = self.down_proj(inner)
        return out


class Layer(nn.Module):
    """Attention, then the feed-forward part, each beside the way through."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = Gated(config)
        self.input_layernorm = Norm(config.width, config.epsilon)
        self.post_attention_layernorm = Norm(config.width, config.epsilon)

    def forward(self, values: Tensor, turns: tuple[Tensor, Tensor], past: Tensor | None) -> tuple[Tensor, Tensor]:
        told, present = self.self_attn(self.input_layernorm(values), turns, past)
        values = values + told
        return values + self.mlp(self.post_attention_layernorm(values)), present


class Body(nn.Module):
    """Everything but the last matrix."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = Norm(config.width, config.epsilon)

    def forward(self, tokens: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        begin = 0 if past is None else past.shape[-2]
        values = self.embed_tokens(tokens)
        turns = rotations(self.config, begin, tokens.shape[1], values)
        presents = []
        for number, layer in enumerate(self.layers):
            values, present = layer(values, turns, None if past is None else past[number])
            presents.append(present)
        return self.norm(values), torch.stack(presents)


class Network(nn.Module):
    """Tokens in, the logits of the next ones out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.model = Body(config)
        self.lm_head = nn.Linear(config.width, config.vocabulary, bias=False)
        if config.tied:
            self.lm_head.weight = self.model.embed_tokens.weight
        # The parts that add to the way through begin smaller, the deeper the network is (GPT-2's rule).
        for name, weight in self.named_parameters():
            if weight.dim() > 1 and not weight.is_meta:
                scale = (2 * config.layers) ** -0.5 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0
                nn.init.normal_(weight, std=0.02 * scale)

    def forward(
        self, tokens: Tensor, past: Tensor | None = None, wanted: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens [batch, new] after `past`, the keys and values so far [layers, 2, batch, kv heads, old, size].

        Returns logits [batch, new, vocabulary] and keys and values with the new ones. With `wanted` [batch, new],
        true or false, only the logits of those places are computed, [places, vocabulary].
        """
        values, present = self.model(tokens, past)
        return self.lm_head(values if wanted is None else values[wanted]), present


def rotations(config: Config, begin: int, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of `count` positions from `begin` on, each [count, size]."""
    steps = torch.arange(0, config.size, 2, device=like.device).float() / config.size
    angles = torch.outer(torch.arange(begin, begin + count, device=like.device).float(), config.theta**-steps)
    angles = torch.cat((angles, angles), -1)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def turned(values: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Values [..., positions, size] turned by their positions: the first half of a head with the second."""
    first, second = values.chunk(2, -1)
    return values * turns[0] + torch.cat((-second, first), -1) * turns[1]


def parallel_plan(config: Config) -> dict[str, Any]:
    """How `parallelize_module` splits it over ranks: heads and inner units by columns, what joins them by rows.

    https://arxiv.org/abs/1909.08053 §3
    """
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel

    plan: dict[str, Any] = {}
    for number in range(config.layers):
        layer = f"model.layers.{number}"
        plan |= {f"{layer}.self_attn.{part}_proj": ColwiseParallel() for part in "qkv"}
        plan |= {f"{layer}.mlp.{part}_proj": ColwiseParallel() for part in ("gate", "up")}
        plan |= {f"{layer}.self_attn.o_proj": RowwiseParallel(), f"{layer}.mlp.down_proj": RowwiseParallel()}
    return plan
