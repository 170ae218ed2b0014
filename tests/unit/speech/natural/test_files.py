"""The natural voice's files are used only as they were built."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from services.speech.natural.files import HASHES, PACKAGES, FilesUnavailable, check


def built(folder: Path, **contents: bytes) -> Path:
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    (folder / HASHES).write_text(json.dumps(hashes))
    return folder


def test_files_as_they_were_built_are_used(tmp_path: Path) -> None:
    check(built(tmp_path, one=b"1", two=b"2"), "one", "two")


@pytest.mark.parametrize("damage", ["changed", "missing", "no hashes", "hashes broken", "not among the hashes"])
def test_a_damaged_file_is_noticed_with_its_mend(tmp_path: Path, damage: str) -> None:
    built(tmp_path, one=b"1")
    match damage:
        case "changed":
            (tmp_path / "one").write_bytes(b"?")
        case "missing":
            (tmp_path / "one").unlink()
        case "no hashes":
            (tmp_path / HASHES).unlink()
        case "hashes broken":
            (tmp_path / HASHES).write_text("{")
        case _:
            (tmp_path / HASHES).write_text("{}")
    with pytest.raises(FilesUnavailable, match=r"Mend: delete .* and run `make setup`"):
        check(tmp_path, "one")


def test_every_package_is_pinned() -> None:
    assert all(len(package.sha256) == 64 for package in PACKAGES)
    assert all("==" in package.requirement or "@" in package.requirement for package in PACKAGES)
