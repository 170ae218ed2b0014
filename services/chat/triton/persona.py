"""`chat.persona` behind Triton."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chat.meaning import Meaning
from services.chat.model.persona import PersonaChat
from services.chat.persona import load
from services.chat.retrieval import Retrieval
from services.core.inference.triton_shell import Shell
from services.core.moderation import Moderator
from services.core.settings import Settings
from services.places import FITTED


class TritonPythonModel(Shell[PersonaChat]):
    """Her hand-written persona."""

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[PersonaChat]:
        persona, moderator = load(), Moderator.built_in(settings.audience.words)
        yield PersonaChat(persona, await asyncio.to_thread(Retrieval, persona, Meaning(), FITTED), moderator)
