"""The images of a real node: Lydia's by their own Dockerfiles, on a Debian that is made here. No registry is asked."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from deploy.chart.render import CHART
from deploy.local import kafka
from deploy.release import kuberay
from deploy.release.binaries import Programs, run
from deploy.release.docker import docker
from deploy.release.node import SANDBOX
from deploy.release.steps import Report, expect
from services.places import ROOT

HERE = ROOT / "deploy" / "release"
OURS = ("lydia", "lydia-triton")
SERVERS, BROKER = "lydia-proof/servers:1", "lydia-proof/kafka:1"
SUITE = "bookworm"
"""The Debian whose Python is the one that the images need."""
SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
BASES: Mapping[str, str] = {
    SANDBOX: "python3,ca-certificates,libpython3.11",
    SERVERS: "openjdk-17-jre-headless,redis-server",
}
"""Images, and what is in each beside the least of a Debian."""
FOR_NOBODY_ELSE = ("sh", "-c", 'umask 077 && exec "$@"', "sh")
"""Whatever the command makes is for nobody else to read."""


async def archive(programs: Programs, folder: Path, report: Report) -> Path:
    """Builds the images and saves them into one file. What Docker keeps lies in `folder` and makes the next time short.

    Raises CannotBuild, ServerFailed, CalledProcessError.
    """
    await asyncio.to_thread(kafka.fetch)
    async with docker(folder) as there:
        bases(BASES, folder, report, there)
        ours = [built(name, report, there) for name in OURS]
        with report.step(BROKER):
            _from_file("kafka", BROKER, kafka.BUILD, there, f"--build-arg=BASE={SERVERS}")
        with report.step(kuberay.IMAGE):
            _from_file("kuberay", kuberay.IMAGE, programs.kuberay.parent, there)
        run("docker", "image", "prune", "--force", environment=there)  # of earlier commits
        saved = folder / "images.tar"
        run("docker", "save", "-o", saved, *BASES, BROKER, kuberay.IMAGE, *ours, environment=there)
        sizes = run("docker", "images", "--format", "{{.Repository}} {{.Size}}", environment=there).split("\n")
        report.say(f"images: {', '.join(sorted(filter(None, sizes)))}")
    return saved


async def twice(folder: Path, report: Report) -> None:
    """Builds Lydia's images, and then once more with nothing that was there: each layer must be the same.

    Raises NotProven, CannotBuild, ServerFailed, CalledProcessError.
    """
    async with docker(folder) as there:
        bases(BASES, folder, report, there)
        below = len(_layers(SANDBOX, there))
        for name in OURS:
            image = built(name, report, there)
            first, sizes = _layers(image, there)[below:], _sizes_mb(image, there)
            with report.step(f"{image} once more: packages laid out anew, for nobody else to read, nothing kept"):
                run(*FOR_NOBODY_ELSE, *_building(name), "--anew", environment=there)
            second = _layers(image, there)[below:]
            expect(first == second, f"{image}: layers were {', '.join(first)} and then {', '.join(second)}")
            report.say(f"{image}: what it adds to the base is the same both times: {', '.join(first)}")
            report.say(f"{image}: of {' + '.join(f'{each:.0f}' for each in sizes)} MB")
        run("docker", "image", "prune", "--force", environment=there)


def bases(wanted: Mapping[str, str], folder: Path, report: Report, there: Mapping[str, str]) -> None:
    """Makes Debians that are not there yet: `wanted` tells images, and what is in each beside the least of a Debian.

    Raises CannotBuild.
    """
    for image, packages in wanted.items():
        with report.step(f"{image}: Debian with {packages.replace(',', ', ')}"):
            _debian(image, packages, folder, there)


def built(name: str, report: Report, there: dict[str, str]) -> str:
    """Builds one of Lydia's own. Returns its whole name. Raises CannotBuild."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"]
    with report.step(f"{name}:{version}, by its Dockerfile on {SANDBOX}"):
        run(*_building(name), environment=there)
    return f"{name}:{version}"


def _from_file(name: str, image: str, context: Path, there: dict[str, str], *options: str) -> None:
    command = ("docker", "build", "--network=none", "-f", HERE / f"{name}.Dockerfile", "-t", image)
    run(*command, *options, context, environment=there)


def _building(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "deploy.images", name, "--base", SANDBOX)


def _layers(image: str, there: dict[str, str]) -> list[str]:
    """The digests of its layers, the lowest first."""
    told = run("docker", "image", "inspect", "--format={{json .RootFS.Layers}}", image, environment=there)
    layers: list[str] = json.loads(told)
    return layers


def _sizes_mb(image: str, there: dict[str, str]) -> list[float]:
    """How large the layers are that are not empty and that its Dockerfile adds to the base, the lowest first."""
    told = run("docker", "history", "--human=false", "--format={{.Size}}", image, environment=there)
    sizes = [int(each) / 1e6 for each in reversed(told.split())]
    return [each for each in sizes if each][1:]


def _debian(image: str, packages: str, folder: Path, there: Mapping[str, str]) -> None:
    asked = ["docker", "image", "inspect", image]
    known = subprocess.run(asked, env=os.environ | dict(there), capture_output=True, check=False)
    if known.returncode == 0:
        return
    tree = folder / "debian.tar"
    # From where this machine has its own packages.
    sources = next(path for path in map(Path, SOURCES) if path.exists())
    run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", SUITE, tree, sources)
    # Whole, because nobody tells the sandbox of a pod where to look for programs.
    run("docker", "import", "--change", 'CMD ["/bin/sleep", "infinity"]', tree, image, environment=dict(there))
    tree.unlink()
