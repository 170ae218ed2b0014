"""One cluster for all tests of this folder: the real servers, and every service as a process of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.cluster import Cluster, cluster
from deploy.local.process import free_port
from services.core.settings import CONFIG_VARIABLE, PREFIX

TOKEN = "cluster-operator"


@pytest_asyncio.fixture(loop_scope="package", scope="package")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    settings = folder / "settings.yaml"
    settings.write_text("")
    given = {
        # The voice that never falls behind, however busy the machine: these tests listen for gaps.
        "LYDIA_SPEECH__OWN_VOICE": "fast",
        "LYDIA_AUTH__OPERATOR_TOKEN": TOKEN,
        "LYDIA_DATA_DIR": str(folder / "data"),
        CONFIG_VARIABLE: str(settings),
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(f"{PREFIX}")]:
            if name != "LYDIA_KAFKA_BOOTSTRAP_SERVERS":
                environment.delenv(name)
        async with cluster(folder, port=free_port(), settings=given) as made:
            yield made
