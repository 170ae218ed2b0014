"""Looking after servers on this machine must not cost what the servers need."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Never

import pytest

from deploy.local.cluster import Cluster, service
from deploy.local.process import free_port


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
