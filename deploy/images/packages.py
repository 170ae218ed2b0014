"""What is installed in the images, laid out on this machine, so that building an image needs no network.

Everything comes from a lock and is checked against its hashes.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from services.places import ROOT

PLATFORM = "x86_64-manylinux_2_35"
"""Which wheels: for the C library of Debian 12 or Ubuntu 22.04, and newer."""
UNUSED = ("bin", "ray/jars", "ray/rllib")
"""Parts of packages that nothing here runs: commands, Ray's Java and its reinforcement learning."""
DONE = "made-from.txt"
"""The lock that a folder was made from: it is made anew when that changes."""


def install(lock: Path, folder: Path, *, python: str, unused: Sequence[str] = UNUSED, alone: bool = False) -> bool:
    """Fills `folder` with what `lock` names, for Python `python` (e.g. 3.11), unless it is filled already.

    With `alone` what the packages depend on is left out. Returns whether there was anything to do. Raises
    CalledProcessError.
    """
    made_from = f"{python} {PLATFORM} {' '.join(unused)}\n{lock.read_text(encoding='utf-8')}"
    done = folder / DONE
    if done.exists() and done.read_text(encoding="utf-8") == made_from:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    # fmt: off
    command: list[str | Path] = [
        "uv", "pip", "install", "--quiet", "--require-hashes", "--requirement", lock,
        "--target", folder, "--python-version", python, "--python-platform", PLATFORM,
        "--link-mode", "copy",  # a link into the cache would be followed when ownership is changed
        "--no-compile-bytecode",
    ]
    # fmt: on
    subprocess.run([*command, *(["--no-deps"] if alone else [])], cwd=ROOT, check=True)
    for part in unused:
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)  # uv's own, while it installs
    done.write_text(made_from, encoding="utf-8")
    return True
