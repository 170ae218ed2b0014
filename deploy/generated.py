"""Files that are generated: written anew, or compared with what should be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


def stale(files: Mapping[Path, str], there: Iterable[Path]) -> list[Path]:
    """What is missing, is not as it should be, or should not be there."""
    wrong = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    return wrong + [path for path in there if path not in files]


def write(files: Mapping[Path, str], there: Iterable[Path], *, check: bool, again: str) -> int:
    """Writes all files and removes the others of `there`; with `check` only says what is stale. Returns the exit code.

    `again` is the command that writes them.
    """
    wrong = stale(files, there)
    if check:
        for path in wrong:
            print(f"{path} is stale. Mend: {again}")
        return 1 if wrong else 0
    for path in wrong:
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
    return 0
