"""The trained network as an ONNX file, with weights in half precision and arithmetic in full."""

from __future__ import annotations

from pathlib import Path

import torch

from services.speech.model.letters.letters import LETTERS, WEIGHTS
from services.speech.model.letters.network import Network
from services.training.export import export_onnx

TOLERANCE = 2e-2
"""Largest difference of a logit, as a part of the largest: what half precision of the weights costs."""


def export(network: Network, path: Path = WEIGHTS) -> float:
    """Writes it. Returns by how much an output differs at most; see `export_onnx`."""

    def words(count: int, letters: int) -> dict[str, torch.Tensor]:
        random = torch.Generator().manual_seed(letters)
        return {"letters": torch.randint(1, len(LETTERS) + 1, (count, letters), generator=random)}

    axes = {"letters": {0: "words", 1: "letters"}, "sounds": {0: "words", 1: "slots"}}
    others = [words(1, 1), words(7, 24)]
    return export_onnx(network, words(2, 9), path, TOLERANCE, outputs=("sounds",), axes=axes, others=others, half=True)
