"""What is installed in the images, laid out on this machine, so that building an image needs no network.

Everything comes from a lock and is checked against its hashes. It is compiled here too, since nobody can write beside
the modules in an image, and the same lock gives the same bytes and dates each time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from services.places import ROOT

PLATFORM = "x86_64-manylinux_2_35"
"""Which wheels: for the C library of Debian 12 or Ubuntu 22.04, and newer."""
UNUSED = ("bin", "ray/jars", "ray/rllib")
"""Parts of packages that nothing here runs: commands, Ray's Java and its reinforcement learning."""
PLACE = "opt/lydia/packages"
"""Where they lie in an image, from its root."""
DATE = 315_532_800
"""Of every file, Unix seconds: the first that every archive can hold."""
DONE = "made-from.txt"
"""The lock that a folder was made from: it is made anew when that changes."""


def install(lock: Path, folder: Path, *, python: str, unused: Sequence[str] = UNUSED, alone: bool = False) -> bool:
    """Fills PLACE in `folder` with what `lock` names, for Python `python` (e.g. 3.11), unless it is filled already.

    With `alone` what the packages depend on is left out. Returns whether there was anything to do. Raises
    CalledProcessError.
    """
    place = folder / PLACE
    made_from = f"{python} {PLATFORM} {PLACE} {' '.join(unused)}\n{lock.read_text(encoding='utf-8')}"
    done = folder / DONE
    if done.exists() and done.read_text(encoding="utf-8") == made_from:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    # fmt: off
    command: list[str | Path] = [
        "uv", "pip", "install", "--quiet", "--require-hashes", "--requirement", lock,
        "--target", place, "--python-version", python, "--python-platform", PLATFORM,
        "--link-mode", "copy",  # a link into the cache would be followed when ownership is changed
        "--no-compile-bytecode",
    ]
    # fmt: on
    subprocess.run([*command, *(["--no-deps"] if alone else [])], cwd=ROOT, check=True)
    for part in unused:
        shutil.rmtree(place / part, ignore_errors=True)
    if python == sysconfig.get_python_version():  # byte code is of one version
        _compile(place)
    (place / ".lock").unlink(missing_ok=True)  # uv's own, while it installs
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():  # who may read it does not depend on who laid it out
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (DATE, DATE), follow_symlinks=False)
    done.write_text(made_from, encoding="utf-8")
    return True


def _compile(place: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "compileall",
        "-q",
        "-s",
        place,
        "-p",
        f"/{PLACE}",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    # Sets in byte code are in the order of the seed. Some packages bring files of other versions, which do not compile.
    subprocess.run([*command, place], env=os.environ | {"PYTHONHASHSEED": "0"}, check=False, stdout=subprocess.DEVNULL)
