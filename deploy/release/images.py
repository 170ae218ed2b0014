"""The images of a real node: Lydia's by their own Dockerfiles, on a Debian that is made here. No registry is asked."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from deploy.chart.render import CHART
from deploy.local import kafka
from deploy.local.process import LocalServer, running
from deploy.release.binaries import run
from deploy.release.control_plane import healthy
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


async def archive(folder: Path, report: Report) -> Path:
    """Builds the images and saves them into one file. What Docker keeps lies in `folder` and makes the next time short.

    Raises CannotBuild, ServerFailed, CalledProcessError.
    """
    await asyncio.to_thread(kafka.fetch)
    async with _docker(folder) as there:
        _bases(folder, report, there)
        ours = [_built(name, report, there) for name in OURS]
        with report.step(BROKER):
            on = f"--build-arg=BASE={SERVERS}"
            command = ("docker", "build", "--network=none", "-f", HERE / "kafka.Dockerfile", "-t", BROKER, on)
            run(*command, kafka.BUILD, environment=there)
        run("docker", "image", "prune", "--force", environment=there)  # of earlier commits
        saved = folder / "images.tar"
        run("docker", "save", "-o", saved, *BASES, BROKER, *ours, environment=there)
        sizes = run("docker", "images", "--format", "{{.Repository}} {{.Size}}", environment=there).split("\n")
        report.say(f"images: {', '.join(sorted(filter(None, sizes)))}")
    return saved


async def twice(folder: Path, report: Report) -> None:
    """Builds Lydia's images, and then once more with nothing that was there: each layer must be the same.

    Raises NotProven, CannotBuild, ServerFailed, CalledProcessError.
    """
    async with _docker(folder) as there:
        _bases(folder, report, there)
        below = len(_layers(SANDBOX, there))
        for name in OURS:
            image = _built(name, report, there)
            first, sizes = _layers(image, there)[below:], _sizes_mb(image, there)
            with report.step(f"{image} once more: packages laid out anew, for nobody else to read, nothing kept"):
                run(*FOR_NOBODY_ELSE, *_building(name), "--anew", environment=there)
            second = _layers(image, there)[below:]
            expect(first == second, f"{image}: layers were {', '.join(first)} and then {', '.join(second)}")
            report.say(f"{image}: what it adds to the base is the same both times: {', '.join(first)}")
            report.say(f"{image}: of {' + '.join(f'{each:.0f}' for each in sizes)} MB")
        run("docker", "image", "prune", "--force", environment=there)


@asynccontextmanager
async def _docker(folder: Path) -> AsyncIterator[dict[str, str]]:
    """Docker without a network, and the variable by which its command finds it."""
    run(HERE / "debian.sh")
    short = Path(tempfile.mkdtemp(prefix="lydia-docker-", dir="/run"))  # names of sockets must be short
    socket = short / "docker.sock"
    # fmt: off
    server = LocalServer("Docker", [
        "dockerd", f"--data-root={folder / 'docker'}", f"--exec-root={short}", f"--pidfile={short / 'pid'}",
        f"--host=unix://{socket}", "--iptables=false", "--ip-forward=false", "--bridge=none",
    ], answers=healthy(socket), log=folder / "docker.log")
    # fmt: on
    try:
        async with running(server):
            yield {"DOCKER_HOST": f"unix://{socket}"}
    finally:
        shutil.rmtree(short, ignore_errors=True)


def _bases(folder: Path, report: Report, there: Mapping[str, str]) -> None:
    for image, packages in BASES.items():
        with report.step(f"{image}: Debian with {packages.replace(',', ', ')}"):
            _debian(image, packages, folder, there)


def _built(name: str, report: Report, there: dict[str, str]) -> str:
    """Builds one of Lydia's own. Returns its whole name."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"]
    with report.step(f"{name}:{version}, by its Dockerfile on {SANDBOX}"):
        run(*_building(name), environment=there)
    return f"{name}:{version}"


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
