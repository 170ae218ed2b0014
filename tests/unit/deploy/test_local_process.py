"""Looking after servers on this machine must not cost what the servers need."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Never

import pytest

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


def test_a_port_is_given_out_once() -> None:
    assert len({free_port() for _ in range(500)}) == 500
