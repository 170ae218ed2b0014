"""`motion.network` behind Triton."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.core.events import VoiceChunk
from services.core.inference.triton_shell import Shell
from services.core.settings import Settings
from services.motion.model.network.rung import ByEar, Net


class TritonPythonModel(Shell[ByEar]):
    """Movement by ear."""

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[ByEar]:  # noqa: ARG002
        yield ByEar(Net(gpu=self.gpu))

    def begin(self, model: ByEar, request: VoiceChunk) -> None:
        model.forget(request.turn_id)
