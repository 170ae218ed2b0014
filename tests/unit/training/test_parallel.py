"""Two ranks learn what one learns, however the work is shared out among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtests.training.tiny import Counting, first_pass
from services.training.loop import fit
from services.training.task import share
from tests.unit.training import ranks
from tests.unit.training.ranks import OPTIONS, weights

Values = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what two ranks made, started by torchrun."""
    folder = tmp_path_factory.mktemp("ranks")
    assert ranks.main(["--folder", str(folder), "--launcher", "torchrun", "--ranks", "2"]) == 0
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Values:
    return weights(fit(Counting(OPTIONS), tmp_path_factory.mktemp("one"), OPTIONS))


def _read(path: Path) -> Values:
    with np.load(path) as kept:
        return dict(kept)


def _assert_alike(own: Values, other: Values, off: float) -> None:
    assert own.keys() == other.keys()
    for name, values in own.items():
        np.testing.assert_allclose(values, other[name], rtol=0, atol=off, err_msg=name)


def test_a_split_network_says_the_same_and_has_the_same_gradients(two: Path) -> None:
    _assert_alike(_read(two / "split once.npz"), first_pass(OPTIONS), 1e-5)


@pytest.mark.parametrize("way", ["copies", "shared", "split"])
def test_two_ranks_learn_what_one_learns(two: Path, one: Values, way: str) -> None:
    _assert_alike(_read(two / f"{way}.npz"), one, 1e-4)


def test_shared_out_weights_resume_bit_for_bit(two: Path) -> None:
    _assert_alike(_read(two / "stopped.npz"), _read(two / "shared.npz"), 0)


def test_one_rank_goes_on_with_what_two_kept(two: Path, one: Values) -> None:
    _assert_alike(weights(fit(Counting(OPTIONS), two / "halfway", OPTIONS)), one, 1e-4)


def test_a_batch_that_cannot_be_shared_out_evenly_is_refused() -> None:
    with pytest.raises(ValueError, match="a multiple of 2"):
        share(7, 0, 2)
