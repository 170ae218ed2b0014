"""Generates the Python and TypeScript classes of the events from `proto/lydia/v1`.

`python proto/generate.py` writes them; `--check` writes nothing and fails when they are stale.
Python goes to `services/core/events/`, TypeScript to `services/stage/web/src/events/` (needs the pages' node modules).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PYTHON_OUT = ROOT / "services" / "core" / "events"
WEB = ROOT / "services" / "stage" / "web"
TYPESCRIPT_OUT = WEB / "src" / "events"


def protoc(*arguments: str, path: str | None = None) -> None:
    include = str(files("grpc_tools") / "_proto")
    sources = sorted(str(p.relative_to(PROTO)) for p in PROTO.glob("lydia/v1/*.proto"))
    environment = os.environ | ({"PATH": path} if path else {})
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{include}", *arguments, *sources]
    subprocess.run(command, check=True, cwd=PROTO, env=environment)


def python(out: Path) -> None:
    """Flat package: imports are rewritten because generated code assumes that `lydia.v1` is importable."""
    with tempfile.TemporaryDirectory() as folder:
        protoc(f"--python_out={folder}", f"--pyi_out={folder}")
        names = []
        for path in sorted(Path(folder).glob("lydia/v1/*_pb2.py*")):
            text = re.sub(
                r"^from lydia\.v1 import", "from services.core.events import", path.read_text(), flags=re.MULTILINE
            )
            (out / path.name).write_text(text)
            if path.suffix == ".pyi":
                names.append((path.stem, sorted(set(re.findall(r"^(?:class )(\w+)", text, flags=re.MULTILINE)))))
                values = re.findall(r"^([A-Z][A-Z0-9_]+): \w+$", text, flags=re.MULTILINE)
                names[-1][1].extend(sorted(set(values)))
    lines = ['"""Generated from proto/lydia/v1 by proto/generate.py. Do not edit."""', ""]
    for module, symbols in names:
        if symbols:
            lines.append(f"from services.core.events.{module} import (")
            lines += [f"    {symbol} as {symbol}," for symbol in symbols]
            lines.append(")")
    (out / "__init__.py").write_text("\n".join(lines) + "\n")


def typescript(out: Path) -> None:
    path = f"{WEB / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        protoc(f"--es_out={folder}", "--es_opt=target=ts,import_extension=none", path=path)
        for file in sorted(Path(folder).glob("lydia/v1/*.ts")):
            shutil.copy(file, out / file.name)


def same(left: Path, right: Path) -> list[str]:
    """Names of files that differ between two folders, `__pycache__` aside."""
    names = {p.name for folder in (left, right) if folder.is_dir() for p in folder.iterdir() if p.is_file()}
    return [
        name
        for name in sorted(names)
        if not (left / name).is_file()
        or not (right / name).is_file()
        or (left / name).read_bytes() != (right / name).read_bytes()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the generated code is stale")
    parser.add_argument("--python-only", action="store_true", help="leave the TypeScript classes alone")
    arguments = parser.parse_args()
    targets = [(python, PYTHON_OUT)] + ([] if arguments.python_only else [(typescript, TYPESCRIPT_OUT)])
    stale = []
    for generate, target in targets:
        with tempfile.TemporaryDirectory() as folder:
            generate(Path(folder))
            changed = same(Path(folder), target)
            stale += [str((target / name).relative_to(ROOT)) for name in changed]
            if not arguments.check:
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(folder, target)
    for name in stale:
        print(("stale: " if arguments.check else "wrote: ") + name)
    if arguments.check and stale:
        print("Mend: run `make proto` and commit the result.")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
