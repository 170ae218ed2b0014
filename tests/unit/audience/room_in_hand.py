"""A room's director in a test's hands: time, epochs and the state are plain values."""

from __future__ import annotations

from services.audience import keys
from services.audience.director import Director, Input
from services.audience.ledger import Outputs
from services.core.events import (
    LANE_PAID,
    AudienceEvent,
    Chat,
    Control,
    Decision,
    Enter,
    EpochTaken,
    FansClub,
    Follow,
    Gift,
    Heard,
    Like,
    PendingEvent,
    Performed,
    Presence,
    RoomSnapshot,
    ShowState,
    SuperChat,
    Tick,
    Turn,
    Viewer,
)
from services.core.settings import Audience as Policy
from services.core.state.port import Drop, DropField, Put, PutField, PutNew

START_MS = 1_767_225_600_000
ROOM = "room"
POLICY = Policy()
SECOND = 1000


class RoomInHand:
    """Steps a director and remembers everything that came out of it."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.now = START_MS
        self.epoch = 0
        self.values: dict[str, bytes] = {}
        self.hashes: dict[str, dict[str, bytes]] = {}
        self.turns: list[Turn] = []
        self.decisions: list[Decision] = []
        self.controls: list[Control] = []
        self.steps: list[tuple[Input, int, Outputs]] = []
        self.wake_at_ms: int | None = None
        self._numbers = 0
        self.director = self._from_state()

    # --- inputs -------------------------------------------------------------------------------------------------------

    def chat(self, text: str, who: str = "ann", *, fans_club_level: int = 0, is_anchor: bool = False) -> AudienceEvent:
        event = self.event(who, chat=Chat(text=text))
        event.viewer.fans_club_level = fans_club_level
        event.viewer.is_anchor = is_anchor
        return self.hear(event)

    def gift(self, value: int = 10, who: str = "bob", *, combo: str = "", count: int = 1) -> AudienceEvent:
        gift = Gift(gift_id="rose", name="rose", count=count, value_fen=value, combo_id=combo)
        return self.hear(self.event(who, gift=gift))

    def super_chat(self, text: str, value: int = 3000, who: str = "sue") -> AudienceEvent:
        return self.hear(self.event(who, super_chat=SuperChat(text=text, value_fen=value)))

    def fans_club(self, reason: FansClub.Reason = FansClub.REASON_JOINED, who: str = "fay") -> AudienceEvent:
        return self.hear(self.event(who, fans_club=FansClub(reason=reason, level=1)))

    def like(self, count: int = 1, who: str = "lee") -> AudienceEvent:
        return self.hear(self.event(who, like=Like(count=count)))

    def enter(self, who: str) -> AudienceEvent:
        return self.hear(self.event(who, enter=Enter()))

    def follow(self, who: str) -> AudienceEvent:
        return self.hear(self.event(who, follow=Follow(action=Follow.ACTION_FOLLOWED)))

    def event(
        self,
        who: str,
        *,
        chat: Chat | None = None,
        gift: Gift | None = None,
        super_chat: SuperChat | None = None,
        fans_club: FansClub | None = None,
        like: Like | None = None,
        enter: Enter | None = None,
        follow: Follow | None = None,
    ) -> AudienceEvent:
        self._numbers += 1
        return AudienceEvent(
            event_id=f"event-{self._numbers}",
            room_id=ROOM,
            platform="test",
            message_id=f"message-{self._numbers}",
            occurred_at_ms=self.now,
            received_at_ms=self.now,
            viewer=Viewer(id=who, name=who.title()),
            chat=chat,
            gift=gift,
            super_chat=super_chat,
            fans_club=fans_club,
            like=like,
            enter=enter,
            follow=follow,
        )

    def hear(self, event: AudienceEvent, *, refused_by: str = "") -> AudienceEvent:
        repeated = keys.seen_key(ROOM, event.event_id) in self.values
        self.step(
            Heard(event=event, traceparent=f"00-{event.event_id}", refused_by=refused_by, repeated_delivery=repeated)
        )
        return event

    def perform(self, state: Performed.State, *, heard: int = 0, turn: Turn | None = None, reason: str = "") -> None:
        turn = turn or self.turns[-1]
        self.step(
            Performed(
                performed_id=f"{turn.turn_id}-{state}-{heard}",
                room_id=ROOM,
                turn_id=turn.turn_id,
                epoch=turn.epoch,
                state=state,
                heard_segments=heard,
                reason=reason,
            )
        )

    def start(self) -> None:
        self.perform(Performed.STATE_STARTED)

    def finish(self) -> None:
        """The running turn is heard to its end."""
        self.start()
        self.perform(Performed.STATE_FINISHED, heard=1)

    def control(self, control: Control, *, cuts: bool = False, epoch: int | None = None) -> Control:
        """What an operator does; `cuts` counts the epoch up, as stop, mute, panic and skip of the running turn do."""
        self._numbers += 1
        self.epoch += cuts
        control.control_id = f"control-{self._numbers}"
        control.room_id = ROOM
        control.epoch = self.epoch if epoch is None else epoch
        control.at_ms = self.now
        control.issued_by = "operator"
        self.step(control)
        return control

    def watched(self, renderers: int = 1) -> None:
        self.control(Control(presence=Presence(renderers=renderers)))

    # --- time ---------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Time goes by; the director is woken whenever it asked for it."""
        end = self.now + round(seconds * 1000)
        while self.wake_at_ms is not None and self.wake_at_ms <= end:
            self.now = max(self.now, self.wake_at_ms)
            self.step(Tick())
        self.now = end

    def step(self, happened: Input) -> None:
        outputs = self._take(happened)
        while outputs.wants_epoch:
            self.epoch += 1
            outputs = self._take(EpochTaken(epoch=self.epoch))
        self.wake_at_ms = outputs.wake_at_ms

    def restart(self) -> None:
        """The process dies between two steps and the room is taken up from the state."""
        self.director = self._from_state()
        self.step(Tick())

    # --- what came out ------------------------------------------------------------------------------------------------

    @property
    def turn(self) -> Turn:
        return self.turns[-1]

    @property
    def thanks(self) -> list[Turn]:
        return [turn for turn in self.turns if turn.lane == LANE_PAID]

    def causes(self, turn: Turn | None = None) -> list[str]:
        return [event.event_id for event in (turn or self.turn).audience.events]

    def fate(self, event: AudienceEvent) -> Decision:
        """The last decision on an event."""
        return [d for d in self.decisions if d.event_id == event.event_id][-1]

    def outcome(self, event: AudienceEvent) -> tuple[str, str]:
        last = self.fate(event)
        return (
            Decision.Outcome.Name(last.outcome).removeprefix("OUTCOME_"),
            Decision.Reason.Name(last.reason).removeprefix("REASON_"),
        )

    def pending_ids(self) -> set[str]:
        return set(self.hashes.get(keys.pending_key(ROOM), {}))

    def _take(self, happened: Input) -> Outputs:
        outputs = self.director.step(happened, self.now)
        self.steps.append((happened, self.now, outputs))
        for change in outputs.changes:
            match change:
                case Put(key, value) | PutNew(key, value):
                    self.values[key] = value
                case PutField(key, field, value):
                    self.hashes.setdefault(key, {})[field] = value
                case DropField(key, field):
                    self.hashes.get(key, {}).pop(field, None)
                case Drop(key):
                    self.values.pop(key, None)
        self.turns += [opened.turn for opened in outputs.opened]
        self.decisions += [told.decision for told in outputs.told]
        self.controls += outputs.controls
        return outputs

    def _from_state(self) -> Director:
        snapshot = RoomSnapshot(show=ShowState.FromString(self.values.get(keys.show_key(ROOM), b"")))
        pending = map(PendingEvent.FromString, self.hashes.get(keys.pending_key(ROOM), {}).values())
        snapshot.pending.extend(sorted(pending, key=lambda p: p.order))
        return Director(ROOM, self.policy, snapshot, self.now)
