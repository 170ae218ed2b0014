import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from services.stage.avatar.build import build
from services.stage.avatar.source import Source
from tests.integration.avatar.glb import Glb


@pytest.fixture(scope="session")
def source() -> Source:
    return Source(Path("build/avatar"))


@pytest.fixture(scope="session")
def built(source: Source, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], bytes]:
    """Builds her, lite or not: once for all workers of a run, since it takes half a minute."""
    own = tmp_path_factory.getbasetemp()
    folder = own if worker_id == "master" else own.parent

    def once(lite: bool) -> bytes:
        file = folder / ("lite.vrm" if lite else "full.vrm")
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                file.write_bytes(build(source, lite=lite, progress=lambda _: None))
        return file.read_bytes()

    return once


@pytest.fixture(scope="session")
def lite_bytes(built: Callable[[bool], bytes]) -> bytes:
    return built(True)


@pytest.fixture(scope="session")
def full_bytes(built: Callable[[bool], bytes]) -> bytes:
    return built(False)


@pytest.fixture(scope="session", params=["full", "lite"])
def body(request: pytest.FixtureRequest) -> Glb:
    data: bytes = request.getfixturevalue(f"{request.param}_bytes")
    return Glb(data)
