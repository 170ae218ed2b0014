"""A run learns, resumes as if it had never stopped, survives being killed, and tells how it goes."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from loadtests.training.tiny import Batch, Counting
from services.training import checkpoint
from services.training.ahead import made_ahead
from services.training.loop import fit
from services.training.parallel import moved
from services.training.report import rows
from services.training.task import rate_at
from tests.unit.training.ranks import OPTIONS


def _same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_run_learns_and_its_table_and_plot_say_so(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=60, rate=1e-2, average=None)
    fit(Counting(options), tmp_path, options)
    losses = [float(row["loss"]) for row in rows(tmp_path)]
    assert [row["step"] for row in rows(tmp_path)] == ["10", "20", "30", "40", "50", "60"]
    assert losses[-1] < 0.95 * losses[0]
    assert (tmp_path / "losses.svg").read_text().count("<polyline") == 2


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_a_stopped_run_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path, precision: Any) -> None:
    options = replace(OPTIONS, precision=precision, accumulate=2)
    task = Counting(options, drop=0.1)
    unbroken = fit(task, tmp_path / "unbroken", options)
    for until in (5, 7, None):
        stopped = fit(task, tmp_path / "stopped", options, until)
    assert _same(unbroken, stopped)


def test_batches_made_ahead_by_others_are_the_same_and_so_are_the_weights(tmp_path: Path) -> None:
    options = replace(OPTIONS, accumulate=2)
    alone = fit(Counting(options, drop=0.1), tmp_path / "alone", options)
    helped = replace(options, workers=2)
    for until in (5, None):
        together = fit(Counting(helped, drop=0.1), tmp_path / "together", helped, until)
    assert _same(alone, together)
    assert not multiprocessing.active_children()


def test_batches_are_asked_for_in_their_order_from_where_a_run_goes_on() -> None:
    options = replace(OPTIONS, accumulate=2)
    with made_ahead(lambda step, micro: (step, micro), 3, 5, options) as batches:
        assert list(batches) == [(3, 0), (3, 1), (4, 0), (4, 1)]


@dataclass(frozen=True, slots=True)
class Empty(Counting):
    """Has no data from the third step on."""

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Any:
        """As always, at first."""
        if step == 3:
            raise LookupError("the data have ended")
        return super(Empty, self).batch(step, micro, rank, ranks)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_goes_wrong_with_the_data_is_told_whoever_made_them(tmp_path: Path, workers: int) -> None:
    options = replace(OPTIONS, workers=workers)
    with pytest.raises(LookupError, match="the data have ended"):
        fit(Empty(options), tmp_path, options)
    gc.collect()
    assert not multiprocessing.active_children()


def test_a_run_killed_while_it_writes_a_checkpoint_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = fit(Counting(OPTIONS, drop=0.1), tmp_path / "unbroken", OPTIONS)
    folder = tmp_path / "killed"
    child = subprocess.run([sys.executable, "-m", "tests.unit.training.killed", str(folder)], check=False)
    assert child.returncode == -signal.SIGKILL
    kept = checkpoint.newest(folder)
    assert kept is not None
    assert checkpoint.numbers(kept)["step"] == 6
    assert list(folder.glob("*.part"))
    assert _same(unbroken, fit(Counting(OPTIONS, drop=0.1), folder, OPTIONS))
    assert not list(folder.glob("*.part"))


def test_a_killed_runs_table_goes_on_without_gaps_or_doubles(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=40, keep=20)
    fit(Counting(options), tmp_path, options, 20)
    with (tmp_path / "losses.csv").open("a") as table:
        table.write("30,1.0,0.5,0.1,1,1,0,9.0\r\n40,1.")
    fit(Counting(options), tmp_path, options)
    assert [row["step"] for row in rows(tmp_path)] == ["10", "20", "30", "40"]
    assert rows(tmp_path)[2]["loss"] != "1.0"


def test_only_the_newest_checkpoint_is_left(tmp_path: Path) -> None:
    fit(Counting(OPTIONS), tmp_path, OPTIONS)
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-0000012"]


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    fit(Counting(OPTIONS), tmp_path, OPTIONS, 2)
    other = replace(OPTIONS, seed=5)
    with pytest.raises(ValueError, match="seed was 2112 and is 5"):
        fit(Counting(other), tmp_path, other)


@dataclass(frozen=True, slots=True)
class Halves(Counting):
    """Two micro-batches that are the halves of one batch."""

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Any:
        """Rows of the whole batch."""
        batch, poisoned = super(Halves, self).batch(step, 0, rank, ranks)
        own = slice(4 * micro, 4 * micro + 4)
        return Batch(batch.words[own], batch.following[own]), poisoned


def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    at_once = fit(Counting(OPTIONS), tmp_path / "at once", OPTIONS)
    in_parts = replace(OPTIONS, accumulate=2)
    halves = fit(Halves(OPTIONS), tmp_path / "halves", in_parts)
    for one, other in zip(at_once.parameters(), halves.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_the_learning_rate_rises_stays_and_falls_to_nothing() -> None:
    options = replace(OPTIONS, steps=100, warm_up=10, decay=0.5, rate=1.0)
    assert rate_at(0, options) == pytest.approx(0.1)
    assert rate_at(9, options) == rate_at(50, options) == pytest.approx(1.0)
    assert rate_at(75, options) == pytest.approx(0.5)
    assert 0 < rate_at(99, options) < 0.01


@dataclass(frozen=True, slots=True)
class Watched(Counting):
    """Looks at the metrics while it is trained."""

    port: int = 0

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Any:
        """As always; after some rows the metrics must be there."""
        if step == 11:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics").text
            assert "lydia_training_step 10.0" in text
            assert 'lydia_training_loss{name="right"}' in text
        return super(Watched, self).batch(step, micro, rank, ranks)


def test_prometheus_finds_the_metrics_while_it_runs_and_nothing_afterwards(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fit(Watched(OPTIONS, port=port), tmp_path, OPTIONS, port=port)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_batch_of_any_shape_is_moved_whole() -> None:
    value = torch.zeros(2)
    batch = {"pair": (value, [value, "name"]), "rows": Batch(value, value), "count": 3}
    there = moved(batch, torch.device("meta"))
    assert there["pair"][1][0].is_meta
    assert there["rows"].following.is_meta
    assert there["pair"][1][1] == "name"
    assert there["count"] == 3


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"decay": 1.5}, {"average": 1.0}, {"workers": -1}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(OPTIONS, **wrong)
