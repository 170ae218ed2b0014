"""Docker's engine, of Debian's package, beside whatever else the machine has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from deploy.local.process import LocalServer, running
from deploy.release.binaries import run
from deploy.release.control_plane import healthy
from deploy.release.node import filters, kernel

DEVICES, BRIDGE = Path("/sys/class/net"), "docker0"
WITHOUT_NETWORK = ("--iptables=false", "--ip-forward=false", "--bridge=none")


@asynccontextmanager
async def docker(folder: Path, *, network: bool = False) -> AsyncIterator[dict[str, str]]:
    """Runs it, and yields the variable by which its command finds it. What it keeps lies in `folder`.

    Without `network` it builds only. What its network changes of the machine is put back. Raises CannotBuild,
    ServerFailed.
    """
    run(Path(__file__).with_name("debian.sh"))
    short = Path(tempfile.mkdtemp(prefix="lydia-docker-", dir="/run"))  # names of sockets must be short
    socket = short / "docker.sock"
    # fmt: off
    server = LocalServer("Docker", [
        "dockerd", f"--data-root={folder / 'docker'}", f"--exec-root={short}", f"--pidfile={short / 'pid'}",
        f"--host=unix://{socket}", *(() if network else WITHOUT_NETWORK),
    ], answers=healthy(socket), log=folder / "docker.log")
    # fmt: on
    try:
        with ExitStack() as machine:
            if network:
                machine.enter_context(kernel())
                machine.enter_context(filters())
                if not (DEVICES / BRIDGE).exists():
                    machine.callback(subprocess.run, ["ip", "link", "del", BRIDGE], check=False, capture_output=True)
            async with running(server):
                yield {"DOCKER_HOST": f"unix://{socket}"}
    finally:
        shutil.rmtree(short, ignore_errors=True)
