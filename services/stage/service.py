"""The stage: performs rooms, says what was heard, and gives the operator the say."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import Gauge

from services.core import topics
from services.core.bus.port import Bus, BusUnavailable, Delivery
from services.core.clock import Clock
from services.core.envelope import seal
from services.core.events import (
    MODE_AUTO,
    MODE_TAKEOVER,
    MODE_UNSPECIFIED,
    Control,
    Decision,
    Lane,
    MotionChunk,
    Performed,
    Presence,
    RoomStatus,
    Turn,
    VoiceChunk,
)
from services.core.ids import Ids, derived
from services.core.moderation import Moderator
from services.core.settings import Stage as Settings
from services.core.state.port import Put, State, StateUnavailable
from services.core.telemetry import Telemetry
from services.core.turns import epoch_key, heard_key, next_epoch
from services.core.worker import BACK_OFF_S, Rejected, Verdict, Worker
from services.motion.frames import of_chunk
from services.stage.room import Renderer, Room
from services.stage.timeline import RATE, Began, Report

log = logging.getLogger(__name__)

IDLE_S = 60
"""A room that nobody watches and where nothing is performed is closed after so long."""
HOUSEKEEPING_S = 20
DECIDED_S = 0.25
"""How much later than it could the stage may hear what was decided: what she says next is being made meanwhile. Whom
it answers comes with its first voice, too.
"""
WAITING, RECENT = 1000, 100
"""So many of the latest decisions are kept for a console that asks."""
LATE_MS = 4000
"""A turn whose voice comes later than that may be dead: the audience gives it up after twice as long."""
OPERATOR_TIMEOUT_S = 2.0
ATTENDED_S = 30.0
"""A console asks every ten seconds. Whose has not asked for so long has nobody on duty."""
SAYS = 10
"""So many of an operator's texts wait at most."""
OWN_CONTROLS = 100
"""The stage's own latest controls, whose echo from the bus tells it nothing."""


class StageFull(Exception):
    """No further room or renderer can be taken."""


class NotNow(Exception):
    """What an operator asks for cannot be done as things stand."""


class Unsayable(Exception):
    """An operator's words that she must not say. Holds the kind of rule against them, and none of the words."""


@dataclass
class _Open:
    """A room and what the stage keeps beside it."""

    room: Room
    task: asyncio.Task[None]
    held: dict[int, list[Delivery]] = field(default_factory=dict)
    """Epoch → its records, finished when the turn has been performed."""
    headers: dict[int, Mapping[str, str]] = field(default_factory=dict)
    """Epoch → headers of its first voice record, for the trace."""
    turns: dict[int, Turn] = field(default_factory=dict)
    over: int = 0
    """The newest epoch whose turn is over, as those before it are."""
    waiting: dict[str, bytes] = field(default_factory=dict)
    """Event → the decision that it waits, as it came: so it takes a fifth of the memory."""
    recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=RECENT))
    attended_at: float | None = None
    """When an operator's console asked for it last. Seconds of the monotonic clock."""
    untold: dict[str, tuple[Control, asyncio.Task[None]]] = field(default_factory=dict)
    """Action → what the other services do not know yet, and the task that goes on telling them."""


