"""Packages of which only files are read: only the expected ones are used, and every failure says how to mend it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from services.packages import Package, PackageUnavailable, fetch

WHEEL = Package("thing==1", "thing.whl", hashlib.sha256(b"right").hexdigest(), 1, "a thing")


def test_a_package_that_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thing.whl").write_bytes(b"right")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("fetched"))
    assert fetch(WHEEL, tmp_path, command="services.thing") == tmp_path / "thing.whl"


def test_a_package_with_another_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thing.whl").write_bytes(b"wrong")
    with pytest.raises(PackageUnavailable, match=r"expected .* Mend: delete the file"):
        fetch(WHEEL, tmp_path, command="services.thing")


def test_a_registry_that_cannot_be_reached_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="trouble\nno route\n")

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(PackageUnavailable, match=r"pip could not fetch thing==1: no route\. Mend: .* --cache FOLDER"):
        fetch(WHEEL, tmp_path, command="services.thing")


def test_without_npm_a_package_of_npm_cannot_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PackageUnavailable, match="npm is missing"):
        fetch(replace(WHEEL, client="npm"), tmp_path, command="services.thing")
