"""What a network learns from is made in parts, by one process or by several, and its amount is kept for the card."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from services.training.making import add_card, add_makers, amount, check_card, keep_amount, make_all


def _leave_a_file(given: argparse.Namespace, part: tuple[int, int]) -> None:
    (given.folder / f"{part[0]} of {part[1]}").touch()


def _fail(given: argparse.Namespace, part: tuple[int, int]) -> None:
    if part[0] == 1:
        raise LookupError("there is no text")
    _leave_a_file(given, part)


def _given(folder: Path, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=folder)
    add_makers(parser)
    return parser.parse_args(arguments)


def test_one_process_makes_all(tmp_path: Path) -> None:
    make_all(_leave_a_file, _given(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["0 of 1"]


def test_several_make_a_part_each(tmp_path: Path) -> None:
    make_all(_leave_a_file, _given(tmp_path, "--makers", "3"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0 of 3", "1 of 3", "2 of 3"]


def test_what_goes_wrong_in_one_of_them_is_told(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="there is no text"):
        make_all(_fail, _given(tmp_path, "--makers", "2"))


def test_the_amount_is_read_back(tmp_path: Path) -> None:
    keep_amount(tmp_path / "run", 12, 150.0)
    assert amount(tmp_path / "run") == (12, 2.5)


def test_a_card_without_a_run_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_card(parser)
    with pytest.raises(SystemExit):
        check_card(parser, parser.parse_args([]), tmp_path)
    assert "--no-card" in capsys.readouterr().err
    check_card(parser, parser.parse_args(["--no-card"]), tmp_path)
    keep_amount(tmp_path, 3, 60.0)
    check_card(parser, parser.parse_args([]), tmp_path)