class Stage:
    """Owns the rooms that are performed by this process."""

    def __init__(
        self,
        bus: Bus,
        state: State,
        clock: Clock,
        ids: Ids,
        telemetry: Telemetry,
        moderator: Moderator,
        settings: Settings | None = None,
    ) -> None:
        self._bus = bus
        self._state = state
        self._clock = clock
        self._ids = ids
        self._telemetry = telemetry
        self._moderator = moderator
        self._settings = settings or Settings()
        self._rooms: dict[str, _Open] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._own_controls: deque[str] = deque(maxlen=OWN_CONTROLS)
        self._worker = Worker(bus, telemetry, service="stage")
        self._tasks: asyncio.TaskGroup | None = None
        self._draining = False

    async def listening(self) -> None:
        """Returns when it reads what it performs, and misses no control, decision or turn any more."""
        await self._worker.listening(3)

    async def drain(self) -> None:
        """Takes no further turn on the stage; returns when those on it are over and reported."""
        self._draining = True
        for opened in list(self._rooms.values()):
            await opened.room.finished()

    async def run(self) -> None:
        """Performs until cancelled."""
        self._gauge()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(
                self._worker.run(topics.VOICE, topics.FRAMES, handle=self._perform), name="stage performance"
            )
            tasks.create_task(
                self._worker.run(topics.CONTROL, handle=self._watch, group=None, start="latest"),
                name="stage controls",
            )
            tasks.create_task(
                self._worker.run(
                    topics.TURNS,
                    topics.DECISIONS,
                    handle=self._watch,
                    group=None,
                    start="latest",
                    may_wait_s=DECIDED_S,
                ),
                name="stage turns and decisions",
            )
            tasks.create_task(self._keep_house(), name="stage housekeeping")

    # --- renderers ---------------------------------------------------------------------------------------------------

    @contextmanager
    def joined(self, room: Room, *, console: bool = False) -> Iterator[Renderer]:
        """A renderer of an open room, or a console, for as long as the context lasts. Raises StageFull.

        They are counted apart: a full room does not lock its operators out.
        """
        company = room.consoles if console else room.renderers
        if len(company) >= self._settings.max_renderers:
            raise StageFull(f"the room has its {self._settings.max_renderers} renderers")
        with room.joined(console=console) as renderer:
            yield renderer

    async def open(self, room_id: str) -> Room:
        """The room, opened if need be. Raises StageFull, StateUnavailable."""
        return (await self._open(room_id)).room

    async def announce(self, room: Room) -> None:
        """Tells the other services how many renderers the room has. Best effort."""
        await self._tell_presence(room, opened=False)

    async def _tell_presence(self, room: Room, *, opened: bool) -> None:
        control = Control(epoch=room.timeline.epoch, presence=Presence(renderers=len(room.renderers), opened=opened))
        self._prepare(room.room_id, control, "stage")
        try:
            await self._publish_control(control)
        except BusUnavailable:
            log.warning("presence could not be told: the bus does not answer")

    def measured(self, drift_s: float) -> None:
        """A renderer says how far it plays from where it would choose to."""
        self._telemetry.metrics.renderer_drift_seconds.observe(abs(drift_s))

    def labelled(self, shown: bool) -> None:
        """A renderer says whether it shows the AI label."""
        self._telemetry.metrics.label_reports.labels("yes" if shown else "no").inc()

    # --- the operator ------------------------------------------------------------------------------------------------

    async def control(self, room_id: str, control: Control, *, issued_by: str) -> bool:
        """Carries out what an operator says. Returns whether the other services have been told.

        What must be silent is silent before anything else is tried, stays so, and the others are told of it as soon as
        they can be. Everything else is done only when they have been told. Raises NotNow or Unsayable for what
        cannot be done or said; BusUnavailable, StateUnavailable or TimeoutError when nothing was done.
        """
        asked = self._clock.monotonic()
        opened = await self._open(room_id, must=True)
        opened.attended_at = self._clock.monotonic()
        room, action = opened.room, str(control.WhichOneof("action"))
        if action == "say":
            self._check_words(room, control.say.text)
        if control.skip.turn_id not in ("", room.turn_id):
            raise NotNow("That turn is over already.")
        takes_over = action == "set_mode" and control.set_mode.mode == MODE_TAKEOVER
        cuts = (
            action == "stop"
            or (action == "skip" and not control.skip.event_id)
            or (action == "mute" and control.mute.muted)
            or (action == "panic" and not control.panic.released)
            or (takes_over and not _operators_turn(opened))
        )
        before = opened.untold.pop(action, None)
        if before is not None:
            before[1].cancel()
        self._prepare(room_id, control, issued_by)
        self._own_controls.append(control.control_id)
        told = True
        if not cuts:
            try:
                await self._tell(room, control)
            except (BusUnavailable, StateUnavailable, TimeoutError):
                if before is not None:  # things stand as they stood
                    self._go_on_telling(opened, before[0])
                raise
            self._note(room, control)
        else:
            self._note(room, control)
            room.interrupt(room.timeline.epoch + 1, reason=action)
            self._telemetry.metrics.stopped_epochs.labels(action).inc()
            self._telemetry.metrics.stop_seconds.observe(self._clock.monotonic() - asked)
            try:
                await self._tell(room, control, counts_up=True)
            except (BusUnavailable, StateUnavailable, TimeoutError):
                log.warning("%s holds, but the other services could not be told yet", action)
                told = False
                self._go_on_telling(opened, control)
        self._telemetry.metrics.operator_actions.labels(action).inc()
        return told

    def _check_words(self, room: Room, text: str) -> None:
        """Raises NotNow, Unsayable."""
        if room.status.panic:
            raise NotNow("She is stopped. Release her first; nothing waits to be said meanwhile.")
        if len(room.status.says) >= SAYS:
            raise NotNow(f"{SAYS} of your texts wait already. Let her say them first.")
        # Chat checks it too, clause by clause, and would say something harmless instead without the operator's knowing.
        if (finding := self._moderator.check(text, where="output")) is not None:
            raise Unsayable(finding.category)

    async def _tell(self, room: Room, control: Control, *, counts_up: bool = False) -> None:
        """`counts_up`: the running turn is dead for the other services too. Raises what state and bus raise."""
        async with asyncio.timeout(OPERATOR_TIMEOUT_S):
            if not counts_up:
                control.epoch = room.timeline.epoch
            elif not control.epoch:  # once: a turn that began since then is none of its business
                at_least, now_ms = room.timeline.epoch - 1, self._clock.now_ms()
                epoch = await next_epoch(self._state, room.room_id, at_least=at_least, now_ms=now_ms)
                room.interrupt(epoch, reason=str(control.WhichOneof("action")))
                control.epoch = room.timeline.epoch
            status = RoomStatus()
            status.CopyFrom(room.status)
            _change(status, control)
            await self._keep_status(room.room_id, status)
            await self._publish_control(control)

    def _go_on_telling(self, opened: _Open, control: Control) -> None:
        assert self._tasks is not None
        action = str(control.WhichOneof("action"))
        opened.untold[action] = (
            control,
            self._tasks.create_task(self._tell_later(opened, control), name=f"tell {action}"),
        )

    async def _tell_later(self, opened: _Open, control: Control) -> None:
        for wait in (*BACK_OFF_S, *[BACK_OFF_S[-1]] * 1000):
            await asyncio.sleep(wait)
            try:
                await self._tell(opened.room, control, counts_up=True)
            except (BusUnavailable, StateUnavailable, TimeoutError):
                continue
            break
        # Another order of the kind would have ended this task.
        del opened.untold[str(control.WhichOneof("action"))]

    def attend(self, room_id: str) -> None:
        """An operator's console has asked for the room: somebody is on duty."""
        if room_id in self._rooms:
            self._rooms[room_id].attended_at = self._clock.monotonic()

    def rooms(self) -> dict[str, RoomStatus]:
        """Open rooms and how they stand."""
        return {room_id: opened.room.status for room_id, opened in self._rooms.items()}

    def queue(self, room_id: str) -> tuple[list[Decision], list[Decision]]:
        """What waits, best first, and the latest final decisions, newest first. Empty for a room that is not open."""
        opened = self._rooms.get(room_id)
        if opened is None:
            return [], []
        waiting = map(Decision.FromString, opened.waiting.values())
        recent = map(Decision.FromString, reversed(opened.recent))
        return sorted(waiting, key=lambda d: (d.lane, -d.score)), list(recent)

    # --- records -----------------------------------------------------------------------------------------------------

    async def _perform(self, chunk: VoiceChunk | MotionChunk, delivery: Delivery) -> Verdict:
        _check_chunk(chunk)
        try:
            opened = await self._open(chunk.room_id, must=True)
        except StageFull:
            if isinstance(chunk, VoiceChunk):
                failed = Report(chunk.turn_id, chunk.epoch, Performed.STATE_FAILED, 0, 0, "", "full")
                await self._report(chunk.room_id, failed)
            return Verdict.DONE
        if opened.room.silenced:
            return Verdict.DONE  # whoever opened the turn has not heard of it yet, and will
        if self._draining and not opened.room.timeline.performs(chunk.epoch):
            return Verdict.HELD  # and never finished here, so the next stage gets it
        if isinstance(chunk, VoiceChunk) and chunk.HasField("turn"):
            self._know(opened, chunk.turn)
        if chunk.epoch > opened.room.timeline.epoch and self._late(opened, chunk.epoch):
            newest = int(await self._state.get(epoch_key(chunk.room_id)) or 0)
            opened.room.interrupt(newest, reason="given up", keep=True)
        if isinstance(chunk, VoiceChunk):
            opened.headers.setdefault(chunk.epoch, delivery.record.headers)
            taken = opened.room.voice(chunk)
        else:
            taken = opened.room.motion(chunk)
        if not taken:
            return Verdict.DONE
        opened.held.setdefault(chunk.epoch, []).append(delivery)
        return Verdict.HELD

    def _late(self, opened: _Open, epoch: int) -> bool:
        """Whether a turn comes so late that the audience may have given it up, and be about to say its thanks again,
        without this stage's having heard of it yet.
        """
        turn = opened.turns.get(epoch)
        return turn is None or self._clock.now_ms() - turn.opened_at_ms > LATE_MS

    async def _watch(self, event: Control | Decision | Turn, delivery: Delivery) -> Verdict:
        opened = self._rooms.get(event.room_id)
        if opened is None:
            return Verdict.DONE
        match event:
            case Control():
                self._obey(opened, event)
            case Turn():
                self._know(opened, event)
            case Decision():
                _keep_decision(opened, event, delivery.record.value)
                opened.room.decision(event)
        return Verdict.DONE

    def _know(self, opened: _Open, turn: Turn) -> None:
        """What a turn answers: from the bus or with its first voice, whichever comes first."""
        if turn.epoch in opened.turns or turn.epoch <= opened.over:
            return
        opened.turns[turn.epoch] = turn
        if turn.epoch >= opened.room.timeline.epoch:
            opened.room.turn(turn)
        if turn.WhichOneof("cause") == "operator":
            opened.room.said(turn.operator.text)

    def _obey(self, opened: _Open, control: Control) -> None:
        action = control.WhichOneof("action")
        if control.control_id not in self._own_controls:
            self._note(opened.room, control)
        if control.epoch > opened.room.timeline.epoch:
            opened.room.interrupt(control.epoch, reason=str(action), keep=action == "supersede")
            self._telemetry.metrics.stopped_epochs.labels(str(action)).inc()
            if action != "supersede":
                late = max(self._clock.now_ms() - control.at_ms, 0) / 1000
                self._telemetry.metrics.stop_seconds.observe(late)
        self._release(opened)

    def _note(self, room: Room, control: Control) -> None:
        if _change(room.status, control):
            room.send_status()

    def _release(self, opened: _Open) -> None:
        """Finishes the records of turns that died before they were performed."""
        for epoch in [epoch for epoch in opened.held if epoch < opened.room.timeline.epoch]:
            if not opened.room.timeline.performs(epoch):
                self._finish(opened, epoch)

    def _finish(self, opened: _Open, epoch: int) -> None:
        """Finishes the records of a turn that is over, and of older ones, which nobody will perform any more."""
        opened.over = max(opened.over, epoch)
        for old in [e for e in opened.held if e <= epoch]:
            for delivery in opened.held.pop(old):
                delivery.done()
        for kept in (opened.headers, opened.turns):
            for old in [e for e in kept if e <= epoch]:
                del kept[old]

    # --- reports -----------------------------------------------------------------------------------------------------

    async def _report(self, room_id: str, report: Report) -> None:
        """Remembers what was heard, tells the bus, then finishes the turn's records: in this order, until it works."""
        event = Performed(
            performed_id=derived("performed", report.turn_id, report.state, report.heard_segments),
            room_id=room_id,
            turn_id=report.turn_id,
            epoch=report.epoch,
            state=report.state,
            heard_samples=report.heard_samples,
            heard_segments=report.heard_segments,
            heard_text=report.heard_text,
            at_ms=self._clock.now_ms(),
            reason=report.reason,
        )
        for wait in (*BACK_OFF_S, *[BACK_OFF_S[-1]] * 1000):
            try:
                await self._state.apply(Put(heard_key(room_id), event.SerializeToString()))
                await self._publish_performed(event)
                break
            except (BusUnavailable, StateUnavailable):
                await asyncio.sleep(wait)
        opened = self._rooms.get(room_id)
        over = report.state in (Performed.STATE_FINISHED, Performed.STATE_STOPPED, Performed.STATE_FAILED)
        if opened is not None and over:
            self._count(opened.room, report)
            self._finish(opened, report.epoch)

    def _count(self, room: Room, report: Report) -> None:
        metrics, gaps = self._telemetry.metrics, room.timeline.underruns
        room.timeline.underruns = 0
        outcome = Performed.State.Name(report.state).removeprefix("STATE_").lower()
        metrics.turns_ended.labels(outcome).inc()
        metrics.heard_seconds.inc(report.heard_samples / RATE)
        metrics.underruns.inc(gaps)
        metrics.turns_with_gaps.inc(1 if gaps else 0)

    def _gauge(self) -> None:
        """Lets metrics ask the rooms whenever they are read."""

        def rooms(metric: Gauge, counts: Callable[[_Open], bool]) -> None:
            metric.set_function(lambda: sum(counts(opened) for opened in self._rooms.values()))

        metrics = self._telemetry.metrics
        rooms(metrics.stage_rooms, lambda _: True)
        rooms(metrics.speaking_rooms, lambda opened: opened.room.timeline.performing is not None)
        rooms(metrics.watched_rooms, lambda opened: bool(opened.room.renderers))
        rooms(metrics.unattended_rooms, lambda opened: bool(opened.room.renderers) and not self._attended(opened))
        rooms(metrics.panicked_rooms, lambda opened: opened.room.status.panic)
        rooms(metrics.muted_rooms, lambda opened: opened.room.status.muted)
        rooms(metrics.manual_rooms, lambda opened: opened.room.status.mode not in (MODE_UNSPECIFIED, MODE_AUTO))
        metrics.renderers.set_function(lambda: sum(len(opened.room.renderers) for opened in self._rooms.values()))

    def _attended(self, opened: _Open) -> bool:
        return opened.attended_at is not None and self._clock.monotonic() - opened.attended_at < ATTENDED_S

    def _began(self, room_id: str, began: Began) -> None:
        """The first voice of a turn is going out: measures how long its cause had to wait, and closes its trace."""
        opened = self._rooms[room_id]
        headers = opened.headers.get(began.epoch, {})
        with self._telemetry.span("perform first frame", parent=headers, attributes={"lydia.room_id": room_id}):
            turn = opened.turns.get(began.epoch)
            if turn is None:
                return
            metrics, now_ms = self._telemetry.metrics, self._clock.now_ms()
            lane = Lane.Name(turn.lane).removeprefix("LANE_").lower()
            metrics.turn_voice_seconds.labels(lane).observe(max(now_ms - turn.opened_at_ms, 0) / 1000)
            if turn.WhichOneof("cause") == "audience":
                received = max(event.received_at_ms for event in turn.audience.events)
                metrics.first_voice_seconds.labels(lane).observe(max(now_ms - received, 0) / 1000)

    async def _publish_performed(self, event: Performed) -> None:
        await self._bus.publish(
            seal(
                topics.PERFORMED,
                event,
                event_id=event.performed_id,
                room_id=event.room_id,
                source="stage",
                now_ms=event.at_ms,
            )
        )

    def _prepare(self, room_id: str, control: Control, issued_by: str) -> None:
        control.control_id = self._ids.new()
        control.room_id = room_id
        control.issued_by = issued_by
        control.at_ms = self._clock.now_ms()

    async def _publish_control(self, control: Control) -> None:
        await self._bus.publish(
            seal(
                topics.CONTROL,
                control,
                event_id=control.control_id,
                room_id=control.room_id,
                source="stage",
                now_ms=control.at_ms,
            )
        )

    # --- rooms -------------------------------------------------------------------------------------------------------

    async def _open(self, room_id: str, *, must: bool = False) -> _Open:
        """The room, opened if need be. `must`: an operator or a turn needs it, so that a room in which nothing happens
        may have to leave. Raises StageFull, StateUnavailable.
        """
        if room_id in self._rooms:
            return self._rooms[room_id]
        try:
            async with self._opening.setdefault(room_id, asyncio.Lock()):
                if room_id not in self._rooms:
                    await self._open_new(room_id, must=must)
        finally:
            self._opening.pop(room_id, None)
        return self._rooms[room_id]

    async def _open_new(self, room_id: str, *, must: bool) -> None:
        if self._tasks is None:
            raise StageFull("the stage is not running")
        self._check_space(must=must)
        stored = await self._state.get(status_key(room_id))
        status = RoomStatus.FromString(stored) if stored else RoomStatus(mode=MODE_AUTO)
        newest = int(await self._state.get(epoch_key(room_id)) or 0)
        heard = await self._state.get(heard_key(room_id))
        last = Performed.FromString(heard) if heard else None
        if last is not None:
            # Told again because the crash may have come between the state and the bus; its id is the same.
            await self._publish_performed(last)
        over = (Performed.STATE_FINISHED, Performed.STATE_STOPPED, Performed.STATE_FAILED)
        resume = (last.turn_id, last.heard_segments) if last is not None and last.state not in over else None
        room = Room(
            room_id,
            clock=self._clock,
            settings=self._settings,
            status=status,
            resume=resume,
            report=lambda report: self._report(room_id, report),
            began=lambda began: self._began(room_id, began),
        )
        done = last.epoch + 1 if last is not None and last.state in over else 0
        room.interrupt(max(newest, done), reason="opened")
        if room_id in self._rooms:  # somebody else was quicker, after a failure
            return
        self._check_space(must=must)
        self._rooms[room_id] = _Open(room, self._tasks.create_task(room.run(), name=f"room {room_id}"))
        self._tasks.create_task(self._tell_presence(room, opened=True), name=f"opened {room_id}")

    def _check_space(self, *, must: bool) -> None:
        """Sees to it that there is space for one more room. Raises StageFull."""
        if len(self._rooms) < self._settings.max_rooms:
            return
        rooms = self._rooms.values() if must else ()
        still = [opened for opened in rooms if not (opened.held or opened.untold or self._attended(opened))]
        if not still:
            raise StageFull(f"the stage has its {self._settings.max_rooms} rooms")
        # Anybody can open a room by looking at it; whoever looks at this one comes back when there is space.
        self._close(min(still, key=lambda opened: (bool(opened.room.renderers), opened.room.last_used)))

    def _close(self, opened: _Open) -> None:
        del self._rooms[opened.room.room_id]
        opened.task.cancel()
        opened.room.dismiss()

    async def _keep_status(self, room_id: str, status: RoomStatus) -> None:
        del status.says[:]
        await self._state.apply(Put(status_key(room_id), status.SerializeToString(), 7 * 86_400))

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            for opened in list(self._rooms.values()):
                if opened.room.renderers:
                    await self.announce(opened.room)
                elif (
                    not (opened.room.busy or opened.untold) and self._clock.monotonic() - opened.room.last_used > IDLE_S
                ):
                    self._close(opened)


