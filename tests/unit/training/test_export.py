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
from services import cli
from services.training.card import card
from services.training.export import NotTheSame, export_onnx
from services.training.loop import fit
from services.training.weights import read_back
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


class Deep(nn.Module):
    """Has what exporters take apart: a matrix used row by row, matrices that are turned, zeros, buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(3, 64))
        self.wide, self.back = nn.Linear(64, 64), nn.Linear(64, 64)
        nn.init.zeros_(self.back.bias)
        self.register_buffer("spread", torch.ones(64))

    def forward(self, x: Tensor) -> Tensor:
        """[frames, 64]"""
        rows = sum(x * self.rows[index] for index in range(3))
        out: Tensor = self.back(torch.relu(self.wide(rows))) * self.spread
        return out


def _exported(network: nn.Module, path: Path) -> Path:
    export_onnx(network, {"x": torch.randn(3, 64)}, path, 1e-2, half=True)
    return path


def test_an_exported_network_can_be_gone_on_with(tmp_path: Path) -> None:
    trained, fresh = Deep(), Deep()
    with torch.no_grad():
        for value in trained.state_dict().values():
            value.add_(torch.randn_like(value))
    path = _exported(trained, tmp_path / "trained.onnx")
    read_back(fresh, [path], lambda files: _exported(fresh, files[0]))
    for name, value in trained.state_dict().items():
        assert torch.allclose(fresh.state_dict()[name], value, rtol=1e-3), name


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path, fresh = _exported(Wide(), tmp_path / "wide.onnx"), Deep()
    with pytest.raises(ValueError, match="another network"):
        read_back(fresh, [path], lambda files: _exported(fresh, files[0]))


def test_a_new_run_begins_with_the_weights_that_it_is_given_and_an_old_one_with_its_own(tmp_path: Path) -> None:
    begun: list[nn.Module] = []

    def begin(network: nn.Module) -> None:
        begun.append(network)
        for weight in network.parameters():
            nn.init.constant_(weight, 0.25)

    still = replace(OPTIONS, steps=1, rate=0.0, average=None)
    given = fit(Counting(still), tmp_path, still, begin=begin)
    assert all(torch.all(weight == 0.25) for weight in given.parameters())
    fit(Counting(still), tmp_path, still, begin=begin)
    assert len(begun) == 1


@pytest.mark.parametrize(
    ("name", "can"), [("vocoder", True), ("speech", True), ("motion", True), ("chat", True), ("letters", False)]
)
def test_only_programs_that_can_go_on_offer_it(name: str, can: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", name, "--help"])
    assert ("--go-on" in capsys.readouterr().out) == can
