"""The trained network as two ONNX files, with weights in half precision and arithmetic in full."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from services.speech.model.text2speech.encoder import FRAME_WEIGHTS, SYMBOL_WEIGHTS
from services.speech.model.text2speech.network import PLACES, STYLE, SYMBOLS, WIDTH, Network
from services.training.export import export_onnx

TOLERANCE = 5e-3
"""Largest difference of an output, as a part of its largest value: what half precision of the weights costs."""


class _OfSymbols(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.part = network.symbols

    def forward(self, tokens: Tensor, style: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inner, long, known = self.part(tokens, style, torch.ones_like(tokens, dtype=style.dtype)[..., None])
        return inner, long, known


class _OfFrames(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.part = network.frames

    def forward(self, known: Tensor, places: Tensor, style: Tensor) -> Tensor:
        said: Tensor = self.part(known, places, style, torch.ones_like(places[..., :1]))
        return said


def export(network: Network, symbols: Path = SYMBOL_WEIGHTS, frames: Path = FRAME_WEIGHTS) -> float:
    """Writes both. Returns by how much an output differs at most; see `export_onnx`."""
    many = {1: "symbols"}
    first = export_onnx(
        _OfSymbols(network),
        _symbols(30, seed=1),
        symbols,
        TOLERANCE,
        outputs=("inner", "long", "known"),
        axes={"tokens": many, "inner": many, "long": many, "known": many},
        others=[_symbols(count, seed=count) for count in (3, 150)],
        half=True,
    )
    many = {1: "steps"}
    second = export_onnx(
        _OfFrames(network),
        _frames(80, seed=1),
        frames,
        TOLERANCE,
        outputs=("said",),
        axes={"known": many, "places": many, "said": many},
        others=[_frames(count, seed=count) for count in (2, 500)],
        half=True,
    )
    return max(first, second)


def _symbols(count: int, seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {
        "tokens": torch.randint(0, SYMBOLS, (1, count), generator=random),
        "style": torch.randn((1, STYLE), generator=random) * 0.2,
    }


def _frames(count: int, seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {
        "known": torch.randn((1, count, WIDTH), generator=random),
        "places": torch.rand((1, count, PLACES), generator=random),
        "style": torch.randn((1, STYLE), generator=random) * 0.2,
    }
