"""What the images are built from."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from deploy.images.packages import DONE, PLACE, install
from deploy.local import triton
from services.places import ROOT

IMAGES = ROOT / "deploy" / "images"


def pins(path: Path) -> set[str]:
    """`name==version ; marker`, of everything that a lock names."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.rstrip(" \\") for line in lines if re.match(r"[a-z0-9]", line)}


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;\s]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-models.txt"])
def test_an_image_has_the_versions_that_were_tested(lock: str) -> None:
    assert pins(IMAGES / lock) <= pins(ROOT / "requirements-cluster.txt")


@pytest.mark.parametrize(("lock", "extras"), [("requirements.txt", ["cluster"]), ("requirements-models.txt", [])])
def test_an_image_has_all_that_the_project_declares_and_nothing_to_build_with(lock: str, extras: list[str]) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    optional = project["optional-dependencies"]
    declared = named([*project["dependencies"], *(each for extra in extras for each in optional[extra])])
    there = named([pin.split("==")[0] for pin in pins(IMAGES / lock)])
    assert declared <= there
    assert there & {"onnx", "scipy", "pillow", "torch", "mypy", "pytest"} == set()


def test_triton_is_started_in_an_image_as_it_is_on_this_machine() -> None:
    here = [str(part) for part in triton._command(Path("package"), Path("backends"), Path("models"), "prefix", {})]
    text = (IMAGES / "triton.Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    command = json.loads(text[text.index("\nCMD [") + 5 :])
    # What differs is where things lie, that nothing else shares the container's memory, and that it may have GPUs.
    others = {
        "--model-repository",
        "--backend-directory",
        "--cache-directory",
        "--backend-config",
        "--allow-gpu-metrics",
    }
    options = {each for each in here if each.startswith("--")} - others
    assert set(command[1:]) - {"--model-repository=/models"} == {
        f"{each}={here[here.index(each) + 1]}" if each != "--disable-auto-complete-config" else each for each in options
    }


def test_what_is_laid_out_already_is_not_fetched_again(tmp_path: Path) -> None:
    lock, folder = tmp_path / "lock.txt", tmp_path / "packages"
    lock.write_text("", encoding="utf-8")
    assert install(lock, folder, python="3.11", unused=())
    assert not install(lock, folder, python="3.11", unused=())
    assert install(lock, folder, python="3.12", unused=())


def everything(folder: Path) -> dict[str, tuple[int, float, str]]:
    """What a layer of an image would have: path → mode, date, digest of what is in it."""
    return {
        str(path.relative_to(folder)): (
            (known := path.lstat()).st_mode,
            known.st_mtime,
            sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in folder.rglob("*")
        if path.name != DONE
    }


def test_laid_out_twice_by_different_people_it_is_the_same_to_the_last_bit_and_date(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    whole = (IMAGES / "requirements-models.txt").read_text(encoding="utf-8")
    chosen = re.findall(r"^(?:pyyaml|redis|pydantic)==(?:.*\\\n)+.*\n", whole, re.MULTILINE)
    assert len(chosen) == 3
    lock.write_text("".join(chosen), encoding="utf-8")
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder, kept_from_others in zip(folders, (0o022, 0o077), strict=True):
        before = os.umask(kept_from_others)
        try:
            install(lock, folder, python="3.11", alone=True)
        finally:
            os.umask(before)
    first, second = map(everything, folders)
    assert first == second
    assert f"{PLACE}/yaml/__pycache__/loader.cpython-311.pyc" in first


def test_a_package_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    lock, folder = tmp_path / "lock.txt", tmp_path / "packages"
    lock.write_text(f"idna==3.10 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        install(lock, folder, python="3.11", unused=())
    assert not (folder / DONE).exists()
