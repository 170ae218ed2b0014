"""The commands that measure decoding and training on a GPU print their tables on any machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from services.chat.model.config import SIZES


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Several would wait for each other on a machine with other work."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_decoding_is_compared_with_eager_for_each_number_of_rooms(capsys: pytest.CaptureFixture[str]) -> None:
    from loadtests import decoding

    decoding.main(["--shape", "mini", "--rooms", "1", "2", "--prompt", "4", "--new", "2"])
    printed = capsys.readouterr().out
    assert printed.startswith("mini, ")
    rows = re.findall(r"^\| (\d+) \| \d+ \| \d+ \| [\d.]+ \| [\d.]+ \| \d+ % \|$", printed, re.MULTILINE)
    assert rows == ["1", "2"]


def test_a_training_steps_share_of_the_arithmetic_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from loadtests import mfu

    assert mfu.main(["--shape", "mini", "--length", "64", "--batch", "2", "--steps", "2", "--precision", "fp32"]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    tokens, step_ms, tokens_a_second, *_ = (cell.strip() for cell in row.strip("|").split("|"))
    assert int(tokens) == 2 * 64
    assert int(tokens_a_second) == pytest.approx(1000 * int(tokens) / int(step_ms), rel=0.1)


def test_a_tokens_arithmetic_is_six_times_the_weights_that_multiply_and_its_attention() -> None:
    from loadtests import mfu

    shape = SIZES["1.3b"]
    weights = shape.parameters - shape.vocabulary * shape.width
    assert mfu.needed(shape, 2048) == 6 * weights + 12 * 24 * 2048 * 2048
