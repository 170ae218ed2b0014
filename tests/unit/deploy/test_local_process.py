"""Looking after servers on this machine must not cost what the servers need."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Never

import pytest

from deploy.local import process
from deploy.local.cluster import Cluster, service
from deploy.local.process import LocalServer, free_port, running


@pytest.fixture
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the list of whom to trust with TLS, which takes longer than a whole answer, fails."""

    def read(*_: object, **__: object) -> Never:
        raise AssertionError("the list of authorities is read")

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", read)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", read)


@pytest.mark.usefixtures("no_authorities")
async def test_asking_whether_a_service_is_alive_reads_no_list_of_authorities(tmp_path: Path) -> None:
    assert not await service("chat", free_port(), tmp_path, {})._answers()


@pytest.mark.usefixtures("no_authorities")
async def test_asking_what_is_not_ready_reads_no_list_of_authorities() -> None:
    assert await Cluster("", {}, {"chat": free_port()}).unready() == {"chat": "it does not answer (ConnectError)"}


async def test_a_suspended_server_does_nothing_more_from_then_on(tmp_path: Path) -> None:
    written = tmp_path / "written"
    busy = f"""
import threading
def write():
    with open({str(written)!r}, "ab", buffering=0) as out:
        while True:
            out.write(b".")
[threading.Thread(target=write).start() for _ in range(4)]
"""

    async def writes() -> bool:
        return written.exists() and written.stat().st_size > 0

    server = LocalServer("a busy one", [sys.executable, "-c", busy], answers=writes, log=tmp_path / "log")
    async with running(server):
        for _ in range(5):
            server.suspend()
            then = written.stat().st_size
            await asyncio.sleep(0.02)
            assert written.stat().st_size == then
            server.resume()
            async with asyncio.timeout(10):
                while written.stat().st_size == then:  # noqa: ASYNC110 (no event tells what another process does)
                    await asyncio.sleep(0.001)


async def test_what_a_server_started_wakes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it must be with Triton, which takes models for dead that wake after it."""
    monkeypatch.setattr(process, "WAKES_S", 2.0)
    beats = """
import pathlib, sys, time
while True:
    pathlib.Path(sys.argv[1]).write_text(str(time.monotonic()))
    time.sleep(0.01)
"""
    child, parent = tmp_path / "child", tmp_path / "parent"
    starts = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {beats!r}, {str(child)!r}])\n"

    async def both_live() -> bool:
        return child.exists() and parent.exists()

    command = [sys.executable, "-c", starts + beats, str(parent)]
    async with running(LocalServer("a parent", command, answers=both_live, log=tmp_path / "log")) as server:
        server.suspend()
        last = parent.read_text()
        woken = asyncio.create_task(asyncio.to_thread(server.resume))
        async with asyncio.timeout(10):
            then = child.read_text()
            while child.read_text() in (then, ""):  # noqa: ASYNC110 (no event tells what another process does)
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.2)
        assert parent.read_text() == last
        await woken
        async with asyncio.timeout(10):
            while parent.read_text() == last:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


def test_a_port_is_given_out_once() -> None:
    assert len({free_port() for _ in range(500)}) == 500
