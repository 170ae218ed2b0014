"""In fp16 an overflow costs one step and halves the scale; elsewhere it ends the run before it spoils the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from loadtests.training.tiny import Counting
from services.training import checkpoint
from services.training.loop import fit
from services.training.precision import INTERVAL, SMALLEST, START, Diverged, Scaler
from services.training.report import rows
from tests.unit.training.ranks import OPTIONS

HALF = replace(OPTIONS, precision="fp16", average=None, steps=20)


def test_an_infinite_gradient_skips_the_step_and_halves_the_scale(tmp_path: Path) -> None:
    network = fit(Counting(HALF, poison=frozenset({4, 7})), tmp_path, HALF)
    kept = checkpoint.newest(tmp_path)
    assert kept is not None
    assert checkpoint.numbers(kept)["scaler"] == {"scale": START / 4, "good": 12, "skipped": 2}
    assert all(torch.isfinite(weight).all() for weight in network.parameters())


def test_a_skipped_step_changes_no_weight(tmp_path: Path) -> None:
    before = fit(Counting(HALF), tmp_path / "before", HALF, 4)
    after = fit(Counting(HALF, poison=frozenset({4})), tmp_path / "after", HALF, 5)
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))


def test_the_scale_does_not_show_in_what_is_learned(tmp_path: Path) -> None:
    half = fit(Counting(HALF), tmp_path / "half", HALF)
    full = replace(HALF, precision="fp32")
    whole = fit(Counting(full), tmp_path / "full", full)
    assert float(rows(tmp_path / "half")[-1]["loss"]) == pytest.approx(
        float(rows(tmp_path / "full")[-1]["loss"]), rel=0.01
    )
    for one, other in zip(half.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0.02)


def test_the_scale_grows_after_many_good_steps() -> None:
    scaler = Scaler.of("fp16")
    for _ in range(INTERVAL):
        assert scaler.accepts(finite=True)
    assert scaler.scale == 2 * START
    assert scaler.good == 0


def test_a_run_whose_gradients_stay_infinite_ends() -> None:
    scaler = Scaler.of("fp16")
    with pytest.raises(Diverged, match="a lower rate"):
        for _ in range(100):
            scaler.accepts(finite=False)
    assert scaler.scale == SMALLEST


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_without_a_scale_an_infinite_gradient_ends_the_run_and_names_the_step(tmp_path: Path, precision: Any) -> None:
    options = replace(OPTIONS, precision=precision)
    with pytest.raises(Diverged, match="step 8: gradients are infinite"):
        fit(Counting(options, poison=frozenset({8})), tmp_path, options)
    kept = checkpoint.newest(tmp_path)
    assert kept is not None
    assert checkpoint.numbers(kept)["step"] == 6
