"""The gateway: where audience events enter. It answers for an event only once the bus has it."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.trace import Span, SpanKind

from services.core import topics
from services.core.bus.port import Bus, BusUnavailable, Record
from services.core.clock import Clock
from services.core.envelope import MAX_VALUE_BYTES, seal
from services.core.events import AudienceEvent, Lane
from services.core.state.port import StateUnavailable
from services.core.telemetry import Telemetry
from services.gateway.platform import BadItem
from services.gateway.shedding import Shedding

PUBLISH_TIMEOUT_S = 1.5
"""A platform waits two seconds for its answer; this leaves the rest of them for everything else."""
PUBLISH_AT_ONCE = 500
REMEMBERED = 100_000
"""Ids of the newest events. Older repetitions pass, and the audience drops them by the same id."""
ROOM_IDLE_S = 1800.0

Listener = Callable[[Sequence[AudienceEvent]], None]


class RoomsFull(Exception):
    """There are as many rooms as allowed, and this event would open another one."""


class Refused(Exception):
    """A request that is not taken; `reason` is one of a fixed few words, the text tells how to mend it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def not_now(error: BusUnavailable | StateUnavailable | RoomsFull) -> Refused:
    """The refusal of what may be tried again later."""
    if isinstance(error, RoomsFull):
        return Refused(503, "rooms_full", str(error))
    return Refused(503, "unavailable", "the events could not be stored in time")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery."""

    accepted: int
    duplicates: int
    shed: int = 0
    """Left out, because too many came."""


@dataclass(frozen=True, slots=True)
class _Room:
    at: float
    """Of its last event. Seconds of the clock."""
    vouched: bool


class Gateway:
    """Takes events from every adapter, each once, and starts the trace of each.

    `max_rooms` rooms at once: one counts until it has had no event for half an hour. A room that somebody vouches for,
    as the settings do for `named`, takes the place of one that anybody may have made up. `shedding` says what of them
    is left out; without it nothing is.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        telemetry: Telemetry,
        shedding: Shedding | None = None,
        *,
        max_rooms: int = 100,
        named: Collection[str] = (),
        timeout_s: float = PUBLISH_TIMEOUT_S,
        remembered: int = REMEMBERED,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._telemetry = telemetry
        self._shedding = shedding
        self._max_rooms = max_rooms
        self._named = frozenset(named)
        self._timeout_s = timeout_s
        self._remembered = remembered
        self._known: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[str, asyncio.Future[bool]] = {}
        self._rooms: OrderedDict[str, _Room] = OrderedDict()
        """The longest silent first."""
        self._listeners: list[Listener] = []
        self._in_hand: dict[object, float] = {}
        """Pushes that are complete here and not answered yet, the oldest first, since when. Seconds of the clock."""

    def listen(self, listener: Listener) -> None:
        """`listener` is called with what was newly accepted, after the bus has it; it must not fail or wait."""
        self._listeners.append(listener)

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """A platform's push lies here complete and waits for its answer, for as long as the context lasts."""
        push = object()
        self._in_hand[push] = self._clock.monotonic()
        try:
            yield
        finally:
            del self._in_hand[push]

    def waited_s(self) -> float:
        """How long a platform has waited for the answer to its oldest push; of one that is alone here, 0.0: it has only
        itself to wait for, and nothing of others waits behind it.
        """
        if len(self._in_hand) < 2:
            return 0.0
        return self._clock.monotonic() - next(iter(self._in_hand.values()))

    def leaves_out(self, lane: Lane, number: int) -> bool:
        """Whether nothing of so many events of a push is taken in now: what was neither paid for nor comes from the
        room's own staff. Then they are counted, and need not be read.
        """
        return self._shedding is not None and self._shedding.leaves_out(lane, number, self.waited_s())

    async def accept(self, events: Sequence[AudienceEvent], *, vouched: bool = False, waited_s: float = 0.0) -> Receipt:
        """Publishes the events that are new, in order, and returns when the bus has all of them that are not shed.
        `vouched`: their rooms are not of anybody's invention. `waited_s` is how long a platform has waited for an
        answer, if one waits.

        Raises RoomsFull before anything is published, and BusUnavailable when the bus did not take them in time;
        then some may have been taken, and handing in the same events again is safe.
        """
        for room_id in {event.room_id for event in events}:
            self._admit(room_id, vouched=vouched)
        accepted = shed = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                for start in range(0, len(events), PUBLISH_AT_ONCE):
                    part = await self._publish(events[start : start + PUBLISH_AT_ONCE], waited_s)
                    accepted, shed = accepted + part.accepted, shed + part.shed
                    await asyncio.sleep(0)  # a very large delivery must not hold up the others
        except TimeoutError:
            raise BusUnavailable(f"the bus did not take the events within {self._timeout_s} s") from None
        return Receipt(accepted, len(events) - accepted - shed, shed)

    async def bury(self, platform: str, room_id: str, bad: Sequence[BadItem]) -> None:
        """Puts what is no event into the dead letters, with the reason. Raises BusUnavailable."""
        records = [
            Record(
                topics.dead(topics.AUDIENCE),
                room_id,
                item.raw[:MAX_VALUE_BYTES],
                {"content-type": "application/json", "lydia_reason": item.reason, "lydia_service": "gateway"},
            )
            for item in bad
        ]
        try:
            async with asyncio.timeout(self._timeout_s):
                for start in range(0, len(records), PUBLISH_AT_ONCE):
                    await self._bus.publish(*records[start : start + PUBLISH_AT_ONCE])
        except TimeoutError:
            raise BusUnavailable(f"the bus did not take the dead letters within {self._timeout_s} s") from None
        self._telemetry.metrics.refused.labels(platform, "bad_item").inc(len(records))

    def _admit(self, room_id: str, *, vouched: bool) -> None:
        now = self._clock.monotonic()
        while self._rooms and next(iter(self._rooms.values())).at <= now - ROOM_IDLE_S:
            self._rooms.popitem(last=False)
        known = self._rooms.get(room_id)
        vouched = vouched or room_id in self._named or (known is not None and known.vouched)
        if known is None and len(self._rooms) >= self._max_rooms:
            made_up = next((name for name, room in self._rooms.items() if not room.vouched), None)
            if not vouched or made_up is None:
                raise RoomsFull(f"all {self._max_rooms} rooms are taken")
            del self._rooms[made_up]
        self._rooms[room_id] = _Room(now, vouched)
        self._rooms.move_to_end(room_id)
        self._telemetry.metrics.rooms.set(len(self._rooms))

    async def _publish(self, events: Sequence[AudienceEvent], waited_s: float) -> Receipt:
        """Publishes what is new among the events, as far as it is not shed.

        What another call is just publishing is waited for: a repetition may be confirmed only when the first is safe.
        """
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        fresh: list[AudienceEvent] = []
        elsewhere: list[asyncio.Future[bool]] = []
        for event in events:
            other = self._under_way.get(event.event_id)
            if other is not None and other is not outcome:
                elsewhere.append(other)
            elif other is None and event.event_id not in self._known:
                fresh.append(event)
                self._under_way[event.event_id] = outcome
        try:
            admitted: Sequence[AudienceEvent] = fresh
            if self._shedding is not None:
                admitted = await self._shedding.admitted(fresh, waited_s=waited_s)
            if admitted:
                await self._hand_over(admitted)
                self._remember(admitted)
            outcome.set_result(True)
        finally:
            if not outcome.done():
                outcome.set_result(False)
            for event in fresh:
                del self._under_way[event.event_id]
        for other in elsewhere:
            if not await asyncio.shield(other):
                raise BusUnavailable("the same event is being published by another request, and that failed")
        return Receipt(len(admitted), len(events) - len(fresh), len(fresh) - len(admitted))

    async def _hand_over(self, events: Sequence[AudienceEvent]) -> None:
        """Publishes the events, each below the root span of its own trace; all of these end with the publishing."""
        with self._telemetry.roots(map(_receiving, events), kind=SpanKind.PRODUCER) as spans:
            await self._bus.publish(*map(_seal, events, spans))

    def _remember(self, events: Sequence[AudienceEvent]) -> None:
        """Only what the bus has is remembered, so a failure in between costs a repetition, never an event."""
        self._known.update(dict.fromkeys(event.event_id for event in events))
        kinds = Counter((event.platform, event.WhichOneof("kind") or "unknown") for event in events)
        for labels, number in kinds.items():
            self._telemetry.metrics.events.labels(*labels).inc(number)
        for listener in self._listeners:
            listener(events)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)


def _receiving(event: AudienceEvent) -> tuple[str, dict[str, str]]:
    """Name and attributes of an event's first span: nothing that the viewer wrote, and nobody's name."""
    return f"receive {event.platform}", {
        "messaging.system": "lydia",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": topics.AUDIENCE,
        "messaging.message.id": event.event_id,
        "lydia.service": "gateway",
        "lydia.room_id": event.room_id,
        "lydia.kind": event.WhichOneof("kind") or "unknown",
        "lydia.transport": event.transport,
    }


def _seal(event: AudienceEvent, span: Span) -> Record:
    """The event as a record in its span's trace."""
    return seal(
        topics.AUDIENCE,
        event,
        event_id=event.event_id,
        room_id=event.room_id,
        source=f"gateway/{event.platform}/{event.transport}",
        now_ms=event.received_at_ms,
        span=span,
    )
