"""The same networks written once more, as plainly as can be: no memory, no batch, every matrix by itself."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 97,
    "max_position_embeddings": 256,
    "rope_theta": 10_000.0,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
QWEN: dict[str, Any] = {**LLAMA, "model_type": "qwen2", "tie_word_embeddings": True, "rope_theta": 1e6}
STRETCHED: dict[str, Any] = {
    **LLAMA,
    "head_dim": 16,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
}


def random_weights(published: dict[str, Any], seed: int = 3) -> dict[str, Tensor]:
    """By their published names."""
    generator = torch.Generator().manual_seed(seed)
    width, heads = published["hidden_size"], published["num_attention_heads"]
    size = published.get("head_dim", width // heads)
    queries, keys, inner = heads * size, published["num_key_value_heads"] * size, published["intermediate_size"]
    sizes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (published["vocab_size"], width)}
    for number in range(published["num_hidden_layers"]):
        own = f"model.layers.{number}"
        for part, out in {"q": queries, "k": keys, "v": keys}.items():
            sizes[f"{own}.self_attn.{part}_proj.weight"] = (out, width)
            if published["model_type"] == "qwen2":
                sizes[f"{own}.self_attn.{part}_proj.bias"] = (out,)
        sizes[f"{own}.self_attn.o_proj.weight"] = (width, queries)
        sizes |= {f"{own}.mlp.{part}_proj.weight": (inner, width) for part in ("gate", "up")}
        sizes[f"{own}.mlp.down_proj.weight"] = (width, inner)
        sizes |= {f"{own}.{part}_layernorm.weight": (width,) for part in ("input", "post_attention")}
    sizes["model.norm.weight"] = (width,)
    if not published["tie_word_embeddings"]:
        sizes["lm_head.weight"] = (published["vocab_size"], width)
    return {
        name: torch.randn(size, generator=generator) * (0.3 if len(size) > 1 else 1.0) for name, size in sizes.items()
    }


def published(folder: Path, shape: dict[str, Any], weights: dict[str, Tensor], files: int = 1) -> Path:
    """A folder as checkpoints are published, in one file or several."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(shape))
    if files == 1:
        save_file(weights, folder / "model.safetensors")
        return folder
    where = {name: f"model-{number % files}.safetensors" for number, name in enumerate(weights)}
    for file in set(where.values()):
        save_file({name: weights[name] for name in weights if where[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


def logits(shape: dict[str, Any], weights: dict[str, Tensor], tokens: list[int]) -> Tensor:
    """Of what follows each token, [tokens, vocabulary]."""
    heads, kv_heads = shape["num_attention_heads"], shape["num_key_value_heads"]
    size = shape.get("head_dim", shape["hidden_size"] // heads)
    x = weights["model.embed_tokens.weight"][tokens]

    def normed(x: Tensor, name: str) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + shape["rms_norm_eps"]).sqrt() * weights[name]

    def turned(x: Tensor) -> Tensor:
        out = torch.empty_like(x)
        for place in range(len(tokens)):
            for pair in range(size // 2):
                angle = place * frequency(shape, pair, size)
                a, b = x[place, pair], x[place, pair + size // 2]
                out[place, pair] = a * math.cos(angle) - b * math.sin(angle)
                out[place, pair + size // 2] = b * math.cos(angle) + a * math.sin(angle)
        return out

    for number in range(shape["num_hidden_layers"]):
        own = f"model.layers.{number}"
        y = normed(x, f"{own}.input_layernorm.weight")
        q, k, v = (
            y @ weights[f"{own}.self_attn.{p}_proj.weight"].T + weights.get(f"{own}.self_attn.{p}_proj.bias", 0)
            for p in "qkv"
        )
        told = []
        for head in range(heads):
            group = head // (heads // kv_heads)
            mine, theirs = slice(head * size, (head + 1) * size), slice(group * size, (group + 1) * size)
            scores = turned(q[:, mine]) @ turned(k[:, theirs]).T / math.sqrt(size)
            later = torch.ones(len(tokens), len(tokens)).triu(1).bool()
            told.append(scores.masked_fill(later, -torch.inf).softmax(-1) @ v[:, theirs])
        x = x + torch.cat(told, -1) @ weights[f"{own}.self_attn.o_proj.weight"].T
        y = normed(x, f"{own}.post_attention_layernorm.weight")
        gate, up = (y @ weights[f"{own}.mlp.{p}_proj.weight"].T for p in ("gate", "up"))
        x = x + (gate * torch.sigmoid(gate) * up) @ weights[f"{own}.mlp.down_proj.weight"].T
    head_name = "model.embed_tokens.weight" if shape["tie_word_embeddings"] else "lm_head.weight"
    return normed(x, "model.norm.weight") @ weights[head_name].T


def frequency(shape: dict[str, Any], pair: int, size: int) -> float:
    """In radians a token."""
    plain: float = shape["rope_theta"] ** (-2 * pair / size)
    scaling = shape.get("rope_scaling")
    if scaling is None:
        return plain
    length = 2 * math.pi / plain
    before, low, high = (
        scaling[name] for name in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor")
    )
    if length < before / high:
        return plain
    if length > before / low:
        return plain / float(scaling["factor"])
    smooth: float = (before / length - low) / (high - low)
    return (1 - smooth) * plain / float(scaling["factor"]) + smooth * plain


def greedy(shape: dict[str, Any], weights: dict[str, Tensor], tokens: list[int], count: int) -> list[int]:
    """The likeliest tokens that follow."""
    for _ in range(count):
        tokens = [*tokens, int(logits(shape, weights, tokens)[-1].argmax())]
    return tokens[-count:]
