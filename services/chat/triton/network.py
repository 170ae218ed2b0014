"""`chat.network` behind Triton."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chat.meaning import Meaning
from services.chat.model.network_chat import NetworkChat
from services.chat.model.persona import PersonaChat
from services.chat.model.prompt import Facts
from services.chat.model.writer import Writer
from services.chat.persona import load
from services.chat.retrieval import Retrieval
from services.core.inference.triton_shell import Shell
from services.core.moderation import Moderator
from services.core.settings import Settings
from services.places import FITTED


class TritonPythonModel(Shell[NetworkChat]):
    """Her own network, with her persona for what it leaves to it."""

    @asynccontextmanager
    async def open(self, settings: Settings) -> AsyncIterator[NetworkChat]:
        persona, moderator = load(), Moderator.built_in(settings.audience.words)
        retrieval = await asyncio.to_thread(Retrieval, persona, Meaning(), FITTED)
        writer = await asyncio.to_thread(Writer)
        hand_written = PersonaChat(persona, retrieval, moderator)
        yield NetworkChat(writer, Facts.read(), persona, retrieval, moderator, hand_written)
