"""`python -m deploy.images`: builds the container images, with Docker or what behaves like it (see README.md)."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from deploy.images.packages import install
from services.places import BODY, FITTED, PAGES, ROOT, VOICE

HERE = ROOT / "deploy" / "images"
LAID_OUT = ROOT / "build" / "images"
FROM = {"lydia": ("packages",), "lydia-triton": ("models", "server")}
"""The folders of LAID_OUT that an image is built from."""
PYTHON = "3.11"


class CannotBuild(Exception):
    """Something is missing. The text says what, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image to build."""

    name: str
    file: Path
    arguments: dict[str, str] = field(default_factory=dict)


def main() -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.images", description="Builds Lydia's container images.")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="lydia, lydia-triton; by default both")
    parser.add_argument("--docker", default="docker", metavar="PROGRAM", help="what builds: docker, podman, buildah, …")
    parser.add_argument("--base", default="", metavar="IMAGE", help="an image with Python 3.11 to build on")
    parser.add_argument("--triton", default="", metavar="IMAGE", help="NVIDIA's Triton image, for models on GPUs")
    parser.add_argument("--triton-python", default="3.12", metavar="VERSION", help="of the Python in that image")
    parser.add_argument("--anew", action="store_true", help="use nothing that earlier calls left; to compare them")
    parser.add_argument("--lay-out", action="store_true", help="only fetch what the images are built from")
    given = parser.parse_args()
    if unknown := set(given.images) - {"lydia", "lydia-triton"}:
        parser.error(f"no image {', '.join(sorted(unknown))}; there are: lydia, lydia-triton")
    try:
        wanted = [
            image
            for image in images(base=given.base, triton=given.triton)
            if image.name in (given.images or [image.name])
        ]
        for folder in [each for image in wanted for each in FROM[image.name] if given.anew]:
            shutil.rmtree(LAID_OUT / folder, ignore_errors=True)
        lay_out(wanted, models_python=given.triton_python if given.triton else PYTHON)
        if not given.lay_out:
            build(wanted, given.docker, ["--no-cache"] if given.anew else [])
    except CannotBuild as error:
        print(f"The images cannot be built: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


def images(*, base: str, triton: str) -> tuple[Image, Image]:
    """The two of them, on other images than the Dockerfiles name where these are given."""
    on = {"BASE": base} if base else {}
    served_by = {"SERVER": triton, "KIND": "gpu"} if triton else {}
    return (
        Image("lydia", HERE / "lydia.Dockerfile", on),
        Image("lydia-triton", HERE / "triton.Dockerfile", on | served_by),
    )


def lay_out(wanted: list[Image], *, models_python: str) -> None:
    """Puts on this machine what the images are built from. Raises CannotBuild, CalledProcessError."""
    missing = [
        str(place.relative_to(ROOT)) for place in (PAGES, BODY, FITTED, VOICE) if not (place / ".built").exists()
    ]
    if missing:
        raise CannotBuild(f"{', '.join(missing)} is not built yet. Mend: run `make setup`")
    names = {image.name for image in wanted}
    if "lydia" in names:
        _install("requirements.txt", "packages", PYTHON)
    if "lydia-triton" in names:
        _install("requirements-models.txt", "models", models_python)
        if install(ROOT / "deploy" / "triton.txt", LAID_OUT / "server", python=PYTHON, unused=(), alone=True):
            print("laid out Triton", flush=True)


def _install(lock: str, folder: str, python: str) -> None:
    if install(HERE / lock, LAID_OUT / folder, python=python):
        print(f"laid out {folder} for Python {python}", flush=True)


def build(wanted: list[Image], docker: str, options: list[str]) -> None:
    """Builds the images, named NAME:VERSION. `options` are for the program. Raises CannotBuild, CalledProcessError."""
    if shutil.which(docker) is None:
        raise CannotBuild(f"{docker} is missing. Mend: install it, or name another with --docker")
    version, arguments = _version(), {"SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct") or "0"}
    arguments |= {"VERSION": version, "REVISION": _git("rev-parse", "HEAD") or "unknown"}
    for image in wanted:
        tag = f"{image.name}:{version}{'-gpu' if image.arguments.get('KIND') == 'gpu' else ''}"
        given = [f"--build-arg={name}={value}" for name, value in (arguments | image.arguments).items()]
        command: list[str | Path] = [
            docker,
            "build",
            "--network=none",
            *options,
            "-f",
            image.file,
            "-t",
            tag,
            *given,
            ".",
        ]
        subprocess.run(command, cwd=ROOT, check=True)
        print(f"built {tag}", flush=True)


def _version() -> str:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _git(*arguments: str) -> str:
    """What git answers; "" where this is no repository of it."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
