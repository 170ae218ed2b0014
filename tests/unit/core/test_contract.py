"""The events' schemas: clean, compatible with the last published version, and the generated classes are theirs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROTO = ROOT / "proto"
BASELINE = PROTO / "baseline.binpb"
BUF = Path(sys.executable).with_name("buf")


def buf(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BUF, *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The schemas, to be changed at will."""
    return Path(shutil.copytree(PROTO, tmp_path / "proto", ignore=shutil.ignore_patterns("__pycache__")))


def change(copy: Path, file: str, old: str, new: str) -> None:
    path = copy / "lydia" / "v1" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_schemas_are_clean() -> None:
    result = buf("lint", PROTO)
    assert result.returncode == 0, result.stdout


def test_the_linter_would_notice(copy: Path) -> None:
    change(copy, "text.proto", "string room_id = 1;", "string roomId = 1;")
    assert "lower_snake_case" in buf("lint", copy).stdout


def test_the_schemas_break_nothing_that_was_published() -> None:
    result = buf("breaking", PROTO, "--against", BASELINE)
    assert result.returncode == 0, result.stdout + "Mend: proto/README.md says what to do."


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("text.proto", "string text = 5;", "bytes text = 5;", "changed type"),
        ("text.proto", "string text = 5;", "", "was deleted"),
        ("text.proto", "string text = 5;", "string words = 5;", "changed name"),
        ("text.proto", "EMOTION_JOY = 2;", "EMOTION_JOY = 20;", "was deleted"),
        ("audience.proto", "Gift gift = 11;", "Gift gift = 99;", "was deleted"),
    ],
)
def test_a_breaking_change_is_caught(copy: Path, file: str, old: str, new: str, said: str) -> None:
    change(copy, file, old, new)
    result = buf("breaking", copy, "--against", BASELINE)
    assert result.returncode != 0
    assert said in result.stdout


def test_a_compatible_change_is_let_through(copy: Path) -> None:
    change(copy, "text.proto", "string text = 5;", "string text = 5;\n  string accent = 999;")
    change(copy, "text.proto", "EMOTION_THINKING = 9;", "EMOTION_THINKING = 9;\n  EMOTION_CALM = 999;")
    assert buf("breaking", copy, "--against", BASELINE).stdout == ""


def test_the_generated_classes_are_those_of_the_schemas() -> None:
    command = [sys.executable, str(PROTO / "generate.py"), "--check", "--python-only"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
