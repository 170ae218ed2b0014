"""The puppet behind Triton."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.core.inference.triton_shell import Shell
from services.core.settings import Settings
from tests.contract.puppet import FOLDER, Puppet


class TritonPythonModel(Shell[Puppet]):
    """Does as it is told."""

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[Puppet]:  # noqa: ARG002
        yield Puppet(Path(os.environ[FOLDER]))
