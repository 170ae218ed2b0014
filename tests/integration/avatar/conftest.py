from pathlib import Path

import pytest

from services.stage.avatar.build import build
from services.stage.avatar.source import Source
from tests.integration.avatar.glb import Glb


@pytest.fixture(scope="session")
def source() -> Source:
    return Source(Path("build/avatar"))


@pytest.fixture(scope="session")
def lite_bytes(source: Source) -> bytes:
    return build(source, lite=True, progress=lambda _: None)


@pytest.fixture(scope="session")
def full_bytes(source: Source) -> bytes:
    return build(source, lite=False, progress=lambda _: None)


@pytest.fixture(scope="session", params=["full", "lite"])
def body(request: pytest.FixtureRequest) -> Glb:
    data: bytes = request.getfixturevalue(f"{request.param}_bytes")
    return Glb(data)
