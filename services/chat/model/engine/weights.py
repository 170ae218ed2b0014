"""A decoder's weights on their device, joined so that fewer and larger products are computed.

Read from a folder as it is published: `config.json` and safetensors, in one file or several with an index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from services.chat.model.engine.shape import CannotDecode, Shape

ONE, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's; matrices are [out, in]."""

    before: Tensor
    qkv: Tensor
    """Queries, keys and values, one below the other."""
    bias: Tensor | None
    out: Tensor
    between: Tensor
    gate_up: Tensor
    down: Tensor


@dataclass(frozen=True, slots=True)
class Weights:
    """All of them."""

    shape: Shape
    embedding: Tensor
    layers: tuple[Layer, ...]
    norm: Tensor
    head: Tensor

    @property
    def bytes(self) -> int:
        """That a step reads: all but the embedding, of which it reads a row, unless the head is the same matrix."""
        parts = [part for layer in self.layers for part in (layer.qkv, layer.out, layer.gate_up, layer.down)]
        return sum(part.nbytes for part in (*parts, self.head))

    @classmethod
    def of(cls, shape: Shape, named: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> Weights:
        """From weights by their published names. Raises CannotDecode when one is missing or has another shape."""

        def take(name: str, *size: int) -> Tensor:
            if name not in named:
                raise CannotDecode(f"the weight {name} is missing. Mend: download the checkpoint again")
            if tuple(named[name].shape) != size:
                raise CannotDecode(f"the weight {name} is {tuple(named[name].shape)} and not {size} large")
            return named[name].to(device, dtype)

        queries, keys, width = shape.heads * shape.size, shape.kv_heads * shape.size, shape.width
        layers = []
        for number in range(shape.layers):
            own = f"model.layers.{number}"
            parts = {"q": queries, "k": keys, "v": keys}
            biases = [take(f"{own}.self_attn.{part}_proj.bias", size) for part, size in parts.items() if shape.biased]
            layers.append(
                Layer(
                    before=take(f"{own}.input_layernorm.weight", width),
                    qkv=torch.cat([take(f"{own}.self_attn.{p}_proj.weight", size, width) for p, size in parts.items()]),
                    bias=torch.cat(biases) if biases else None,
                    out=take(f"{own}.self_attn.o_proj.weight", width, queries),
                    between=take(f"{own}.post_attention_layernorm.weight", width),
                    gate_up=torch.cat([take(f"{own}.mlp.{p}_proj.weight", shape.inner, width) for p in ("gate", "up")]),
                    down=take(f"{own}.mlp.down_proj.weight", width, shape.inner),
                )
            )
        embedding = take("model.embed_tokens.weight", shape.vocabulary, width)
        head = embedding if shape.tied else take("lm_head.weight", shape.vocabulary, width)
        return cls(shape, embedding, tuple(layers), take("model.norm.weight", width), head)


def read(folder: Path, device: torch.device, dtype: torch.dtype) -> Weights:
    """A published checkpoint. Raises CannotDecode when it is not whole or of an unknown kind."""
    from safetensors.torch import load_file

    try:
        shape = Shape.of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        files = {ONE}
        if (folder / INDEX).exists():
            files = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        named: dict[str, Tensor] = {}
        for file in sorted(files):
            named |= load_file(folder / file)
    except FileNotFoundError as missing:
        raise CannotDecode(f"{missing.filename} is missing. Mend: download the checkpoint again") from None
    return Weights.of(shape, named, device, dtype)
