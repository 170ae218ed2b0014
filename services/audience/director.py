"""Decides, for one room, what Lydia says next and what becomes of every audience event.

A reducer: it owns the room's state, and only `step` changes it. It has no clock, no randomness of its own and no I/O;
everything that could differ from one run to the next comes in as an input, so the same inputs give the same decisions.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.audience.choosing import Choice, Pace, allowed, choose, held, write_turn
from services.audience.fates import Fates
from services.audience.floor import Floor, restored
from services.audience.intake import Intake
from services.audience.ledger import Ledger, Outputs
from services.audience.paid import retry_at
from services.audience.queues import Queues
from services.audience.rundown import IdleTalk
from services.audience.viewers import Viewers
from services.core.events import (
    LANE_AMBIENT,
    LANE_CHAT,
    LANE_PAID,
    MODE_AUTO,
    MODE_UNSPECIFIED,
    Control,
    Decision,
    EpochTaken,
    FloorState,
    Heard,
    Lane,
    PendingEvent,
    Performed,
    RoomSnapshot,
    Say,
    Stop,
    Supersede,
    Tick,
)
from services.core.lanes import given_fen, lane_of
from services.core.settings import Audience as Policy

SAYS = 20
"""Operator texts waiting at most. The stage takes fewer; should more come all the same, the oldest leaves."""
OBEYED = 100
"""Controls remembered, to know a second delivery."""
TOLD_AGAIN = 500
"""Waiting events told again at most when a stage opens the room."""
WITHDRAWN = 500
"""Withdrawn platform messages remembered, for those that come after their withdrawal."""

OVER = (Performed.STATE_FINISHED, Performed.STATE_STOPPED, Performed.STATE_FAILED)
"""Reports after which a turn has no other."""

Input = Heard | Performed | Control | Tick | EpochTaken


class _StopFloor:
    """The running turn waits for the epoch that kills it."""


class Director:
    """One room. `snapshot` is what was known of it before and belongs to the director from now on."""

    def __init__(self, room_id: str, policy: Policy, snapshot: RoomSnapshot, now_ms: int) -> None:
        self._room_id = room_id
        self._show = snapshot.show
        if self._show.mode == MODE_UNSPECIFIED:
            self._show.mode = MODE_AUTO
        self._ledger = Ledger(room_id)
        self._viewers = Viewers(self._show.viewers)
        self._queues = Queues(policy)
        self._pace = Pace()
        self._idle = IdleTalk(room_id, self._show, quiet_s=policy.quiet_s, seed=policy.seed)
        self._fates = Fates(self._queues, self._ledger)
        self._intake = Intake(
            self._show,
            self._queues,
            self._viewers,
            self._idle,
            self._fates,
            self._ledger,
            chat_lifetime_s=policy.chat_lifetime_s,
        )
        self._due: Choice | _StopFloor | None = None
        """Waits for the epoch that was asked for."""
        self._newcomer: PendingEvent | None = None
        """The newcomer of which nothing has been told yet."""
        self._show_changed = False
        pending = {found.event.event_id: found for found in snapshot.pending}
        self._floor = restored(self._show.floor, pending, now_ms) if self._show.HasField("floor") else None
        self._given_up = restored(self._show.given_up, pending, now_ms) if self._show.HasField("given_up") else None
        """Thanks that may have been heard without the stage's having been able to say so yet."""
        for event_id, found in pending.items():
            self._show.next_order = max(self._show.next_order, found.order + 1)
            if self._floor is None or not self._floor.thanks(event_id):
                self._intake.queue(found, now_ms)
                if found.approved:
                    self._queues.approved[event_id] = found.not_before_ms
        self._registered = self.busy

    @property
    def epoch(self) -> int:
        """The newest epoch seen."""
        return int(self._show.epoch)

    @property
    def busy(self) -> bool:
        """Whether something is unfinished that must survive a restart."""
        return bool(self._floor or len(self._queues) or self._show.says)

    @property
    def held(self) -> bool:
        """Whether answers are left to the operator."""
        return held(self._show)

    def unsure(self, now_ms: int) -> bool:
        """Whether the next step would act on what the stage may know better: it gives up the turn on the floor, with
        which patience is over, or may say thanks again that were given up.
        """
        return self._given_up is not None or (self._floor is not None and now_ms >= self._floor.deadline_ms())

    def news(self, report: Performed) -> bool:
        """Whether a report tells what none has told yet, of the turn on the floor or of thanks that were given up."""
        floor, late = self._floor, self._given_up
        if late is not None and report.turn_id == late.turn.turn_id:
            return any(p.event.event_id in self._queues for group in _heard(late, report) for p in group)
        if floor is None or report.turn_id != floor.turn.turn_id:
            return False
        return report.state in OVER or report.heard_segments > floor.heard or floor.phase == FloorState.PHASE_OPEN

    def waiting(self) -> dict[Lane, int]:
        """Events in the queues, by lane."""
        return self._queues.sizes()

    def owed(self) -> int:
        """Paid events whose thanks are not heard to their end."""
        return len(self._queues.paid) + len(self._thanking())

    def owed_fen(self) -> int:
        """What was really given with them, in fen (0.01 CNY)."""
        return self._queues.paid.given_fen() + sum(given_fen(pending.event) for pending in self._thanking())

    def _thanking(self) -> list[PendingEvent]:
        """What is being thanked for and was not heard yet."""
        floor = self._floor
        return [] if floor is None else [pending for group in floor.thanked[floor.heard :] for pending in group]

    def oldest_ms(self) -> dict[Lane, int]:
        """When the oldest event came that is not answered, by lane; lanes without one are left out. Unix time."""
        queues = self._queues
        arrived = {
            LANE_PAID: min(
                (
                    ms
                    for ms in (queues.paid.oldest_ms(), *(p.arrived_at_ms for p in self._thanking()))
                    if ms is not None
                ),
                default=None,
            ),
            LANE_CHAT: queues.chats.oldest_ms(),
            LANE_AMBIENT: queues.ambient.oldest_ms(),
        }
        return {lane: ms for lane, ms in arrived.items() if ms is not None}

    def step(self, happened: Input, now_ms: int) -> Outputs:
        """Takes one input in. Nothing becomes due before `now_ms` (Unix time, milliseconds) has reached its time."""
        match happened:
            case Heard():
                if not happened.repeated_delivery and not self._waits(happened.event.event_id):
                    self._newcomer = self._intake.hear(happened, now_ms)
            case Performed():
                self._report(happened, now_ms)
            case Control():
                self._obey(happened, now_ms)
            case EpochTaken():
                self._take_epoch(happened.epoch, now_ms)
            case Tick():
                pass
        if self._due is None:
            self._intake.expire(now_ms)
            self._watch_floor(now_ms)
        if self._due is None:
            self._due = choose(self._show, self._floor, self._queues, self._idle, self._pace, now_ms)
            if self._due is None and self._floor is None:
                self._pace.rested()
        self._tell_newcomer(now_ms)
        self._keep()
        return self._ledger.close(wants_epoch=self._due is not None, wake_at_ms=self._wake(now_ms))

    # --- the operator -------------------------------------------------------------------------------------------------

    def _obey(self, control: Control, now_ms: int) -> None:
        if control.issued_by == "audience" or control.control_id in self._show.control_ids:
            return
        self._show.control_ids.append(control.control_id)
        del self._show.control_ids[:-OBEYED]
        self._show.epoch = max(self._show.epoch, control.epoch)
        self._show_changed = True
        floor = self._floor
        if floor is not None and floor.alive() and control.epoch > floor.turn.epoch:
            floor.skipped = control.HasField("skip") and not control.skip.event_id
            if control.HasField("set_mode"):  # who takes over wants to speak
                self._say_again(floor)
            self._end_floor(floor, now_ms)
        match control.WhichOneof("action"):
            case "say":
                self._show.says.append(control)
                del self._show.says[:-SAYS]
            case "mute":
                self._show.muted = control.mute.muted
            case "panic":
                self._show.panic = not control.panic.released
                if self._show.panic:
                    del self._show.says[:]
            case "set_mode":
                self._show.mode = control.set_mode.mode or MODE_AUTO
            case "skip":
                self._refuse(control.skip.event_id, Decision.REASON_SKIPPED, now_ms)
            case "approve" if control.approve.event_id in self._queues:
                self._ledger.keep(self._queues.approve(control.approve.event_id))
            case "withdraw":
                self._withdraw(frozenset(control.withdraw.message_ids), now_ms)
            case "presence":
                self._idle.presence(control.presence.renderers, now_ms)
                if control.presence.opened:
                    self._tell_all(now_ms)
        floor = self._floor
        if floor is not None and floor.alive() and not allowed(self._show, floor.turn.lane):
            # It was opened while the order was on its way.
            self._due = _StopFloor()

    def _tell_all(self, now_ms: int) -> None:
        """Says again who waits, to a stage that knows nothing of it: the most urgent ones, as many as it keeps."""
        waiting = [pending for pending in self._queues.events() if lane_of(pending.event) != LANE_AMBIENT]
        for pending in waiting[:TOLD_AGAIN]:
            self._fates.waits(pending, now_ms)

    def _refuse(self, event_id: str, reason: Decision.Reason, now_ms: int) -> None:
        """A person does not want a waiting event answered, not even a paid one."""
        if event_id in self._queues:
            self._fates.dropped(self._queues.remove(event_id), reason, now_ms)

    def _withdraw(self, message_ids: frozenset[str], now_ms: int) -> None:
        self._show.withdrawn.extend(sorted(message_ids))
        del self._show.withdrawn[:-WITHDRAWN]
        for pending in self._queues.events():
            if pending.event.message_id in message_ids:
                self._refuse(pending.event.event_id, Decision.REASON_WITHDRAWN, now_ms)
        floor = self._floor
        if floor is None or not floor.alive() or floor.turn.WhichOneof("cause") != "audience":
            return
        if all(event.message_id in message_ids for event in floor.turn.audience.events):
            floor.skipped = True
            self._due = _StopFloor()

    # --- the floor ----------------------------------------------------------------------------------------------------

    def _take_epoch(self, epoch: int, now_ms: int) -> None:
        self._show.epoch = max(self._show.epoch, epoch)
        self._show_changed = True
        due, self._due = self._due, None
        floor = self._floor
        if isinstance(due, Choice):
            self._open(due, epoch, now_ms)
        elif due is not None and floor is not None:
            self._ledger.control(Control(epoch=epoch, stop=Stop()), now_ms, "stop", floor.turn.turn_id, epoch)
            self._say_again(floor)
            self._end_floor(floor, now_ms)

    def _open(self, choice: Choice, epoch: int, now_ms: int) -> None:
        turn = write_turn(choice, self._room_id, epoch, self._show, self._idle, now_ms)
        events = choice.events()
        self._take_out(choice, now_ms)
        if choice.cutting is not None:
            supersede = Control(epoch=epoch, supersede=Supersede(turn_id=turn.turn_id))
            self._ledger.control(supersede, now_ms, "supersede", turn.turn_id)
            self._leave_superseded(choice.cutting, now_ms)
        self._floor = Floor(turn, thanked=choice.thanked, question=choice.question, since_ms=now_ms)
        self._floor.between_thanks = choice.between_thanks
        self._pace.opened(choice, now_ms)
        self._ledger.open(turn, events)
        self._fates.chosen(choice, turn, now_ms)
        if self._newcomer is not None and _among(self._newcomer, events):
            self._newcomer = None

    def _take_out(self, choice: Choice, now_ms: int) -> None:
        """Takes what a turn answers out of the queues. Thanks are kept until they were heard."""
        if choice.say is not None:
            del self._show.says[0]
        if choice.question is not None:
            self._queues.chats.answer(choice.question, now_ms)
            for pending in choice.question.asked:
                self._queues.approved.pop(pending.event.event_id, None)
                self._ledger.forget(pending)
        for pending in choice.gathered:
            self._ledger.forget(self._queues.remove(pending.event.event_id))
            self._show.remarked_at_ms = now_ms
        for group in choice.thanked:
            for pending in group:
                self._queues.remove(pending.event.event_id)

    def _report(self, report: Performed, now_ms: int) -> None:
        floor = self._floor
        if floor is None or report.turn_id != floor.turn.turn_id:
            self._report_late(report, now_ms)
            return
        floor.heard = max(floor.heard, report.heard_segments)
        self._show_changed = True
        begins = floor.phase == FloorState.PHASE_OPEN and report.state not in (
            Performed.STATE_STOPPED,
            Performed.STATE_FAILED,
        )
        if begins and floor.turn.lane == LANE_CHAT:
            for event in floor.turn.audience.events:
                self._viewers.answered(event.viewer.id, now_ms)
        match report.state:
            case Performed.STATE_STARTED | Performed.STATE_HEARD:
                if floor.alive():
                    floor.phase = FloorState.PHASE_SPEAKING
                    floor.since_ms = now_ms
            case Performed.STATE_FINISHED:
                floor.heard = len(floor.thanked)
                if not floor.thanked:
                    self._pace.rested()
                self._leave_floor(now_ms)
            case Performed.STATE_STOPPED:
                self._leave_floor(now_ms)
            case Performed.STATE_FAILED:
                self._say_again(floor)
                self._fail_floor(floor, now_ms)

    def _report_late(self, report: Performed, now_ms: int) -> None:
        """Thanks that were given up and heard after all need not be said again."""
        late = self._given_up
        if late is None or report.turn_id != late.turn.turn_id:
            return
        for group in _heard(late, report):
            for pending in group:
                if pending.event.event_id in self._queues:
                    self._queues.remove(pending.event.event_id)
                    self._fates.heard_after_all(pending, late.turn, now_ms)

    def _watch_floor(self, now_ms: int) -> None:
        floor = self._floor
        if floor is None or now_ms < floor.deadline_ms():
            return
        if floor.alive():
            self._due = _StopFloor()
        else:
            self._leave_floor(now_ms)

    def _end_floor(self, floor: Floor, now_ms: int) -> None:
        """The running turn is dead. What was heard of thanks is still to be reported."""
        self._show_changed = True
        if floor.thanked:
            floor.phase = FloorState.PHASE_ENDING
            floor.since_ms = now_ms
        elif floor.phase == FloorState.PHASE_SPEAKING or floor.skipped:
            self._leave_floor(now_ms)
        else:
            self._fail_floor(floor, now_ms)

    def _say_again(self, floor: Floor) -> None:
        """An operator's words of which nothing was heard, and which nobody stopped, are tried once more."""
        turn, show = floor.turn, self._show
        begun = floor.phase != FloorState.PHASE_OPEN or turn.operator.attempt > 0
        if turn.WhichOneof("cause") != "operator" or begun or floor.skipped or show.panic:
            return
        words = Say(text=turn.operator.text, attempt=turn.operator.attempt + 1)
        show.says.insert(0, Control(control_id=turn.turn_id, room_id=self._room_id, say=words))
        self._show_changed = True

    def _fail_floor(self, floor: Floor, now_ms: int) -> None:
        """Nothing was heard of the running turn."""
        if not floor.thanked:
            for pending in floor.answered():
                self._fates.dropped(pending, Decision.REASON_NOT_PERFORMED, now_ms)
        self._leave_floor(now_ms)

    def _leave_floor(self, now_ms: int) -> None:
        """The running turn is over. Thanks that were not heard go back to their lane."""
        floor, self._floor = self._floor, None
        if floor is None:
            return
        self._show_changed = True
        self._idle.spoke(now_ms)
        for group in floor.thanked[: floor.heard]:
            for pending in group:
                self._ledger.thanked(pending)
        for group in floor.thanked[floor.heard :]:
            for pending in group:
                if floor.skipped:
                    self._fates.dropped(pending, Decision.REASON_SKIPPED, now_ms)
                else:
                    pending.not_before_ms = retry_at(pending.attempt, now_ms)
                    pending.attempt += 1
                    self._queues.paid.arrive(pending, now_ms)
                    self._again(pending, now_ms)
        if floor.heard < len(floor.thanked) and not floor.skipped:
            self._given_up = floor

    def _leave_superseded(self, floor: Floor, now_ms: int) -> None:
        """A more urgent turn takes the floor. A question of whose answer nothing was heard waits again."""
        if floor.question is not None and floor.phase == FloorState.PHASE_OPEN:
            asked = list(floor.question.asked)
            self._queues.chats.put_back(floor.question)
            for pending in asked:
                pending.attempt += 1
                self._again(pending, now_ms)

    def _again(self, pending: PendingEvent, now_ms: int) -> None:
        """It is in its queue once more. What an operator wants answered still is to be."""
        if pending.approved:
            self._queues.approved[pending.event.event_id] = pending.not_before_ms
        self._ledger.keep(pending)
        self._fates.waits(pending, now_ms, detail="was not heard")

    # --- between steps ------------------------------------------------------------------------------------------------

    def _waits(self, event_id: str) -> bool:
        return event_id in self._queues or (self._floor is not None and self._floor.thanks(event_id))

    def _tell_newcomer(self, now_ms: int) -> None:
        """Says of the newcomer that it waits, unless its turn is about to be opened."""
        newcomer = self._newcomer
        if newcomer is None:
            return
        if isinstance(self._due, Choice) and _among(newcomer, self._due.events()):
            return
        self._newcomer = None
        if newcomer.event.event_id in self._queues and lane_of(newcomer.event) != LANE_AMBIENT:
            self._fates.waits(newcomer, now_ms)

    def _keep(self) -> None:
        """Keeps what has changed beside the pending events."""
        show = self._show
        if self._given_up is not None and not any(event_id in self._queues.paid for event_id in self._given_up.ids):
            self._given_up = None
        if self._show_changed:
            self._show_changed = False
            show.ClearField("floor")
            if self._floor is not None:
                show.floor.CopyFrom(self._floor.state())
            show.ClearField("given_up")
            if self._given_up is not None:
                show.given_up.CopyFrom(self._given_up.state())
            if self._viewers.changed:
                self._viewers.changed = False
                del show.viewers[:]
                show.viewers.extend(self._viewers.states())
            self._ledger.keep_show(show)
        if self._registered != self.busy:
            self._registered = self.busy
            self._ledger.register(busy=self.busy)

    def _wake(self, now_ms: int) -> int | None:
        """When time alone can change something."""
        if self._due is not None:
            return None
        queues, floor = self._queues, self._floor
        times = [queues.chats.next_expiry_ms(), queues.ambient.next_due_ms(now_ms, self._show.remarked_at_ms)]
        if floor is not None:
            times.append(floor.deadline_ms())
        if not held(self._show):
            only_urgent = floor is not None and not floor.fills_silence()
            times.append(queues.paid.next_ready_ms(now_ms, urgent_only=only_urgent))
            if floor is None:
                times.append(self._idle.next_ms(now_ms))
        if floor is None:
            times.extend(queues.approved.values())
        return min((time for time in times if time is not None and time > now_ms), default=None)


def _heard(thanks: Floor, report: Performed) -> list[list[PendingEvent]]:
    """Whose thanks were heard to their end, by viewer."""
    return thanks.thanked[: None if report.state == Performed.STATE_FINISHED else report.heard_segments]


def _among(pending: PendingEvent, events: Sequence[PendingEvent]) -> bool:
    return any(other.event.event_id == pending.event.event_id for other in events)
