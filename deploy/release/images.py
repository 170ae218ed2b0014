"""The images of a real node: Lydia's by its own Dockerfile, on a Debian that is made here. No registry is asked."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from deploy.chart.render import CHART
from deploy.local import kafka
from deploy.local.process import LocalServer, running
from deploy.release.binaries import run
from deploy.release.control_plane import healthy
from deploy.release.node import SANDBOX
from deploy.release.steps import Report
from services.places import ROOT

HERE = ROOT / "deploy" / "release"
SERVERS, BROKER = "lydia-proof/servers:1", "lydia-proof/kafka:1"
SUITE = "bookworm"
"""The Debian whose Python is the one that the images need."""
SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
BASES: Mapping[str, str] = {SANDBOX: "python3,ca-certificates", SERVERS: "openjdk-17-jre-headless,redis-server"}
"""Images, and what is in each beside the least of a Debian."""


async def archive(folder: Path, report: Report) -> Path:
    """Builds the images and saves them into one file. What Docker keeps lies in `folder` and makes the next time short.

    Raises CannotBuild, ServerFailed, CalledProcessError.
    """
    version = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["appVersion"]
    run(HERE / "debian.sh")
    await asyncio.to_thread(kafka.fetch)
    short = Path(tempfile.mkdtemp(prefix="lydia-docker-", dir="/run"))  # names of sockets must be short
    socket = short / "docker.sock"
    # fmt: off
    server = LocalServer("Docker", [
        "dockerd", f"--data-root={folder / 'docker'}", f"--exec-root={short}", f"--pidfile={short / 'pid'}",
        f"--host=unix://{socket}", "--iptables=false", "--ip-forward=false", "--bridge=none",
    ], answers=healthy(socket), log=folder / "docker.log")
    # fmt: on
    there = {"DOCKER_HOST": f"unix://{socket}"}
    try:
        async with running(server):
            for image, packages in BASES.items():
                with report.step(f"{image}: Debian with {packages.replace(',', ', ')}"):
                    _debian(image, packages, folder, there)
            with report.step(f"lydia:{version}, by its Dockerfile on {SANDBOX}"):
                run(sys.executable, "-m", "deploy.images", "lydia", "--base", SANDBOX, environment=there)
            with report.step(BROKER):
                on = f"--build-arg=BASE={SERVERS}"
                command = ("docker", "build", "--network=none", "-f", HERE / "kafka.Dockerfile", "-t", BROKER, on)
                run(*command, kafka.BUILD, environment=there)
            run("docker", "image", "prune", "--force", environment=there)  # of earlier commits
            saved = folder / "images.tar"
            run("docker", "save", "-o", saved, *BASES, BROKER, f"lydia:{version}", environment=there)
            sizes = run("docker", "images", "--format", "{{.Repository}} {{.Size}}", environment=there).split("\n")
            report.say(f"images: {', '.join(sorted(filter(None, sizes)))}")
    finally:
        shutil.rmtree(short, ignore_errors=True)
    return saved


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
