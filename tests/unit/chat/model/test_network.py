"""The network in PyTorch, in plain NumPy and exported compute the same, from the cache as from the whole text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.chat.model import config, weights
from services.chat.model.config import SIZES, Config
from services.chat.model.decoder import Decoder

Floats = NDArray[np.float32]
TOKENS = [0, 3, 40, 41, 77, 9, 4, 60, 61, 12]


def by_hand(shape: Config, tensors: dict[str, NDArray[Any]], tokens: list[int]) -> Floats:
    """The logits of the last place, written down from the papers, head by head and place by place."""
    wide = {name: np.asarray(values, np.float64) for name, values in tensors.items()}
    values = wide["model.embed_tokens.weight"][tokens]

    def norm(rows: Any, name: str) -> Any:
        return rows / np.sqrt((rows**2).mean(-1, keepdims=True) + shape.epsilon) * wide[f"{name}.weight"]

    def turned(vector: Any, place: int) -> Any:
        half = shape.size // 2
        angles = place / shape.theta ** (np.arange(half) * 2 / shape.size)
        first, second = vector[:half], vector[half:]
        return np.concatenate(
            [first * np.cos(angles) - second * np.sin(angles), second * np.cos(angles) + first * np.sin(angles)]
        )

    for number in range(shape.layers):
        layer = f"model.layers.{number}"
        rows = norm(values, f"{layer}.input_layernorm")
        query, key, value = (rows @ wide[f"{layer}.self_attn.{part}_proj.weight"].T for part in "qkv")
        told = np.zeros_like(query)
        for head in range(shape.heads):
            own = slice(head * shape.size, (head + 1) * shape.size)
            group = head // (shape.heads // shape.kv_heads)
            shared = slice(group * shape.size, (group + 1) * shape.size)
            for place in range(len(tokens)):
                at = turned(query[place, own], place)
                scores = np.array([at @ turned(key[seen, shared], seen) for seen in range(place + 1)])
                shares = np.exp(scores / shape.size**0.5)
                told[place, own] = shares / shares.sum() @ value[: place + 1, shared]
        values = values + told @ wide[f"{layer}.self_attn.o_proj.weight"].T
        rows = norm(values, f"{layer}.post_attention_layernorm")
        gate = rows @ wide[f"{layer}.mlp.gate_proj.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (rows @ wide[f"{layer}.mlp.up_proj.weight"].T)
        values = values + inner @ wide[f"{layer}.mlp.down_proj.weight"].T
    logits: Floats = norm(values[-1], "model.norm") @ wide["model.embed_tokens.weight"].T
    return logits


def test_the_exported_network_computes_what_is_written_down(folder: Path) -> None:
    decoder = Decoder(folder)
    logits, _ = decoder.read(TOKENS, decoder.begin())
    wanted = by_hand(config.read(folder), dict(weights.read(folder / weights.NAME)), TOKENS)
    assert np.abs(logits - wanted).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("cut", [1, 5, 9])
def test_the_cache_gives_what_the_whole_text_gives(folder: Path, cut: int) -> None:
    decoder = Decoder(folder)
    whole, cache = decoder.read(TOKENS, decoder.begin())
    _, past = decoder.read(TOKENS[:cut], decoder.begin())
    for token in TOKENS[cut:]:
        logits, past = decoder.read([token], past)
    assert np.abs(logits - whole).max() < 1e-4
    assert np.abs(past - cache).max() < 1e-4


def test_in_pytorch_too_the_cache_gives_what_the_whole_text_gives() -> None:
    torch = pytest.importorskip("torch")
    from services.chat.model.network import Network

    torch.manual_seed(2)
    network = Network(Config(width=32, layers=2, heads=4, kv_heads=2, inner=48, vocabulary=90)).eval()
    tokens = torch.tensor([TOKENS, TOKENS[::-1]])
    with torch.no_grad():
        whole, cache = network(tokens)
        _, past = network(tokens[:, :4])
        rest, kept = network(tokens[:, 4:], past)
    assert torch.allclose(rest, whole[:, 4:], atol=1e-5)
    assert torch.allclose(kept, cache, atol=1e-5)


@pytest.mark.parametrize("name", SIZES)
def test_every_named_size_has_the_weights_that_its_shape_says(name: str) -> None:
    torch = pytest.importorskip("torch")
    from services.chat.model.network import Network, parallel_plan

    shape = SIZES[name]
    with torch.device("meta"):
        network = Network(shape)
    assert sum(weight.numel() for weight in network.parameters()) == shape.parameters
    modules = dict(network.named_modules())
    assert parallel_plan(shape).keys() <= modules.keys()
    assert Config.of(shape.published(bos=0, eos=1)) == shape


def test_the_largest_sizes_are_those_they_are_named_after() -> None:
    assert SIZES["7b"].parameters == pytest.approx(6.74e9, rel=0.01)
    assert SIZES["1.3b"].parameters == pytest.approx(1.3e9, rel=0.05)
    assert SIZES["125m"].parameters == pytest.approx(125e6, rel=0.15)


def test_training_can_go_on_from_the_exported_weights(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    from services.chat.model.network import Network

    network = Network(config.read(folder)).eval()
    weights.load_into(network, folder / weights.NAME)
    decoder = Decoder(folder)
    wanted, _ = decoder.read(TOKENS, decoder.begin())
    with torch.no_grad():
        given = network(torch.tensor([TOKENS]))[0][0, -1].numpy()
    assert np.abs(given - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_the_weights_of_another_network_are_refused(folder: Path) -> None:
    pytest.importorskip("torch")
    from services.chat.model.network import Network

    with pytest.raises(ValueError, match="another network's weights"):
        weights.load_into(Network(SIZES["mini"]), folder / weights.NAME)