def status_key(room_id: str) -> str:
    """The state's copy of the room's RoomStatus: mode, muted, panic."""
    return f"room:{room_id}:status"


def _change(status: RoomStatus, control: Control) -> bool:
    """How things stand once a control is carried out. Returns whether that is news."""
    match control.WhichOneof("action"):
        case "mute":
            status.muted = control.mute.muted
        case "panic":
            status.panic = not control.panic.released
            if status.panic:
                del status.says[:]
        case "set_mode":
            status.mode = control.set_mode.mode
        case "say":
            status.says.append(control.say.text)
        case _:
            return False
    return True


def _operators_turn(opened: _Open) -> bool:
    """Whether the newest turn says an operator's own words."""
    newest = max(opened.turns, default=None)
    return newest is not None and opened.turns[newest].WhichOneof("cause") == "operator"


def _check_chunk(chunk: VoiceChunk | MotionChunk) -> None:
    """Raises Rejected for what no room could perform: another version's frames, half a sample."""
    if isinstance(chunk, MotionChunk):
        try:
            of_chunk(chunk)
        except ValueError as error:
            raise Rejected(str(error)) from None
    elif len(chunk.pcm_s16le) % 2:
        raise Rejected(f"{len(chunk.pcm_s16le)} bytes of voice are no whole number of samples")


def _keep_decision(opened: _Open, decision: Decision, serialized: bytes) -> None:
    if decision.outcome == Decision.OUTCOME_WAITING:
        opened.waiting[decision.event_id] = serialized
        if len(opened.waiting) > WAITING:
            opened.waiting.pop(next(iter(opened.waiting)))
    else:
        opened.waiting.pop(decision.event_id, None)
        opened.recent.append(serialized)
