"""`motion.rules` behind Triton."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.core.events import VoiceChunk
from services.core.inference.triton_shell import Shell
from services.core.settings import Settings
from services.motion.model.rules import Rules


class TritonPythonModel(Shell[Rules]):
    """Movement by rules."""

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[Rules]:  # noqa: ARG002
        yield Rules()

    def begin(self, model: Rules, request: VoiceChunk) -> None:
        model.forget(request.turn_id)
