"""The audience service with its bus, state and stage, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.audience.service import Audience
from services.core import topics
from services.core.bus import MemoryBus
from services.core.bus.port import Bus
from services.core.clock import LoopClock
from services.core.envelope import seal, unseal
from services.core.events import AudienceEvent, Chat, Control, Decision, Gift, Turn, Viewer
from services.core.moderation import Moderator
from services.core.settings import Audience as Policy
from services.core.state import MemoryState
from services.core.state.port import State
from services.core.telemetry import Telemetry
from tests.unit.audience.fake_stage import FakeStage

M = TypeVar("M", bound=Message)
MODERATOR = Moderator.built_in()


class House:
    """What outlives the audience service: the bus, the state and the stage."""

    def __init__(self, policy: Policy | None = None, record_dir: Path | None = None) -> None:
        self.clock = LoopClock()
        self.bus = MemoryBus()
        self.state = MemoryState(self.clock)
        self.stage = FakeStage(self.bus, self.clock, state=self.state)
        self.spans = InMemorySpanExporter()
        self.telemetry = Telemetry("test", processors=(SimpleSpanProcessor(self.spans),))
        self.policy = policy or Policy(quiet_s=3600)
        self._record_dir = record_dir
        self._numbers = 0

    def audience(self, bus: Bus | None = None, state: State | None = None, *, max_rooms: int = 10) -> Audience:
        return Audience(
            bus or self.bus,
            state or self.state,
            self.clock,
            self.telemetry,
            self.policy,
            moderator=MODERATOR,
            record_dir=self._record_dir,
            max_rooms=max_rooms,
        )

    @contextlib.asynccontextmanager
    async def running(self, audience: Audience | None = None, *, stage: bool = True) -> AsyncIterator[None]:
        parts = [(audience or self.audience()).run()] + ([self.stage.run()] if stage else [])
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def chat(self, text: str, who: str = "ann", *, room: str = "a", name: str | None = None) -> AudienceEvent:
        event = self._event(room, who, name)
        event.chat.CopyFrom(Chat(text=text))
        return await self.publish(event)

    async def gift(self, value: int = 10, who: str = "bob", *, room: str = "a", combo: str = "") -> AudienceEvent:
        event = self._event(room, who, None)
        event.gift.CopyFrom(Gift(gift_id="rose", name="rose", count=1, value_fen=value, combo_id=combo))
        return await self.publish(event)

    async def publish(self, event: AudienceEvent) -> AudienceEvent:
        with self.telemetry.root("push", kind=0):  # type: ignore[arg-type]
            record = seal(
                topics.AUDIENCE,
                event,
                event_id=event.event_id,
                room_id=event.room_id,
                source="gateway",
                now_ms=self.clock.now_ms(),
            )
        await self.bus.publish(record)
        return event

    async def control(self, control: Control, *, room: str = "a") -> None:
        self._numbers += 1
        control.control_id, control.room_id = f"control-{self._numbers}", room
        control.issued_by, control.at_ms = "operator", self.clock.now_ms()
        await self.bus.publish(
            seal(topics.CONTROL, control, event_id=control.control_id, room_id=room, source="stage", now_ms=0)
        )

    async def turns(self) -> list[Turn]:
        return await self._all(topics.TURNS, Turn)

    async def decisions(self) -> list[Decision]:
        return await self._all(topics.DECISIONS, Decision)

    async def controls(self) -> list[Control]:
        return await self._all(topics.CONTROL, Control)

    async def dead(self, topic: str) -> list[str]:
        return [record.headers["lydia_reason"] async for record in self.bus.read(topics.dead(topic))]

    async def _all(self, topic: str, kind: type[M]) -> list[M]:
        return [unseal(record, kind) async for record in self.bus.read(topic)]

    def _event(self, room: str, who: str, name: str | None) -> AudienceEvent:
        self._numbers += 1
        return AudienceEvent(
            event_id=f"event-{self._numbers}",
            room_id=room,
            platform="test",
            message_id=f"message-{self._numbers}",
            received_at_ms=self.clock.now_ms(),
            viewer=Viewer(id=who, name=who.title() if name is None else name),
        )
