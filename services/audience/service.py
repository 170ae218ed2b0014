"""The audience service: reads what viewers, the stage and operators do, lets each room's director decide, and carries
that out so that nothing paid is lost and nothing is done twice.

After each step, in this order: one atomic change of the state (the decisions' records among it, as an outbox), then the
records are published, then the record that caused the step is finished. A crash in between is healed when the room is
taken up again: the outbox is published once more, with the same ids. Of records that wait together for a room the steps
come first, and what follows from all of them is carried out at once, unless others wait for it: a turn or a stop.

Several processes may run it at once. Who takes a room up takes its lease, and every change of the state is refused to
who has lost it, so that no two of them ever open a turn for one room: the other forgets the room at its next step.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from opentelemetry import propagate
from opentelemetry.trace import SpanKind

from services.audience import keys
from services.audience.batch import READS, URGENT, Taken
from services.audience.director import Director, Input
from services.audience.ledger import Opened
from services.audience.log import RoomLog, header, log_path
from services.audience.room import Room, Unsettled
from services.core import topics
from services.core.bus.port import Bus, Delivery, Record
from services.core.clock import Clock
from services.core.envelope import seal
from services.core.events import (
    LANE_AMBIENT,
    LANE_CHAT,
    LANE_PAID,
    AudienceEvent,
    Control,
    Decision,
    EpochTaken,
    Heard,
    Lane,
    Outbox,
    PendingEvent,
    Performed,
    RoomSnapshot,
    ShowState,
    Tick,
)
from services.core.ids import derived
from services.core.lanes import given_fen
from services.core.moderation import Moderator
from services.core.settings import Audience as Policy
from services.core.state.port import Change, CountTo, Drop, Lease, LeaseLost, Overtaken, Put, State
from services.core.telemetry import Telemetry, link_to
from services.core.turns import epoch_after, epoch_key, heard_key, next_epoch
from services.core.worker import TOGETHER, TRANSIENT, Rejected, Verdict, Worker, back_off_s

log = logging.getLogger(__name__)

SERVICE = "audience"
SURE_S = 1.0
"""How old the state's word on a lease may be when something is published. A bus cannot refuse what comes too late, but
then its epoch is dead, and its ids are those under which the successor has published the same.
"""
WARY_S = 10.0
"""So long after a room was taken up its records are looked up first: whoever had it may have handled them, and not have
finished them. Later that is left to the change of the state that follows, which finds out too: then the room is taken
up anew.
"""
SLICE_S = 0.002
"""So long rooms step without letting anything else of the process go on. A step takes a fifth of a millisecond."""
REST_S = 180.0
"""A room where nothing waits and nobody watches is unloaded after so long; longer than a report of presence holds."""
HOLD_S = 10.0
"""How often a process says which rooms it has, and looks for those that nobody has any more."""


class Full(Rejected):
    """The process has as many rooms as it may have."""


class Audience:
    """Owns the rooms that this process decides for.

    `moderator` judges what viewers write. With `record_dir` every room is recorded there for `lydia replay`, with
    `record_topic` on the bus. More than `max_rooms` rooms at once are refused: their records become dead letters.
    """

    def __init__(
        self,
        bus: Bus,
        state: State,
        clock: Clock,
        telemetry: Telemetry,
        settings: Policy,
        *,
        moderator: Moderator,
        record_dir: Path | None = None,
        record_topic: bool = False,
        max_rooms: int = 1000,
    ) -> None:
        self._bus = bus
        self._state = state
        self._clock = clock
        self._telemetry = telemetry
        self._settings = settings
        self._moderator = moderator
        self._record_dir = record_dir
        self._record_topic = record_topic
        self._max_rooms = max_rooms
        self._started_ms = 0
        self._rooms: dict[str, Room] = {}
        self._loading = asyncio.Lock()
        self._stepping = asyncio.Lock()
        """Where much waits the rooms step in turns, for a slice of time each time round the process's loop: what else
        the process does, such as the gateway's answers, may be in a hurry.
        """
        self._slice_ends = 0.0
        self._tasks: asyncio.TaskGroup | None = None
        self._holding: asyncio.Task[None] | None = None
        self._worker = Worker(bus, telemetry, service=SERVICE)

    async def drain(self) -> None:
        """Takes nothing more in; returns when what was decided is carried out. Then it has no room any more."""
        await self._worker.drain()
        if self._holding is not None:
            self._holding.cancel()
            await asyncio.gather(self._holding, return_exceptions=True)
        for room in list(self._rooms.values()):
            async with room.lock:
                self._close(room)

    async def run(self) -> None:
        """Reads its topics and decides, until cancelled."""
        async with self.at_work():
            await self._resume()
            assert self._tasks is not None
            self._holding = self._tasks.create_task(self._keep_held(), name=f"{SERVICE} rooms that are held")
            await self._worker.run(*READS, handle=self._handle, together=self._handle_together, urgent=URGENT)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """While the context lasts, the rooms' clocks run and `take` may be called."""
        self._started_ms = self._clock.now_ms()
        self._gauge()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                for room in list(self._rooms.values()):
                    self._close(room)

    # --- inputs ------------------------------------------------------------------------------------------------------

    async def take(self, room_id: str, records: Sequence[Record]) -> Taken:
        """Handles records of one room, in order, for somebody who reads the topics elsewhere.

        From now on this process has the room, whoever had it before; without records too, and then what was unfinished
        in it goes on. May be cancelled, and the same records be handed in again, here or elsewhere.
        """
        finished = 0
        try:
            if not records:
                await self._hold(room_id)
            deliveries = [Delivery(record, partition=0, offset="", finish=_nothing) for record in records]
            for start in range(0, len(deliveries), TOGETHER):
                batch = deliveries[start : start + TOGETHER]
                several = len(batch) > 1
                if several and await self._worker.work_together(batch, self._handle_together):
                    finished += len(batch)
                    continue
                for delivery in batch:
                    await self._worker.work(delivery, self._handle, passing=(Full, *TRANSIENT), again=several)
                    finished += 1
        except (Full, *TRANSIENT) as error:
            return Taken(finished, lives=True, because=str(error) or type(error).__name__)
        room = self._rooms.get(room_id)
        return Taken(finished, lives=room is not None and not room.resting())

    async def _hold(self, room_id: str) -> None:
        room = self._rooms.get(room_id)
        if room is not None:
            stored = await self._state.get(room.lease.key)
            if stored == str(room.lease.number).encode():
                return
            async with room.lock:
                self._close(room)
        await self._take_up(room_id)

    async def _handle_together(self, records: Sequence[Record]) -> None:
        """Steps through records of one room. If anything fails the room is given up, as in a crash."""
        room_id = records[0].key
        room = await self._load(room_id)
        async with room.lock:
            if room.closed:
                raise LeaseLost("the room was unloaded meanwhile")
            try:
                await self._settle(room)
                events = [record.headers.get("ce_id", "") for record in records if record.topic == topics.AUDIENCE]
                seen = await self._state.known(*(keys.seen_key(room_id, event_id) for event_id in events))
                before = {event_id: keys.seen_key(room_id, event_id) in seen for event_id in events}
                for number, record in enumerate(records, 1):
                    with self._worker.handling(record) as event:
                        if event is not None:
                            _check(event, record)
                            heard = await self._input(event, before)
                            now_ms = await self._now_ms(room)
                            async with self._stepping:
                                room.step(heard, now_ms)
                                await self._make_way()
                        if number == len(records) or room.pressing():
                            await self._settle(room)
            except BaseException:
                self._close(room)
                raise

    async def _make_way(self) -> None:
        """Lets what else the process does go on, if this has kept it waiting for SLICE_S."""
        if self._clock.monotonic() >= self._slice_ends:
            await asyncio.sleep(0)
            self._slice_ends = self._clock.monotonic() + SLICE_S

    async def _handle(self, event: AudienceEvent | Performed | Control, delivery: Delivery) -> Verdict:
        room_id = delivery.record.key
        _check(event, delivery.record)
        while True:
            room = await self._load(room_id)
            async with room.lock:
                if room.closed:
                    continue
                sure = self._clock.monotonic() >= room.sure_from
                before = {event.event_id: False} if sure and isinstance(event, AudienceEvent) else {}
                try:
                    if room.stepped is not delivery:
                        await self._settle(room)
                        heard = await self._input(event, before)
                        room.step(heard, await self._now_ms(room))
                        room.stepped = delivery
                    await self._settle(room, sure=sure)
                except Overtaken:  # a guess was wrong; the room that is taken up now makes none for a while
                    self._close(room)
                    continue
                except LeaseLost:
                    self._close(room)
                    raise
                except TRANSIENT:
                    raise
                except Exception:
                    # What the director knows can no longer be trusted; the state can.
                    self._close(room)
                    raise
                return Verdict.DONE

    async def _input(self, event: Any, before: dict[str, bool]) -> Input:
        """`before`: of events of which it is known whether they were taken in; from now on this one was."""
        if not isinstance(event, AudienceEvent):
            other: Performed | Control = event
            return other
        seen = before.get(event.event_id)
        if seen is None:
            seen = await self._state.get(keys.seen_key(event.room_id, event.event_id)) is not None
        before[event.event_id] = True
        if seen:
            self._telemetry.metrics.repeated.inc()
        heard = Heard(event=event, traceparent=_traceparent(), repeated_delivery=seen)
        if self._moderator.check(event.viewer.name, "input") is not None:
            heard.event.viewer.name = ""
        text = event.super_chat.text if event.WhichOneof("kind") == "super_chat" else event.chat.text
        finding = self._moderator.check(text, "input") if text else None
        heard.refused_by = finding.rule if finding is not None else ""
        return heard

    async def _watch(self, room: Room) -> None:
        """Ticks when time alone changes something, carries out what failed, and unloads the room when it rests."""
        failures = 0
        while not room.closed:
            room.changed.clear()
            if failures:
                wait = back_off_s(failures - 1)
            elif room.wake_at_ms is not None:
                wait = max(room.wake_at_ms - self._clock.now_ms(), 1) / 1000
            else:
                wait = REST_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await room.changed.wait()
                    continue
            async with room.lock:
                if room.closed:
                    return
                try:
                    await self._tick(room)
                    failures = 0
                except Overtaken:
                    self._close(room)
                except LeaseLost:
                    log.info("another process has taken a room up")
                    self._close(room)
                except TRANSIENT as error:
                    failures += 1
                    log.warning("audience waits to carry out what it decided: %s", error)
                except Exception as error:
                    _log_failure("a room failed and is taken up anew by its next event", error)
                    self._close(room)

    async def _tick(self, room: Room) -> None:
        await self._settle(room)
        if room.wake_at_ms is not None and room.wake_at_ms <= self._clock.now_ms():
            room.step(Tick(), await self._now_ms(room))
            await self._settle(room)
        elif room.resting():
            await self._state.apply(Drop(keys.outbox_key(room.room_id)), held=room.lease)
            self._close(room)

    async def _now_ms(self, room: Room) -> int:
        """The time of the next step. Unix time.

        Before a turn is given up by then, or its thanks are said again, what the stage has noted of it is taken in:
        whoever brings its reports here may be away, and the stage may have heard late that the turn is dead.
        """
        while True:
            now_ms = self._clock.now_ms()
            if not room.director.unsure(now_ms):
                return now_ms
            stored = await self._state.get(heard_key(room.room_id))
            report = Performed.FromString(stored or b"")
            if not room.director.news(report):
                return now_ms
            room.step(report, now_ms)
            await self._settle(room)

    # --- effects -----------------------------------------------------------------------------------------------------

    async def _settle(self, room: Room, *, sure: bool = False) -> None:
        """Carries out what was decided. Safe to repeat from any point at which it failed.

        `sure`: the room's next epoch is taken to be free, for nobody else counts but an operator who stops her. Raises
        Overtaken where it is not, or where an event that is new here was taken in before: then the room is to be taken
        up anew.
        """
        unsettled = room.unsettled
        while room.wants_epoch:
            at_least, now_ms = room.director.epoch, self._clock.now_ms()
            if sure:
                epoch = epoch_after(at_least, now_ms)
                unsettled.epochs.append(epoch)
            else:
                epoch = await next_epoch(self._state, room.room_id, at_least=at_least, now_ms=now_ms, held=room.lease)
            room.step(EpochTaken(epoch=epoch), self._clock.now_ms())
        changes: list[Change] = [CountTo(epoch_key(room.room_id), epoch) for epoch in unsettled.epochs]
        changes += [change for outputs in unsettled.outputs for change in outputs.changes]
        if unsettled.records is None:
            unsettled.records = self._records(room.room_id, unsettled) + self._log(room, unsettled)
        outbox = keys.outbox_key(room.room_id)
        if unsettled.records:
            changes.append(Put(outbox, _outbox(unsettled.records), keys.KEEP_S))
        if unsettled.outputs:
            # Without changes too: a report that changes nothing here may matter to who has taken the room up.
            asked = self._clock.monotonic()
            await self._state.apply(*changes, held=room.lease)
            if self._clock.monotonic() - asked > SURE_S:
                # This process may have been stopped meanwhile, and the room be another one's by now.
                await self._state.apply(held=room.lease)
        if unsettled.records:
            await self._bus.publish(*unsettled.records)
        if unsettled.turns() or unsettled.controls():
            # A decision published twice costs nothing, a turn may cost its model's work.
            await self._state.apply(Drop(outbox), held=room.lease)
        room.unsettled = Unsettled()
        room.entry += len(unsettled.entries)
        self._count(unsettled)

    def _records(self, room_id: str, unsettled: Unsettled) -> list[Record]:
        controls = [self._seal(topics.CONTROL, room_id, c, c.control_id) for c in unsettled.controls()]
        turns = [self._turn(room_id, opened) for outputs in unsettled.outputs for opened in outputs.opened]
        decisions = []
        for told in (told for outputs in unsettled.outputs for told in outputs.told):
            record = self._seal(topics.DECISIONS, room_id, told.decision, told.decision.decision_id)
            headers = {name: value for name, value in record.headers.items() if name != "traceparent"}
            if told.traceparent:
                headers["traceparent"] = told.traceparent
            decisions.append(Record(record.topic, record.key, record.value, headers))
        return [*controls, *turns, *decisions]

    def _log(self, room: Room, unsettled: Unsettled) -> list[Record]:
        """The entries of the room's log, each under an id that it keeps."""
        records = []
        for number, entry in enumerate(unsettled.entries, room.entry):
            event_id = derived("step", room.room_id, room.lease.number, number)
            try:
                records.append(self._seal(topics.STEPS, room.room_id, entry, event_id))
            except ValueError as error:
                log.warning("the recording of a room on the bus ends: %s", error)
                room.on_topic = False
                break
        return records

    def _turn(self, room_id: str, opened: Opened) -> Record:
        """A turn goes on in the trace of its first event and is linked to those of the others."""
        turn = opened.turn
        attributes = {"lydia.room_id": room_id, "lydia.turn_id": turn.turn_id, "lydia.lane": _lane(turn.lane)}
        if opened.traceparents:
            first, *others = ({"traceparent": traceparent} for traceparent in opened.traceparents)
            links = tuple(link_to(other) for other in others[:100])
            span = self._telemetry.span("open turn", parent=first, links=links, attributes=attributes)
        else:
            span = self._telemetry.root("open turn", kind=SpanKind.INTERNAL, **attributes)
        with span:
            return self._seal(topics.TURNS, room_id, turn, turn.turn_id)

    def _seal(self, topic: str, room_id: str, event: Message, event_id: str) -> Record:
        return seal(topic, event, event_id=event_id, room_id=room_id, source=SERVICE, now_ms=self._clock.now_ms())

    def _count(self, settled: Unsettled) -> None:
        metrics = self._telemetry.metrics
        for turn in settled.turns():
            metrics.turns.labels(_lane(turn.lane), turn.WhichOneof("cause")).inc()
        for decision in settled.decisions():
            outcome = Decision.Outcome.Name(decision.outcome).removeprefix("OUTCOME_").lower()
            reason = Decision.Reason.Name(decision.reason).removeprefix("REASON_").lower()
            metrics.decisions.labels(_lane(decision.lane), outcome, reason).inc()
        now_ms = self._clock.now_ms()
        for outputs in settled.outputs:
            metrics.paid_accepted.inc(len(outputs.accepted))
            metrics.paid_accepted_yuan.inc(_yuan(outputs.accepted))
            metrics.paid_thanked_yuan.inc(_yuan(outputs.thanked))
            for pending in outputs.thanked:
                metrics.paid_thanked_seconds.observe(max(now_ms - pending.arrived_at_ms, 0) / 1000)

    def _gauge(self) -> None:
        """Lets metrics ask the rooms whenever they are read: an age grows without anything happening."""
        metrics = self._telemetry.metrics
        metrics.audience_rooms.set_function(lambda: len(self._rooms))
        metrics.paid_owed.set_function(lambda: sum(room.director.owed() for room in self._rooms.values()))
        metrics.paid_owed_yuan.set_function(
            lambda: sum(room.director.owed_fen() for room in self._rooms.values()) / 100
        )
        for lane in (LANE_PAID, LANE_CHAT, LANE_AMBIENT):
            metrics.waiting.labels(_lane(lane)).set_function(partial(self._waiting, lane))
            for held in (False, True):
                oldest = metrics.oldest_waiting_seconds.labels(_lane(lane), "yes" if held else "no")
                oldest.set_function(partial(self._oldest_s, lane, held=held))

    def _waiting(self, lane: Lane) -> int:
        return sum(room.director.waiting()[lane] for room in self._rooms.values())

    def _oldest_s(self, lane: Lane, *, held: bool) -> float:
        directors = (room.director for room in self._rooms.values() if room.director.held == held)
        arrived = [ms for director in directors if (ms := director.oldest_ms().get(lane)) is not None]
        return max(self._clock.now_ms() - min(arrived), 0) / 1000 if arrived else 0.0

    # --- rooms -------------------------------------------------------------------------------------------------------

    async def _resume(self) -> None:
        """Takes up every room in which something was unfinished."""
        failures = 0
        while True:
            try:
                for room_id in await self._state.fields(keys.ROOMS):
                    await self._take_up(room_id)
                return
            except TRANSIENT as error:
                log.warning("audience waits to take up its rooms: %s", error)
                await asyncio.sleep(back_off_s(failures))
                failures += 1

    async def _keep_held(self) -> None:
        """Takes up rooms whose process has left: no record may come in them that would bring them to another one."""
        unheld: set[str] = set()
        while True:
            try:
                mine = [room.room_id for room in self._rooms.values() if room.director.busy]
                if mine:
                    await self._state.apply(*[Put(keys.held_key(room_id), b"1", keys.HELD_S) for room_id in mine])
                others = set(await self._state.fields(keys.ROOMS)) - set(self._rooms)
                held = await self._state.known(*map(keys.held_key, others))
                # Twice in a row: who has just taken one up says so within HOLD_S.
                before, unheld = unheld, {room_id for room_id in others if keys.held_key(room_id) not in held}
                for room_id in sorted(before & unheld):
                    if len(self._rooms) < self._max_rooms:
                        await self._take_up(room_id)
            except TRANSIENT as error:
                log.warning("audience cannot see whether other rooms wait for somebody: %s", error)
            await asyncio.sleep(HOLD_S)

    async def _take_up(self, room_id: str) -> None:
        try:
            room = await self._load(room_id)
            async with room.lock:
                if not room.closed:
                    room.step(Tick(), self._clock.now_ms())
                    await self._settle(room)
        except TRANSIENT:
            raise
        except Exception as error:  # one room must not keep the others down
            _log_failure("a room could not be taken up", error)

    async def _load(self, room_id: str) -> Room:
        """The room, taken up from the state when this process does not have it."""
        if room_id in self._rooms:
            return self._rooms[room_id]
        async with self._loading:
            if room_id in self._rooms:
                return self._rooms[room_id]
            if len(self._rooms) >= self._max_rooms:
                self._make_room()
            lease = await self._lease(room_id)
            show = await self._state.get(keys.show_key(room_id))
            pending = await self._state.fields(keys.pending_key(room_id))
            await self._publish_again(room_id, lease)
            snapshot = RoomSnapshot(show=ShowState.FromString(show or b""))
            snapshot.pending.extend(sorted(map(PendingEvent.FromString, pending.values()), key=lambda p: p.order))
            now_ms = self._clock.now_ms()
            recording = None
            if self._record_dir is not None:
                recording = RoomLog(log_path(self._record_dir, room_id, self._started_ms))
            first = header(room_id, self._settings, snapshot, now_ms)
            director = Director(room_id, self._settings, snapshot, now_ms)
            room = Room(room_id, lease, director, recording, on_topic=self._record_topic)
            room.sure_from = self._clock.monotonic() + WARY_S
            room.log(first)
            self._rooms[room_id] = room
            assert self._tasks is not None
            self._tasks.create_task(self._watch(room), name=f"{SERVICE} clock {room_id}")
            return room

    async def _lease(self, room_id: str) -> Lease:
        """Takes the room from whoever had it: what that one has not told the state is as if it had not happened."""
        key = keys.lease_key(room_id)
        # At least the time, so that no number comes again after the key's end.
        return Lease(key, await self._state.increment(key, at_least=self._clock.now_ms()))

    async def _publish_again(self, room_id: str, lease: Lease) -> None:
        """What was decided last before a crash may not have been published."""
        stored = await self._state.get(keys.outbox_key(room_id))
        if stored is not None:
            entries = Outbox.FromString(stored).entries
            await self._bus.publish(*[Record(e.topic, room_id, e.value, dict(e.headers)) for e in entries])
            await self._state.apply(Drop(keys.outbox_key(room_id)), held=lease)

    def _make_room(self) -> None:
        for room in self._rooms.values():
            if room.resting() and not room.lock.locked():
                self._close(room)
                return
        raise Full(f"audience has its {self._max_rooms} rooms")

    def _close(self, room: Room) -> None:
        """Unloads a room; what it knows is in the state."""
        room.closed = True
        room.changed.set()
        if self._rooms.get(room.room_id) is room:
            del self._rooms[room.room_id]
        if room.recording is not None:
            room.recording.close()


def _check(event: Any, record: Record) -> None:
    """Raises Rejected."""
    if event.room_id != record.key:
        raise Rejected("its room is not its key")
    if isinstance(event, AudienceEvent) and not event.event_id:
        raise Rejected("has no event id")


def _nothing() -> None:
    """Whoever reads the topics finishes the record."""


def _log_failure(what: str, error: Exception) -> None:
    """Only the exception's type and place: its text may quote what a viewer wrote."""
    log.error("%s: %s\n%s", what, type(error).__qualname__, "".join(traceback.format_tb(error.__traceback__)))


def _traceparent() -> str:
    """The current span, as a record's header says it."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


def _outbox(records: list[Record]) -> bytes:
    entries = [Outbox.Entry(topic=r.topic, value=r.value, headers=dict(r.headers)) for r in records]
    return Outbox(entries=entries).SerializeToString(deterministic=True)


def _yuan(paid: Sequence[PendingEvent]) -> float:
    """What was really given."""
    return sum(given_fen(pending.event) for pending in paid) / 100


def _lane(lane: Lane) -> str:
    return Lane.Name(lane).removeprefix("LANE_").lower()
