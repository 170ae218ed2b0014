"""`speech.natural` behind Triton."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.core.inference.triton_shell import Shell
from services.core.settings import Settings
from services.places import VOICE
from services.speech.model.natural import NaturalSpeech
from services.speech.natural.loading import load


class TritonPythonModel(Shell[NaturalSpeech]):
    """Her natural voice."""

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[NaturalSpeech]:
        voice = NaturalSpeech(lambda: load(VOICE, settings.speech.own_voice))
        try:
            voice.start()
            await voice.loaded()
            yield voice
        finally:
            await voice.close()
