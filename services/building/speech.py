"""The speech service: her voice."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from services.building.part import Part, Ports, Shared
from services.core.inference import Inference, InProcess, Model, Placed
from services.core.settings import Settings
from services.places import VOICE
from services.speech.espeak.client import espeak_client
from services.speech.model.captions import CaptionsSpeech
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.natural import NaturalSpeech
from services.speech.natural.files import HASHES
from services.speech.service import CAPTIONS, ESPEAK, ESPEAK_HERE, NATURAL, OPENAI, TEACHER, Speech

if TYPE_CHECKING:
    from services.speech.natural.speaker import Speaker

log = logging.getLogger(__name__)


def asked(settings: Settings) -> set[str]:
    """The models that speech asks a model server for, where there is one."""
    return {ESPEAK} if settings.speech.own_voice == "fast" else {NATURAL, ESPEAK}


async def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
    """Speaks with the voices that this machine and its settings have, and with captions where none can."""
    stack = shared.stack
    models: dict[str, Model] = {CAPTIONS: CaptionsSpeech()}
    voices: dict[str, NaturalSpeech] = {}
    if settings.speech.base_url:
        from services.speech.model.openai import OpenAISpeech

        models[OPENAI] = server = OpenAISpeech(settings.speech)
        stack.push_async_callback(server.close)
    inference: Inference
    if ports.models is None:
        models[ESPEAK] = EspeakSpeech(await stack.enter_async_context(espeak_client(processes=2)))
        voices = natural_voices(settings)
        for rung, natural in voices.items():
            models[rung] = natural
            stack.push_async_callback(natural.close)
        known = set(models)
        inference = InProcess(models)
    else:
        there = asked(settings)
        models[ESPEAK_HERE] = EspeakSpeech(await stack.enter_async_context(espeak_client(processes=1)))
        known = models.keys() | there
        inference = Placed(InProcess(models), ports.models, there)
    rungs = tuple(rung for rung in (OPENAI, TEACHER, NATURAL, ESPEAK, ESPEAK_HERE, CAPTIONS) if rung in known)
    speech = Speech(
        ports.bus, ports.state, inference, ports.clock, ports.telemetry, rungs=rungs, speed=settings.stage.speed
    )

    def begin() -> None:
        for natural in voices.values():
            natural.start()

    return Part({"speech": speech}, listening=speech.listening, rung=rungs[0], drain=speech.drain, begin=begin)


def natural_voices(settings: Settings) -> dict[str, NaturalSpeech]:
    """Her own natural voices, best first, so far as their files are there. They load once they are told to."""
    voice, own = settings.speech.own_voice, settings.speech.own_network
    if voice == "fast":
        return {}
    built = (VOICE / HASHES).is_file()
    if not built and not own:
        log.warning("the natural voice is not built; the fast voice speaks. Mend: run `make setup`.")
        return {}

    def speaker(*, teacher: bool = False) -> Speaker:
        from services.speech.natural.loading import load  # slow, and nobody waits for it here

        return load(VOICE, voice, own=own, teacher=teacher)

    voices = {NATURAL: NaturalSpeech(speaker)}
    if settings.speech.finest and not built:
        log.warning("the finest voice is not built; her own vocoder speaks. Mend: run `make setup`.")
    elif settings.speech.finest:
        voices = {TEACHER: NaturalSpeech(lambda: speaker(teacher=True), rung="natural-teacher")} | voices
    return voices
