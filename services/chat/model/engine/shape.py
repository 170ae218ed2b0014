"""The shapes that the engine decodes: Llama's, and Qwen2's, which adds a bias to queries, keys and values.

Names are those of a published `config.json`: https://huggingface.co/docs/transformers/model_doc/llama, …/qwen2
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = {"llama": False, "qwen2": True}
"""Published kind → whether queries, keys and values have a bias."""


class CannotDecode(Exception):
    """A checkpoint of a kind that the engine does not know, or that is not whole."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How Llama 3.1 and later turn slowly in longer contexts than they began with."""

    factor: float
    low: float
    high: float
    before: int
    """The context in tokens before it was stretched."""

    def __call__(self, frequency: float) -> float:
        """The frequency of a pair of a head's values, in radians a token."""
        turns = self.before * frequency / (2 * math.pi)
        if turns >= self.high:
            return frequency
        if turns <= self.low:
            return frequency / self.factor
        own = (turns - self.low) / (self.high - self.low)
        return frequency * (own + (1 - own) / self.factor)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a decoder."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    size: int
    """Width of a head."""
    inner: int
    vocabulary: int
    context: int
    theta: float
    epsilon: float
    tied: bool
    biased: bool
    stretch: Stretch | None = None

    @classmethod
    def of(cls, published: Mapping[str, Any]) -> Shape:
        """What a `config.json` says. Raises CannotDecode for a network of another kind."""
        kind = published.get("model_type")
        if kind not in KINDS or published.get("hidden_act", "silu") != "silu":
            raise CannotDecode(f"networks of kind {kind} are unknown. Mend: a checkpoint of Llama's or Qwen2's shape")
        if published.get("use_sliding_window") or published.get("mlp_bias"):
            raise CannotDecode("sliding windows and biases of the inner part are unknown. Mend: another checkpoint")
        try:
            heads, width = int(published["num_attention_heads"]), int(published["hidden_size"])
            return cls(
                width=width,
                layers=int(published["num_hidden_layers"]),
                heads=heads,
                kv_heads=int(published.get("num_key_value_heads") or heads),
                size=int(published.get("head_dim") or width // heads),
                inner=int(published["intermediate_size"]),
                vocabulary=int(published["vocab_size"]),
                context=int(published["max_position_embeddings"]),
                theta=float(published.get("rope_theta", 10_000.0)),
                epsilon=float(published["rms_norm_eps"]),
                tied=bool(published.get("tie_word_embeddings", False)),
                biased=KINDS[kind] or bool(published.get("attention_bias", False)),
                stretch=_stretch(published.get("rope_scaling")),
            )
        except KeyError as missing:
            raise CannotDecode(f"config.json lacks {missing}. Mend: download the checkpoint again") from None

    @property
    def frequencies(self) -> list[float]:
        """Of the rotary positions, for each pair of a head's values, in radians a token."""
        plain = [self.theta ** (-2 * pair / self.size) for pair in range(self.size // 2)]
        return plain if self.stretch is None else [self.stretch(frequency) for frequency in plain]


def _stretch(scaling: Mapping[str, Any] | None) -> Stretch | None:
    if scaling is None:
        return None
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise CannotDecode(f"positions scaled in the way {kind} are unknown. Mend: remove rope_scaling, or another one")
    factor, low, high = (float(scaling[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    return Stretch(factor, low, high, int(scaling["original_max_position_embeddings"]))
