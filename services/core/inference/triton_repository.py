"""Lays out Triton's model repository: `python -m services.core.inference.triton_repository FOLDER [MODEL …]`.

The folder serves in the bundled CPU server as in NVIDIA's container, wherever the Python backend finds `services` and
its packages, or is told where they are by `--path`: its process need not heed PYTHONPATH. With `--kind gpu` each model
has an instance on every GPU.
"""

from __future__ import annotations

import argparse
import errno
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from services.places import ROOT

Kind = Literal["cpu", "gpu"]


def models() -> Mapping[str, Path]:
    """Lydia's own: the configuration of each by its name. Beside each configuration lies its shell."""
    found = {_name(path): path for path in ROOT.glob("services/*/triton/*.pbtxt")}
    return dict(sorted(found.items()))


def lay_out(folder: Path, *, configurations: Collection[Path], kind: Kind = "cpu", places: Sequence[str] = ()) -> None:
    """Writes a repository of these models. `places` are folders to import from.

    Raises FileExistsError where the folder has such a model already.
    """
    for path in configurations:
        if (there := folder / _name(path)).exists():
            raise FileExistsError(errno.EEXIST, "there is such a model already", str(there))
    for path in configurations:
        version = folder / _name(path) / "1"
        version.mkdir(parents=True)
        text = path.read_text(encoding="utf-8").replace("KIND_CPU", f"KIND_{kind.upper()}")
        (version.parent / "config.pbtxt").write_text(text, encoding="utf-8")
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        lines = ["import sys\n\n", f"sys.path[:0] = {list(places)!r}\n"] if places else []
        lines.append(f"from {module} import TritonPythonModel as TritonPythonModel\n")
        (version / "model.py").write_text("".join(lines), encoding="utf-8")


def _name(path: Path) -> str:
    found = re.search(r'^name: "(.+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"{path} names no model"
    return found[1]


def main() -> None:
    """The command."""
    known = models()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="is made, and must not hold these models yet")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"by default all: {', '.join(known)}")
    parser.add_argument("--kind", choices=("cpu", "gpu"), default="cpu", help="what the instances run on")
    parser.add_argument("--path", action="append", default=[], metavar="PLACE", help="where to import from; repeatable")
    given = parser.parse_args()
    if unknown := set(given.models) - set(known):
        parser.error(f"no model {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    chosen = [known[name] for name in given.models or known]
    try:
        lay_out(given.folder, configurations=chosen, kind=given.kind, places=given.path)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}. Name a new folder.")


if __name__ == "__main__":
    main()
