"""The shape of her own network: a decoder of the Llama format, in named sizes.

The names of the fields in `config.json` are those of `LlamaForCausalLM`, so that other programs load the folder as it
is: https://huggingface.co/docs/transformers/model_doc/llama
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VOCABULARY = 4096


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of a decoder. `heads` is a multiple of `kv_heads`; each of them is `width / heads` wide."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    """Width inside the gated feed-forward part."""
    vocabulary: int = VOCABULARY
    context: int = 512
    """Longest text in tokens that it is trained for."""
    theta: float = 10_000.0
    """Base of the rotary positions."""
    epsilon: float = 1e-5
    tied: bool = True
    """Whether the first and the last matrix are one."""

    @property
    def size(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        attention = self.width * self.size * 2 * (self.heads + self.kv_heads)
        layer = attention + 3 * self.width * self.inner + 2 * self.width
        return self.layers * layer + self.width + self.vocabulary * self.width * (1 if self.tied else 2)

    def published(self, *, bos: int, eos: int, dtype: str = "float16") -> dict[str, Any]:
        """What `config.json` says."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.size,
            "intermediate_size": self.inner,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "rope_theta": self.theta,
            "rms_norm_eps": self.epsilon,
            "tie_word_embeddings": self.tied,
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "bos_token_id": bos,
            "eos_token_id": eos,
            "torch_dtype": dtype,
        }

    @classmethod
    def of(cls, published: Mapping[str, Any]) -> Config:
        """The shape that a `config.json` names. Raises KeyError, and ValueError for another kind of network."""
        if published["model_type"] != "llama" or published["hidden_act"] != "silu":
            raise ValueError("config.json describes no network of the Llama format. Mend: name another folder.")
        heads = int(published["num_attention_heads"])
        return cls(
            width=int(published["hidden_size"]),
            layers=int(published["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(published.get("num_key_value_heads", heads)),
            inner=int(published["intermediate_size"]),
            vocabulary=int(published["vocab_size"]),
            context=int(published["max_position_embeddings"]),
            theta=float(published.get("rope_theta", 10_000.0)),
            epsilon=float(published["rms_norm_eps"]),
            tied=bool(published.get("tie_word_embeddings", False)),
        )


SIZES: Mapping[str, Config] = {
    "mini": Config(width=192, layers=6, heads=6, kv_heads=2, inner=512),
    "small": Config(width=256, layers=6, heads=8, kv_heads=2, inner=704),
    "125m": Config(width=768, layers=12, heads=12, kv_heads=12, inner=2048, vocabulary=32_000, context=2048),
    "1.3b": Config(
        width=2048, layers=24, heads=16, kv_heads=16, inner=5504, vocabulary=32_000, context=2048, tied=False
    ),
    "7b": Config(
        width=4096, layers=32, heads=32, kv_heads=32, inner=11_008, vocabulary=32_000, context=4096, tied=False
    ),
}
"""`mini` and `small` are what two cores train and serve; `7b` is the shape of Llama 2."""


def read(folder: Path) -> Config:
    """The shape of the network in a folder. Raises OSError, KeyError, ValueError."""
    return Config.of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
