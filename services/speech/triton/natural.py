"""`speech.natural` behind Triton."""

from __future__ import annotations

import asyncio
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
        name = settings.speech.own_voice
        if name == "fast":
            raise ValueError("speech.own_voice is 'fast'. Mend: leave speech.natural out of the model repository")
        speaker = await asyncio.to_thread(load, VOICE, name, own=settings.speech.own_network, gpu=self.gpu)
        voice = NaturalSpeech(lambda: speaker)
        try:
            voice.start()
            await voice.loaded()
            yield voice
        finally:
            await voice.close()
