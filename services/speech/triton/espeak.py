"""`speech.espeak` behind Triton."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.core.inference.triton_shell import Shell
from services.core.settings import Settings
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech


class TritonPythonModel(Shell[EspeakSpeech]):
    """The fast voice."""

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[EspeakSpeech]:  # noqa: ARG002
        async with espeak_client(processes=2) as client:
            yield EspeakSpeech(client)
