"""A stage that performs turns without words or voice, and knows what was really heard."""

from __future__ import annotations

import asyncio
from collections import Counter

from services.core import topics
from services.core.bus.port import Bus
from services.core.clock import Clock
from services.core.envelope import seal, unseal
from services.core.events import LANE_PAID, Control, Performed, Turn
from services.core.ids import derived
from services.core.state.port import Put, State
from services.core.turns import heard_key


class FakeStage:
    """Performs each turn once, however often it comes, and stops when a newer epoch is seen.

    With a `state` it notes there what was heard, before the bus gets the report, as the real one does. It hears of
    controls `late_s` after they were given.
    """

    def __init__(
        self, bus: Bus, clock: Clock, *, segment_s: float = 0.4, late_s: float = 0.0, state: State | None = None
    ) -> None:
        self.heard: Counter[str] = Counter()
        """How often each event's thanks or answer was heard to its end."""
        self.turns: list[Turn] = []
        self.changed = asyncio.Event()
        """Set when something was heard."""
        self._bus = bus
        self._clock = clock
        self._segment_s = segment_s
        self._late_s = late_s
        self._state = state
        self._epochs: Counter[str] = Counter()
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        async with (
            asyncio.TaskGroup() as tasks,
            self._bus.consume(topics.TURNS, topics.CONTROL, group="stage") as consumer,
        ):
            async for delivery in consumer:
                if delivery.record.topic == topics.CONTROL:
                    control = unseal(delivery.record, Control)
                    await asyncio.sleep(self._late_s)
                    self._see(control.room_id, control.epoch)
                else:
                    turn = unseal(delivery.record, Turn)
                    if all(turn.turn_id != known.turn_id for known in self.turns):
                        self.turns.append(turn)
                        self._see(turn.room_id, turn.epoch)
                        if turn.epoch == self._epochs[turn.room_id]:
                            self._running[turn.room_id] = tasks.create_task(self._perform(turn))
                delivery.done()

    def _see(self, room_id: str, epoch: int) -> None:
        if epoch > self._epochs[room_id]:
            self._epochs[room_id] = epoch
            if room_id in self._running:
                self._running.pop(room_id).cancel()

    async def _perform(self, turn: Turn) -> None:
        segments: dict[str, list[str]] = {}
        for event in turn.audience.events:
            viewer = event.viewer.id if turn.lane == LANE_PAID else ""
            segments.setdefault(viewer, []).append(event.event_id)
        heard = 0
        try:
            await asyncio.sleep(0.05)
            await self._report(turn, Performed.STATE_STARTED, 0)
            for events in segments.values():
                await asyncio.sleep(self._segment_s)
                self.heard.update(events)
                self.changed.set()
                heard += 1
                if heard < len(segments):
                    await self._report(turn, Performed.STATE_HEARD, heard)
            await self._report(turn, Performed.STATE_FINISHED, heard)
        except asyncio.CancelledError:
            await self._report(turn, Performed.STATE_STOPPED, heard)

    async def _report(self, turn: Turn, state: Performed.State, heard: int) -> None:
        event = Performed(
            performed_id=derived("performed", turn.turn_id, state, heard),
            room_id=turn.room_id,
            turn_id=turn.turn_id,
            epoch=turn.epoch,
            state=state,
            heard_segments=heard,
            at_ms=self._clock.now_ms(),
        )
        if self._state is not None:
            await self._state.apply(Put(heard_key(turn.room_id), event.SerializeToString()))
        await self._bus.publish(
            seal(
                topics.PERFORMED,
                event,
                event_id=event.performed_id,
                room_id=turn.room_id,
                source="stage",
                now_ms=self._clock.now_ms(),
            )
        )
