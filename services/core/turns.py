"""Work on turns that stops at once: every service drops what belongs to an older epoch."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.core import topics
from services.core.bus.port import Bus, Delivery, Record
from services.core.envelope import Malformed, unseal
from services.core.events import Control
from services.core.state.port import Lease, State
from services.core.telemetry import Telemetry
from services.core.worker import Verdict, Worker

MAX_ROOMS = 100_000


class OfTurn(Protocol):
    """Turn, TextSegment, VoiceChunk and MotionChunk have these."""

    room_id: str
    turn_id: str
    epoch: int


def epoch_key(room_id: str) -> str:
    """The state's counter of a room's epochs; the newest epoch ever given out."""
    return f"room:{room_id}:epoch"


def epoch_after(newest: int, now_ms: int) -> int:
    """The epoch that follows the newest one of a room.

    It is never below the Unix time in seconds: the counter may end while the room rests, or be lost with the state, and
    whoever remembers the room would take every turn for dead if it began again from one.
    """
    return max(newest, now_ms // 1000) + 1


async def next_epoch(state: State, room_id: str, *, at_least: int, now_ms: int, held: Lease | None = None) -> int:
    """Counts a room's epoch up, past `at_least`. Raises what `State.increment` raises."""
    return await state.increment(epoch_key(room_id), at_least=epoch_after(at_least, now_ms) - 1, held=held)


def heard_key(room_id: str) -> str:
    """The state's newest Performed of a room. The stage writes it before the bus gets the report."""
    return f"room:{room_id}:heard"


class Epochs:
    """The newest epoch this process knows of each room."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._changed: dict[str, asyncio.Event] = {}

    async def newest(self, room_id: str) -> int:
        """The room's newest epoch, from the state when this process has not met the room yet."""
        if room_id not in self._newest:
            stored = await self._state.get(epoch_key(room_id))
            # The newest epoch given out may not have been opened yet when the state was read: its turn is not dead.
            self.observe(room_id, int(stored or 0))
        return self._newest[room_id]

    def observe(self, room_id: str, epoch: int) -> None:
        """Somebody saw this epoch: older ones are dead."""
        if epoch > self._newest.get(room_id, -1):
            self._newest[room_id] = epoch
            self._newest.move_to_end(room_id)
            if room_id in self._changed:
                self._changed.pop(room_id).set()
            while len(self._newest) > MAX_ROOMS:
                self._newest.popitem(last=False)

    def is_dead(self, room_id: str, epoch: int) -> bool:
        """Whether a newer epoch of the room has been seen."""
        return self._newest.get(room_id, -1) > epoch

    async def superseded(self, room_id: str, epoch: int) -> None:
        """Returns when the room has a newer epoch than this."""
        while not self.is_dead(room_id, epoch):
            await self._changed.setdefault(room_id, asyncio.Event()).wait()


@dataclass
class _Held:
    """The turn a room is at, and its records, which are finished together."""

    epoch: int
    turn_id: str
    deliveries: list[Delivery] = field(default_factory=list)


class TurnWorker:
    """Hands a service the live records of a topic, one room in order, and cancels the handler when its epoch dies.

    The records of a turn are finished together, with the turn's last one or its death: after a crash the whole turn
    is made again, with the same ids, and consumers drop what they had.
    """

    def __init__(self, bus: Bus, state: State, telemetry: Telemetry, *, service: str) -> None:
        self.epochs = Epochs(state)
        self._worker = Worker(bus, telemetry, service=service)
        self._telemetry = telemetry
        self._service = service
        self._held: dict[str, _Held] = {}
        self._over = asyncio.Event()
        telemetry.metrics.turns_in_hand.labels(service).set_function(lambda: len(self._held))

    async def listening(self) -> None:
        """Returns when it reads its topic, and misses no control any more."""
        await self._worker.listening(2)

    async def drain(self) -> None:
        """From now on begins no turn; returns when those that were begun are over or dead."""
        await self._worker.drain(lambda record: record.key in self._held)
        while self._held:
            self._over.clear()
            await self._over.wait()

    async def run(
        self,
        topic: str,
        handle: Callable[[Any, Record], Awaitable[None]],
        *,
        is_last: Callable[[Any], bool],
        ended: Callable[[str, str], None] = lambda _room_id, _turn_id: None,
    ) -> None:
        """Works until cancelled.

        `handle` gets one event and the record it came in; `is_last` says whether it closes its turn;
        `ended(room_id, turn_id)` is told when a turn is over or dead, so that the service can forget it.
        """

        async def one(event: Any, delivery: Delivery) -> Verdict:
            room, epoch = event.room_id, event.epoch
            if epoch < await self.epochs.newest(room):
                self._telemetry.metrics.handled.labels(self._service, topic, "dead_epoch").inc()
                self._release(room, ended)
                return Verdict.DONE
            self.epochs.observe(room, epoch)
            self._release(room, ended)
            held = self._held.setdefault(room, _Held(epoch, event.turn_id))
            alive = await self._unless_superseded(handle(event, delivery.record), room, epoch)
            if not alive:
                self._telemetry.metrics.handled.labels(self._service, topic, "dead_epoch").inc()
            held.deliveries.append(delivery)
            # The epoch may have died as the handler was done, and the turn been released without this record.
            if is_last(event) or not alive or self.epochs.is_dead(room, epoch):
                self._finish(room, held, ended)
            return Verdict.HELD

        def behind(record: Record) -> None:
            """A turn that was given up, as after an outage, is not made to its end while the next one waits."""
            with suppress(Malformed):  # told of when it is handled
                self.epochs.observe(record.key, unseal(record, topics.CARRIES[topic]).epoch)  # type: ignore[attr-defined]
                self._release(record.key, ended)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(ended), name=f"{self._service} control")
            tasks.create_task(self._worker.run(topic, handle=one, behind=behind), name=f"{self._service} {topic}")

    async def _listen(self, ended: Callable[[str, str], None]) -> None:
        async def control(event: Control, _: Delivery) -> Verdict:
            self.epochs.observe(event.room_id, event.epoch)
            self._release(event.room_id, ended)
            return Verdict.DONE

        await self._worker.run(topics.CONTROL, handle=control, group=None, start="latest")

    def _release(self, room: str, ended: Callable[[str, str], None]) -> None:
        """Finishes what is held of a turn that is dead by now."""
        held = self._held.get(room)
        if held is not None and self.epochs.is_dead(room, held.epoch):
            self._finish(room, held, ended)

    def _finish(self, room: str, held: _Held, ended: Callable[[str, str], None]) -> None:
        for delivery in held.deliveries:
            delivery.done()
        if self._held.get(room) is held:
            del self._held[room]
            self._over.set()
            ended(room, held.turn_id)

    async def _unless_superseded(self, work: Awaitable[None], room: str, epoch: int) -> bool:
        """Runs the work; False when the epoch died first and the work was cancelled."""
        task = asyncio.ensure_future(work)
        death = asyncio.create_task(self.epochs.superseded(room, epoch), name="epoch watch")
        try:
            await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
                return True
            return False
        finally:
            for part in (task, death):
                part.cancel()
            await asyncio.gather(task, death, return_exceptions=True)
