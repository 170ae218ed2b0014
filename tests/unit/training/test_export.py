"""A network is exported only when the file computes what it does; the card tells of the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from loadtests.training.tiny import Counting
from services.training.card import card
from services.training.export import NotTheSame, export_onnx
from services.training.loop import fit
from tests.unit.training.ranks import OPTIONS


class Wide(nn.Module):
    """Large enough for its matrix to be halved."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        """[frames, 64]"""
        out: Tensor = self.matrix(x)
        return out


class Noisy(Wide):
    """Never says the same twice."""

    def forward(self, x: Tensor) -> Tensor:
        """[frames, 64]"""
        return super().forward(x) + torch.randn_like(x)


@pytest.mark.parametrize("half", [False, True])
def test_the_file_computes_what_the_network_does_at_other_lengths_too(tmp_path: Path, half: bool) -> None:
    path, example = tmp_path / "wide.onnx", {"x": torch.randn(3, 64)}
    axes = {"x": {0: "frames"}}
    worst = export_onnx(Wide(), example, path, 1e-2, axes=axes, others=[{"x": torch.randn(9, 64)}], half=half)
    assert (worst < 1e-5) != half
    assert (path.stat().st_size < 12_000) == half
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.zeros((5, 64), dtype=np.float32)})[0].shape == (5, 64)
    assert [file.name for file in tmp_path.iterdir()] == ["wide.onnx"]


def test_a_file_that_computes_something_else_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "wide.onnx"
    path.write_bytes(b"what was there")
    with pytest.raises(NotTheSame, match="outputs differ"):
        export_onnx(Noisy(), {"x": torch.randn(3, 64)}, path, 1e-2)
    assert path.read_bytes() == b"what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["wide.onnx"]


def test_the_card_tells_of_data_seed_commit_and_figures(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=20)
    fit(Counting(options), tmp_path / "run", options)
    path = tmp_path / "README.md"
    card(
        path,
        tmp_path / "run",
        title="Counting",
        about="It adds.",
        data="Random words.",
        figures="| right |",
        again="    x",
    )
    text = path.read_text()
    for part in (
        "# Counting",
        "It adds.",
        "Random words.",
        "20 steps of 8 examples",
        "seed 2112",
        "| right |",
        "losses.svg",
    ):
        assert part in text
    assert (tmp_path / "losses.svg").exists()


def test_without_a_run_there_is_no_card(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train first"):
        card(tmp_path / "README.md", tmp_path, title="", about="", data="", figures="", again="")
    assert not (tmp_path / "README.md").exists()
