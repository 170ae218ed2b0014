"""How a service works through its topics: in order per room, rooms side by side, nothing lost, nothing stuck."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from enum import Enum, auto
from functools import partial
from typing import Any, Literal

from google.protobuf.message import Message

from services.core import topics
from services.core.bus.port import Bus, BusUnavailable, Consumer, Delivery, Record
from services.core.envelope import Malformed, unseal
from services.core.state.port import LeaseLost, StateUnavailable
from services.core.telemetry import Telemetry
from services.core.waiting import Waiting

log = logging.getLogger(__name__)

TOGETHER = 32
"""Records of a room that are handled together at most: with more, those behind them would wait too long."""
ATTEMPTS = 3
"""How often a handler may fail on one record before the record goes to the dead letters."""
BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
TRANSIENT = (BusUnavailable, StateUnavailable, LeaseLost, TimeoutError, ConnectionError)
"""Failures of what surrounds a record, not of the record: tried again until they pass."""
KNOWN_TYPES = frozenset(kind.DESCRIPTOR.full_name for kind in topics.CARRIES.values())


class Verdict(Enum):
    """What a handler says of a record."""

    DONE = auto()
    HELD = auto()
    """The handler calls `delivery.done()` itself, later."""


Handler = Callable[[Any, Delivery], Awaitable[Verdict]]
Together = Callable[[Sequence[Record]], Awaitable[None]]
"""Handles records of one room, in order. When it returns they are done; when it raises anything it is as if it had not
been called, and they are handled one by one.
"""


class Rejected(Exception):
    """A record that can never be processed; its text becomes the reason in the dead letters."""


class Worker:
    """Reads topics for one service.

    Records of a room are handled one after another, different rooms concurrently. How many are in hand is bounded by
    the bus, which pauses delivery.
    """

    def __init__(self, bus: Bus, telemetry: Telemetry, *, service: str) -> None:
        self._bus = bus
        self._telemetry = telemetry
        self._service = service
        self._wanted: Callable[[Record], bool] | None = None
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._joined = 0
        self._joins = asyncio.Event()

    async def listening(self, runs: int) -> None:
        """Returns when so many of its runs are at the place from which they miss no record."""
        while self._joined < runs:
            self._joins.clear()
            await self._joins.wait()

    async def drain(self, wanted: Callable[[Record], bool] = lambda _record: False) -> None:
        """From now on begins no record but `wanted` ones; returns when nothing is in hand.

        The others stay unfinished, so whoever gets the partition next begins with them. What is read without a group
        goes on.
        """
        self._wanted = wanted
        await self._idle.wait()

    def _refused(self, record: Record) -> bool:
        return self._wanted is not None and not self._wanted(record)

    async def run(
        self,
        *names: str,
        handle: Handler,
        together: Together | None = None,
        behind: Callable[[Record], None] = lambda _: None,
        urgent: Set[str] = frozenset(),
        group: str | Literal["service"] | None = "service",
        start: Literal["earliest", "latest"] = "earliest",
        may_wait_s: float = 0.0,
    ) -> None:
        """Handles every record of the topics until cancelled; with `together`, several at once where several wait.
        `behind` is told of each that comes while another of its room is being handled. Records of `urgent` topics
        overtake those of the others.

        `group` is the service's own by default; None gives this process all records from now on (for `control`). For
        `may_wait_s` see the bus. A bus that is away when it is to be joined is waited for.
        """
        member_of = self._service if group == "service" else group
        rooms: dict[str, Waiting] = {}
        async with AsyncExitStack() as stack:
            join = partial(self._bus.consume, *names, group=member_of, start=start, may_wait_s=may_wait_s)
            consumer = await self._join(stack, join, names)
            self._joined += 1
            self._joins.set()
            # The handlers end first, so that what they have finished is committed on leaving the group.
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            async for delivery in consumer:
                if member_of is not None and self._refused(delivery.record):
                    continue
                room = delivery.record.key
                if room in rooms:
                    rooms[room].put(delivery)
                    behind(delivery.record)
                else:
                    rooms[room] = Waiting(urgent)
                    rooms[room].put(delivery)
                    work = self._room(room, rooms, handle, together, listens=member_of is None)
                    tasks.create_task(work, name=f"{self._service} {room}")

    async def _join(
        self,
        stack: AsyncExitStack,
        join: Callable[[], AbstractAsyncContextManager[Consumer]],
        names: tuple[str, ...],
    ) -> Consumer:
        failures = 0
        while True:
            try:
                return await stack.enter_async_context(join())
            except BusUnavailable as error:
                log.warning("%s waits to read %s: %s", self._service, ", ".join(names), error)
                await asyncio.sleep(back_off_s(failures))
                failures += 1

    async def _room(
        self,
        room: str,
        rooms: dict[str, Waiting],
        handle: Handler,
        together: Together | None,
        *,
        listens: bool,
    ) -> None:
        waiting = rooms[room]
        while waiting:
            batch = waiting.take(TOGETHER if together is not None and self._wanted is None else 1)
            several = len(batch) > 1
            if several and together is not None:
                with self._in_hand():
                    if await self.work_together(batch, together):
                        continue
            for delivery in batch:
                if listens:
                    await self.work(delivery, handle)
                elif not self._refused(delivery.record):
                    with self._in_hand():
                        await self.work(delivery, handle, again=several)
        del rooms[room]

    @contextmanager
    def _in_hand(self) -> Iterator[None]:
        self._busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def work_together(self, batch: Sequence[Delivery], together: Together) -> bool:
        """Handles records of one room at one go. False when that failed: then `work` is due on each."""
        for delivery in batch:
            self._telemetry.arrived(delivery.record, service=self._service)
        try:
            await together([delivery.record for delivery in batch])
        except Exception as error:  # what is wrong with which of them, and for how long, `work` finds out
            log.info("%s handles %d records one by one: %s", self._service, len(batch), type(error).__qualname__)
            return False
        for delivery in batch:
            delivery.done()
            self._telemetry.metrics.handled.labels(self._service, delivery.record.topic, "done").inc()
        return True

    @contextmanager
    def handling(self, record: Record) -> Iterator[Message | None]:
        """The span and the time of a record's handling. Yields its event; None for a type that this version
        does not know, which is ignored. Raises Malformed.
        """
        with (
            self._telemetry.process(record, service=self._service),
            self._telemetry.metrics.handle_seconds.labels(self._service, record.topic).time(),
        ):
            kind = topics.CARRIES[record.topic]
            announced = record.headers.get("ce_type", kind.DESCRIPTOR.full_name)
            yield unseal(record, kind) if announced in KNOWN_TYPES else None

    async def work(
        self,
        delivery: Delivery,
        handle: Handler,
        *,
        passing: tuple[type[Exception], ...] = (),
        again: bool = False,
    ) -> None:
        """Handles one record to its end: done, held, or among the dead letters. `again`: it was tried with others.

        Exceptions in `passing` are left to the caller; then the record is as if it had not been handled.
        """
        record, metrics = delivery.record, self._telemetry.metrics
        failures = transient = 0
        if not again:
            self._telemetry.arrived(record, service=self._service)
        while True:
            try:
                with self.handling(record) as event:
                    verdict = Verdict.DONE if event is None else await handle(event, delivery)
                if verdict is Verdict.DONE:
                    delivery.done()
                    metrics.handled.labels(self._service, record.topic, "done").inc()
                return
            except passing:
                raise
            except (Malformed, Rejected) as error:
                reason = str(error)
                break
            except TRANSIENT as error:
                log.warning("%s waits for %s: %s", self._service, record.topic, error)
                wait = back_off_s(transient)
                transient += 1
            except Exception as error:  # a record must not stop its partition
                # Only the exception's type and place: its text may quote what a viewer wrote.
                name, place = type(error).__qualname__, "".join(traceback.format_tb(error.__traceback__))
                log.error("%s failed on a record of %s: %s\n%s", self._service, record.topic, name, place)
                wait = back_off_s(failures)
                failures += 1
                if failures == ATTEMPTS:
                    reason = f"{name} after {failures} attempts"
                    break
            metrics.retries.labels(self._service).inc()
            await asyncio.sleep(wait)
        await bury(self._bus, record, reason, service=self._service)
        delivery.done()
        metrics.handled.labels(self._service, record.topic, "dead_letter").inc()


async def bury(bus: Bus, record: Record, reason: str, *, service: str) -> None:
    """Publishes the record among the dead letters, however long that takes."""
    headers = dict(record.headers) | {"lydia_reason": reason[:500], "lydia_service": service}
    failures = 0
    while True:
        try:
            await bus.publish(Record(topics.dead(record.topic), record.key, record.value, headers))
            return
        except BusUnavailable as error:
            log.warning("%s waits for the dead letters of %s: %s", service, record.topic, error)
            await asyncio.sleep(back_off_s(failures))
            failures += 1


def back_off_s(failures: int) -> float:
    """How long to wait after so many failures before this one."""
    return BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
