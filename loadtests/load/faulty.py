"""`lydia` with a planted fault, to prove that the harness finds it. The services know nothing of this.

FAULT_SPEECH_SLEEP_MS=50 lets every voice wait so long before each segment. FAULT_LOSE_GIFT=1000 lets every thousandth
gift vanish on its way from the gateway to the bus, after which the gateway confirms it like all others; FAULT_LOST=FILE
tells which.
FAULT_VOICE_FILES=FOLDER lets the natural voice look for its files there. FAULT_NATURAL=FILE lets it hang, break or be
slow for as long as the file exists and says so in that word.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from google.protobuf.message import Message

from services import cli
from services.building import gateway, speech
from services.building.part import Part, Ports, Shared
from services.core import topics
from services.core.bus.port import Bus, Consumer, Record
from services.core.envelope import unseal
from services.core.events import AudienceEvent
from services.core.inference import Inference, InProcess, Model, ModelFailed
from services.core.settings import Settings
from services.core.state.port import State
from services.speech.service import NATURAL, Speech
from services.speech.sound import SAMPLE_RATE

SLEEP, LOSE, LOST = "FAULT_SPEECH_SLEEP_MS", "FAULT_LOSE_GIFT", "FAULT_LOST"
FILES, NATURALLY = "FAULT_VOICE_FILES", "FAULT_NATURAL"
HANGS, BREAKS, SLOW = "hangs", "breaks", "slow"
FOREVER_S = 3600.0
TIMES = 2.0
"""By how much longer than its sound lasts a slow voice takes."""


class SlowVoices:
    """Models, wherever they are, that wait before their first piece."""

    def __init__(self, models: Inference, *, wait_s: float) -> None:
        self._models, self._wait_s = models, wait_s

    async def stream(self, model: str, request: Message, *, request_id: str) -> AsyncIterator[Any]:
        await asyncio.sleep(self._wait_s)
        async with aclosing(cast(Any, self._models.stream(model, request, request_id=request_id))) as pieces:
            async for piece in pieces:
                yield piece

    async def ready(self, model: str) -> bool:
        return await self._models.ready(model)


class TroubledVoice(InProcess):
    """Models of which the natural voice does what a file says, from the next piece on."""

    def __init__(self, models: Mapping[str, Model], *, file: Path) -> None:
        super().__init__(models)
        self._file = file

    async def stream(self, model: str, request: Message, *, request_id: str) -> AsyncIterator[Any]:
        async with aclosing(cast(Any, super().stream(model, request, request_id=request_id))) as pieces:
            async for piece in pieces:
                if model == NATURAL:
                    await self._trouble(len(piece.pcm_s16le) / 2 / SAMPLE_RATE)
                yield piece

    async def _trouble(self, sounds_s: float) -> None:
        try:
            trouble = self._file.read_text()
        except FileNotFoundError:
            return
        if trouble == HANGS:
            await asyncio.sleep(FOREVER_S)
        elif trouble == BREAKS:
            raise ModelFailed("planted")
        elif trouble == SLOW:
            await asyncio.sleep(TIMES * sounds_s)


class LeakyBus:
    """Confirms every `every`th gift, and does not take it, however often it comes again. `note` tells its id."""

    def __init__(self, bus: Bus, *, every: int, note: Path) -> None:
        self._bus = bus
        self._every = every
        self._note = note
        self._gifts = 0
        self._gone: set[str] = set()

    async def publish(self, *records: Record) -> None:
        kept = [record for record in records if not self._loses(record)]
        if kept:
            await self._bus.publish(*kept)

    def _loses(self, record: Record) -> bool:
        if record.topic != topics.AUDIENCE or not (event := unseal(record, AudienceEvent)).HasField("gift"):
            return False
        self._gifts += 1
        if self._gifts % self._every == 0 and event.event_id not in self._gone:
            self._gone.add(event.event_id)
            with self._note.open("a") as note:
                note.write(f"{event.event_id}\n")
        return event.event_id in self._gone

    def consume(
        self,
        *names: str,
        group: str | None,
        start: Literal["earliest", "latest"] = "earliest",
        may_wait_s: float = 0.0,
    ) -> AbstractAsyncContextManager[Consumer]:
        return self._bus.consume(*names, group=group, start=start, may_wait_s=may_wait_s)

    def read(self, topic: str) -> AsyncIterator[Record]:
        return self._bus.read(topic)

    async def lag(self, topic: str, group: str) -> int:
        return await self._bus.lag(topic, group)

    async def copies_missing(self, topic: str) -> int:
        return await self._bus.copies_missing(topic)

    async def disks_free(self) -> Mapping[str, float]:
        return await self._bus.disks_free()


def plant(environment: Mapping[str, str]) -> None:
    """Puts the faults that the environment names where the services are built."""
    if wait_ms := float(environment.get(SLEEP) or 0):

        def asleep(bus: Bus, state: State, models: Inference, *rest: Any, **named: Any) -> Speech:
            return Speech(bus, state, SlowVoices(models, wait_s=wait_ms / 1000), *rest, **named)

        vars(speech)["Speech"] = asleep
    if folder := environment.get(FILES):
        vars(speech)["VOICE"] = Path(folder)
    if file := environment.get(NATURALLY):
        vars(speech)["InProcess"] = lambda models: TroubledVoice(models, file=Path(file))
    if every := int(environment.get(LOSE) or 0):
        sound, note = gateway.build, Path(environment[LOST])

        def build(settings: Settings, ports: Ports, shared: Shared) -> Part:
            return sound(settings, replace(ports, bus=LeakyBus(ports.bus, every=every, note=note)), shared)

        gateway.build = build


if __name__ == "__main__":
    plant(os.environ)
    sys.exit(cli.main(sys.argv[1:]))
