"""The chat service: her words."""

from __future__ import annotations

import asyncio

from services.building.part import Part, Ports, Shared
from services.chat.meaning import Meaning
from services.chat.model.network_chat import NetworkChat
from services.chat.model.persona import PersonaChat
from services.chat.model.prompt import Facts
from services.chat.model.writer import Writer
from services.chat.persona import load as load_persona
from services.chat.retrieval import Retrieval
from services.chat.service import Chat
from services.core.inference import Inference, InProcess, Model, Placed
from services.core.settings import Settings
from services.places import FITTED

NETWORK, PERSONA = "chat.network", "chat.persona"
PERSONA_HERE = "chat.persona-here"
"""The same persona in this process, for when no model server answers: it needs 100 MB and no GPU."""


def asked(settings: Settings) -> set[str]:
    """The models that chat asks a model server for, where there is one."""
    return {PERSONA, *((NETWORK,) if settings.chat.network else ())}


async def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Answers with a language model where one is set, her own network where it is on, and her own persona.

    Raises CannotStart.
    """
    persona = load_persona()
    models: dict[str, Model] = {}
    if settings.chat.base_url:
        from services.chat.model.openai import OpenAIChat

        models["chat.openai"] = OpenAIChat(settings.chat, persona, shared.http())
    retrieval = await asyncio.to_thread(lambda: Retrieval(persona, Meaning(), FITTED))
    here = PersonaChat(persona, retrieval, shared.moderator)
    network = (NETWORK,) if settings.chat.network else ()
    rungs: tuple[str, ...] = (*models, *network)
    inference: Inference
    if ports.models is None:
        own: tuple[str, ...] = (PERSONA,)
        if network:
            writer = await asyncio.to_thread(Writer)
            models[NETWORK] = NetworkChat(writer, Facts.read(), persona, retrieval, shared.moderator, here)
        inference = InProcess(models | {PERSONA: here})
    else:
        own = (PERSONA, PERSONA_HERE)
        inference = Placed(InProcess(models | {PERSONA_HERE: here}), ports.models, asked(settings))
    rungs += own
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
    return Part({"chat": chat}, listening=chat.listening, rung=rungs[0], drain=chat.drain)
