"""The Dockerfiles: clean by hadolint, and nothing but files in what is shipped."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from services.places import ROOT

DOCKERFILES = sorted((ROOT / "deploy" / "images").glob("*.Dockerfile"))
NAMES = [path.stem for path in DOCKERFILES]


def linted(path: Path) -> str:
    """What hadolint finds; "" when nothing."""
    return subprocess.run(["hadolint", "--no-color", path], capture_output=True, text=True, timeout=60).stdout


def last_stage(text: str) -> list[str]:
    """The instructions of what is shipped, without comments, each on one line."""
    joined = text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    begins = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    return lines[begins:]


def wrong(text: str) -> list[str]:
    """What the image would have that it must not: whose it is, and what could have been built in it."""
    shipped = last_stage(text)
    users = [line.split()[1] for line in shipped if line.startswith("USER ")]
    found = [] if users and re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]) else ["it runs as root, or as a mere name"]
    found += [
        f"it does more than copy files in what is shipped: {line}"
        for line in shipped
        if line.startswith(("RUN ", "ADD "))
    ]
    return found


@pytest.mark.parametrize("path", DOCKERFILES, ids=NAMES)
def test_hadolint_finds_nothing(path: Path) -> None:
    assert linted(path) == ""


@pytest.mark.parametrize("path", DOCKERFILES, ids=NAMES)
def test_what_is_shipped_is_only_copied_and_not_roots(path: Path) -> None:
    assert wrong(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "instead", "rule"),
    [
        ("USER 10001:10001", "USER root", "DL3002"),
        ('ENTRYPOINT ["lydia"]', "ENTRYPOINT lydia", "DL3025"),
        ("ARG BASE=python:3.11-slim-bookworm", "ARG BASE=python:3.11-slim-bookworm\nFROM python AS other", "DL3006"),
    ],
)
def test_hadolint_finds_what_was_broken_on_purpose(tmp_path: Path, line: str, instead: str, rule: str) -> None:
    whole = (ROOT / "deploy" / "images" / "lydia.Dockerfile").read_text(encoding="utf-8")
    assert line in whole
    broken = tmp_path / "Dockerfile"
    broken.write_text(whole.replace(line, instead), encoding="utf-8")
    assert rule in linted(broken)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("USER 10001:10001\n", ""),
        ("USER 10001:10001\n", "USER lydia\n"),
        ("USER 10001:10001\n", "USER 10001:10001\nRUN pip install curl\n"),
        ("COPY --from=built /image /\n", "ADD image.tar /\n"),
    ],
)
def test_the_check_of_what_is_shipped_finds_what_was_broken_on_purpose(line: str, instead: str) -> None:
    whole = (ROOT / "deploy" / "images" / "lydia.Dockerfile").read_text(encoding="utf-8")
    assert line in whole
    assert wrong(whole.replace(line, instead)) != []
