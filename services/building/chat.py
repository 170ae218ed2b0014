"""The chat service: her words."""

from __future__ import annotations

import asyncio

from services.building.part import Part, Ports, Shared
from services.chat.meaning import Meaning
from services.chat.model.persona import PersonaChat
from services.chat.persona import load as load_persona
from services.chat.retrieval import Retrieval
from services.chat.service import Chat
from services.core.inference import Inference, InProcess, Model, Placed
from services.core.settings import Settings
from services.places import FITTED

PERSONA = "chat.persona"


async def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Answers with a language model where one is set, and with her own persona. Raises CannotStart."""
    persona = load_persona()
    models: dict[str, Model] = {}
    if settings.chat.base_url:
        from services.chat.model.openai import OpenAIChat

        models["chat.openai"] = OpenAIChat(settings.chat, persona, shared.http())
    rungs = (*models, PERSONA)
    inference: Inference
    if ports.models is None:
        retrieval = await asyncio.to_thread(lambda: Retrieval(persona, Meaning(), FITTED))
        inference = InProcess(models | {PERSONA: PersonaChat(persona, retrieval, shared.moderator)})
    else:
        inference = Placed(InProcess(models), ports.models, {PERSONA})
    chat = Chat(
        ports.bus,
        ports.state,
        inference,
        ports.clock,
        ports.telemetry,
        shared.moderator,
        persona,
        rungs=rungs,
    )
    return Part({"chat": chat}, rung=rungs[0], drain=chat.drain)
