"""What holds whatever happens, in whatever order, however often it is delivered."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.events import (
    LANE_PAID,
    MODE_APPROVE,
    MODE_AUTO,
    MODE_TAKEOVER,
    Approve,
    AudienceEvent,
    Control,
    Decision,
    Mute,
    Panic,
    Performed,
    Presence,
    Say,
    SetMode,
    Skip,
    Stop,
    Turn,
    Withdraw,
)
from services.core.settings import Audience as Policy
from tests.unit.audience.room_in_hand import RoomInHand

TEXTS = ("你好", "你叫什么名字？", "你叫什么名字呀", "唱首歌吧", "66666", "what is your name?", "今天天气怎么样")
WHO = ("ann", "ben", "cat")
OVER = (Performed.STATE_FINISHED, Performed.STATE_STOPPED, Performed.STATE_FAILED)

who = st.sampled_from(WHO)
actions = st.one_of(
    st.tuples(st.just("chat"), who, st.sampled_from(TEXTS)),
    st.tuples(st.just("gift"), who, st.sampled_from((0, 10, 5000)), st.sampled_from(("", "", "c1"))),
    st.tuples(st.just("super_chat"), who, st.sampled_from(("", "你最想去哪里？"))),
    st.tuples(st.just("like"), who, st.integers(1, 40)),
    st.tuples(st.just("enter"), who),
    st.tuples(st.just("again"), st.integers(0, 1000)),
    st.tuples(st.just("report"), st.sampled_from(("start", "heard", "heard", "finish", "finish", "stop", "fail"))),
    st.tuples(st.just("report again"), st.integers(0, 1000)),
    st.tuples(st.just("operator"), st.sampled_from(("stop", "skip", "say", "mute", "unmute", "panic", "release"))),
    st.tuples(st.just("mode"), st.sampled_from((MODE_AUTO, MODE_AUTO, MODE_APPROVE, MODE_TAKEOVER))),
    st.tuples(st.just("of event"), st.sampled_from(("skip", "approve", "withdraw")), st.integers(0, 1000)),
    st.tuples(st.just("watched"), st.integers(0, 1)),
    st.tuples(st.just("wait"), st.sampled_from((0.1, 1.0, 2.2, 2.5, 9.0, 40.0))),
    st.tuples(st.just("restart")),
)


class Script:
    """Carries out random actions and keeps the truth of what was heard."""

    def __init__(self) -> None:
        self.room = RoomInHand(Policy(queue_size=10, thanks_at_once=2, interrupt_fen=1000))
        self.events: list[AudienceEvent] = []
        self.reports: list[Performed] = []
        self.heard: dict[str, int] = {}
        self.over: set[str] = set()
        self.refused: set[str] = set()

    def run(self, script: list[tuple[Any, ...]]) -> None:
        for action in script:
            self.act(action)
            self.check()

    def act(self, action: tuple[Any, ...]) -> None:
        room = self.room
        match action:
            case ("chat", viewer, text):
                self.events.append(room.chat(text, viewer))
            case ("gift", viewer, value, combo):
                self.events.append(room.gift(value, viewer, combo=combo))
            case ("super_chat", viewer, text):
                self.events.append(room.super_chat(text, 100, viewer))
            case ("like", viewer, count):
                self.events.append(room.like(count, viewer))
            case ("enter", viewer):
                self.events.append(room.enter(viewer))
            case ("again", i) if self.events:
                room.hear(self.events[i % len(self.events)])
            case ("report", what) if room.turns and room.turn.turn_id not in self.over:
                self.report(room.turn, what)
            case ("report again", i) if self.reports:
                room.step(self.reports[i % len(self.reports)])
            case ("operator", what):
                self.operate(what)
            case ("mode", mode):
                room.control(Control(set_mode=SetMode(mode=mode)), cuts=mode == MODE_TAKEOVER)
            case ("of event", what, i) if self.events:
                self.operate_on(what, self.events[i % len(self.events)])
            case ("watched", renderers):
                room.control(Control(presence=Presence(renderers=renderers)))
            case ("wait", seconds):
                room.wait(seconds)
            case ("restart",):
                room.restart()

    def report(self, turn: Turn, what: str) -> None:
        """As the stage does it: heard segments only grow, and nothing comes after the last report."""
        viewers = len(thanked(turn))
        heard = self.heard.get(turn.turn_id, 0)
        states = {
            "start": Performed.STATE_STARTED,
            "heard": Performed.STATE_HEARD,
            "finish": Performed.STATE_FINISHED,
            "stop": Performed.STATE_STOPPED,
            "fail": Performed.STATE_FAILED,
        }
        if what == "heard":
            heard = min(heard + 1, viewers)
        if what == "finish":
            heard = viewers
        self.heard[turn.turn_id] = heard
        if states[what] in OVER:
            self.over.add(turn.turn_id)
        report = Performed(
            performed_id=f"{turn.turn_id} {what} {heard}",
            room_id="room",
            turn_id=turn.turn_id,
            epoch=turn.epoch,
            state=states[what],
            heard_segments=heard,
        )
        self.reports.append(report)
        self.room.step(report)

    def operate(self, what: str) -> None:
        cutting = {"stop": Control(stop=Stop()), "skip": Control(skip=Skip()), "mute": Control(mute=Mute(muted=True))}
        cutting |= {"panic": Control(panic=Panic())}
        other = {
            "say": Control(say=Say(text="大家好")),
            "unmute": Control(mute=Mute()),
            "release": Control(panic=Panic(released=True)),
        }
        control = (cutting | other)[what]
        self.room.control(control, cuts=what in cutting)

    def operate_on(self, what: str, event: AudienceEvent) -> None:
        match what:
            case "skip":
                self.room.control(Control(skip=Skip(event_id=event.event_id)))
            case "approve":
                self.room.control(Control(approve=Approve(event_id=event.event_id)))
            case "withdraw":
                self.room.control(Control(withdraw=Withdraw(message_ids=[event.message_id])))

    def check(self) -> None:
        self.check_gifts()
        self.check_floor()
        self.check_decisions()

    def check_gifts(self) -> None:
        room, times_heard = self.room, Counter[str]()
        for turn in room.turns:
            for events in thanked(turn)[: self.heard.get(turn.turn_id, 0)]:
                times_heard.update(event.event_id for event in events)
        refused = (Decision.REASON_SKIPPED, Decision.REASON_WITHDRAWN)
        for event in self.events:
            if event.WhichOneof("kind") not in ("gift", "super_chat"):
                continue
            dropped = [
                d for d in room.decisions if d.event_id == event.event_id and d.outcome == Decision.OUTCOME_DROPPED
            ]
            assert all(decision.reason in refused for decision in dropped)
            pending = event.event_id in room.pending_ids()
            assert times_heard[event.event_id] <= 1
            if not dropped:
                assert pending or times_heard[event.event_id] == 1

    def check_floor(self) -> None:
        """Each turn opens with a newer epoch, and only when the one before has ended or was killed by a newer epoch."""
        turns = self.room.turns
        kills = [control.epoch for control in self.room.controls]
        kills += [happened.epoch for happened, _, _ in self.room.steps if isinstance(happened, Control)]
        ended = {r.turn_id for r in self.reports if r.state in OVER}
        for before, after in pairwise(turns):
            assert after.epoch > before.epoch
            assert before.turn_id in ended or any(before.epoch < epoch <= after.epoch for epoch in kills)
        assert len({turn.turn_id for turn in turns}) == len(turns)

    def check_decisions(self) -> None:
        decisions = self.room.decisions
        assert len({decision.decision_id for decision in decisions}) == len(decisions)
        by_event: dict[str, list[Decision]] = {}
        for decision in decisions:
            by_event.setdefault(decision.event_id, []).append(decision)
        for fates in by_event.values():
            for earlier, later in pairwise(fates):
                assert earlier.outcome != Decision.OUTCOME_DROPPED
                if earlier.outcome in (Decision.OUTCOME_CHOSEN, Decision.OUTCOME_MERGED):
                    # Only what was not heard gets another decision.
                    unheard = (Decision.REASON_NOT_PERFORMED, Decision.REASON_SKIPPED)
                    assert later.outcome == Decision.OUTCOME_WAITING or later.reason in unheard


def thanked(turn: Turn) -> list[list[AudienceEvent]]:
    """The events of a paid turn by viewer."""
    groups: list[list[AudienceEvent]] = []
    if turn.lane == LANE_PAID:
        for event in turn.audience.events:
            if groups and groups[-1][0].viewer.id == event.viewer.id:
                groups[-1].append(event)
            else:
                groups.append([event])
    return groups


@settings(max_examples=200, deadline=None)
@given(st.lists(actions, max_size=40))
def test_each_gift_is_heard_once_or_waits_one_turn_has_the_floor_and_each_event_one_fate(
    script: list[tuple[Any, ...]],
) -> None:
    Script().run(script)


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=40))
def test_when_calm_returns_every_gift_has_been_heard(script: list[tuple[Any, ...]]) -> None:
    show = Script()
    show.run(script)
    room = show.room
    room.control(Control(panic=Panic(released=True)))
    room.control(Control(mute=Mute()))
    room.control(Control(set_mode=SetMode(mode=MODE_AUTO)))
    for _ in range(200):
        if room.turns and room.turn.turn_id not in show.over:
            show.report(room.turn, "finish")
        room.wait(5)
        if not room.pending_ids() and (not room.turns or room.turn.turn_id in show.over):
            break
    show.check()
    paid = {e.event_id for e in show.events if e.WhichOneof("kind") in ("gift", "super_chat")}
    assert not paid & room.pending_ids()
