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
PERSONA_HERE = "chat.persona-here"
"""The same persona in this process, for when no model server answers: it needs 100 MB and no GPU."""


async def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Answers with a language model where one is set, and with her own persona. Raises CannotStart."""
    persona = load_persona()
    models: dict[str, Model] = {}
    if settings.chat.base_url:
        from services.chat.model.openai import OpenAIChat

        models["chat.openai"] = OpenAIChat(settings.chat, persona, shared.http())
    retrieval = await asyncio.to_thread(lambda: Retrieval(persona, Meaning(), FITTED))
    here = PersonaChat(persona, retrieval, shared.moderator)
    inference: Inference
    if ports.models is None:
        own: tuple[str, ...] = (PERSONA,)
        inference = InProcess(models | {PERSONA: here})
    else:
        own = (PERSONA, PERSONA_HERE)
        inference = Placed(InProcess(models | {PERSONA_HERE: here}), ports.models, {PERSONA})
    rungs = (*models, *own)
    chat = Chat(
        ports.bus,
        ports.state,
        inference,
        ports.clock,
        ports.telemetry,
        shared.moderator,
        persona,
        rungs=rungs,
        own=own,
    )
    return Part({"chat": chat}, rung=rungs[0], drain=chat.drain)
