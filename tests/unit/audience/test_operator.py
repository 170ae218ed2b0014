"""The operator wins: mode, mute, panic, skip, say, approve, withdraw."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.core.events import (
    LANE_MODERATION,
    MODE_APPROVE,
    MODE_AUTO,
    MODE_TAKEOVER,
    Approve,
    Chat,
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
    Withdraw,
)
from services.core.settings import Audience as Policy
from tests.unit.audience.room_in_hand import RoomInHand


def test_an_operators_words_are_the_next_turn_and_cut_off_chat() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    room.control(Control(say=Say(text="欢迎各位")))
    assert room.turn.operator.text == "欢迎各位"
    assert room.turn.lane == LANE_MODERATION
    assert room.controls[-1].supersede.turn_id == room.turn.turn_id


def test_an_operators_words_wait_for_thanks_to_end() -> None:
    room = RoomInHand()
    room.gift()
    room.start()
    room.control(Control(say=Say(text="欢迎各位")))
    assert len(room.turns) == 1
    room.finish()
    assert room.turn.operator.text == "欢迎各位"


def test_what_was_said_once_is_not_said_again_after_a_second_delivery_or_a_restart() -> None:
    room = RoomInHand()
    control = room.control(Control(say=Say(text="欢迎各位")))
    room.step(control)
    room.finish()
    room.restart()
    room.step(control)
    assert len(room.turns) == 1


@pytest.mark.parametrize("fails", ["reported", "never heard of again", "taken over"])
def test_an_operators_words_that_nobody_heard_are_tried_once_more(fails: str) -> None:
    room = RoomInHand()
    room.control(Control(say=Say(text="欢迎各位")))
    first = room.turn
    if fails == "reported":
        room.perform(Performed.STATE_FAILED, reason="no voice")
    elif fails == "taken over":
        room.control(Control(set_mode=SetMode(mode=MODE_TAKEOVER)), cuts=True)
    else:
        room.wait(60)
    assert [turn.operator.text for turn in room.turns[:2]] == ["欢迎各位", "欢迎各位"]
    second = room.turns[1]
    assert (second.operator.attempt, second.turn_id != first.turn_id) == (1, True)
    room.restart()
    room.perform(Performed.STATE_FAILED, reason="no voice", turn=second)
    room.wait(60)
    assert len(room.turns) == 2


@pytest.mark.parametrize("end", [Control(stop=Stop()), Control(skip=Skip()), Control(panic=Panic())])
def test_an_operators_words_that_were_stopped_do_not_come_again(end: Control) -> None:
    room = RoomInHand()
    room.control(Control(say=Say(text="欢迎各位")))
    room.control(end, cuts=True)
    room.control(Control(panic=Panic(released=True)))
    room.wait(60)
    assert len(room.turns) == 1


def test_a_stage_that_opens_the_room_is_told_again_who_waits() -> None:
    room = RoomInHand()
    room.control(Control(set_mode=SetMode(mode=MODE_APPROVE)))
    gift, question = room.gift(), room.chat("你最喜欢什么季节？", "ben")
    room.like()
    told = len(room.decisions)
    room.control(Control(presence=Presence(renderers=1)))
    assert len(room.decisions) == told
    room.control(Control(presence=Presence(renderers=1, opened=True)))
    again = room.decisions[told:]
    assert [(d.event_id, d.outcome) for d in again] == [
        (gift.event_id, Decision.OUTCOME_WAITING),
        (question.event_id, Decision.OUTCOME_WAITING),
    ]


def test_stop_ends_the_running_turn_and_the_next_one_follows() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    waiting = room.chat("你最喜欢什么季节？", "ben")
    room.control(Control(stop=Stop()), cuts=True)
    assert room.causes() == [waiting.event_id]


def test_skip_of_a_waiting_event_drops_it() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    event = room.chat("你最喜欢什么季节？", "ben")
    room.control(Control(skip=Skip(event_id=event.event_id)))
    assert room.outcome(event) == ("DROPPED", "SKIPPED")
    room.finish()
    assert len(room.turns) == 1


def test_skip_of_one_of_several_who_ask_leaves_the_others() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    first = room.chat("你最喜欢什么季节？", "ben")
    second = room.chat("你最喜欢什么季节", "cat")
    room.control(Control(skip=Skip(event_id=first.event_id)))
    room.finish()
    assert room.causes() == [second.event_id]


def test_muted_she_opens_no_turn_and_gifts_wait() -> None:
    room = RoomInHand()
    room.control(Control(mute=Mute(muted=True)), cuts=True)
    gift, chat = room.gift(), room.chat("你好呀Lydia")
    room.wait(100)
    assert not room.turns
    assert room.outcome(chat) == ("DROPPED", "HELD")
    room.control(Control(mute=Mute(muted=False)))
    assert room.causes() == [gift.event_id]


def test_panic_silences_until_released_and_keeps_what_was_paid() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    room.control(Control(say=Say(text="欢迎各位")))
    room.start()
    room.control(Control(say=Say(text="再说一句")))
    room.control(Control(panic=Panic()), cuts=True)
    gift = room.gift(5000)
    room.control(Control(say=Say(text="欢迎各位")))
    room.wait(300)
    assert len(room.turns) == 2
    room.restart()
    room.wait(300)
    assert len(room.turns) == 2
    room.control(Control(panic=Panic(released=True)))
    assert room.turn.operator.text == "欢迎各位"
    room.finish()
    assert room.causes() == [gift.event_id]


def test_a_turn_opened_while_the_panic_was_on_its_way_is_stopped() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    running = room.turn
    room.control(Control(panic=Panic()), epoch=running.epoch - 1)
    assert room.controls[-1].WhichOneof("action") == "stop"
    assert room.controls[-1].epoch > running.epoch
    room.chat("还在吗？", "ben")
    assert len(room.turns) == 1


def test_in_approve_mode_only_what_was_approved_is_answered() -> None:
    room = RoomInHand()
    room.control(Control(set_mode=SetMode(mode=MODE_APPROVE)))
    first, second = room.chat("第一个问题是什么？"), room.chat("你最喜欢什么季节？", "ben")
    gift = room.gift(5000)
    assert not room.turns
    room.control(Control(approve=Approve(event_id=second.event_id)))
    assert room.causes() == [second.event_id]
    assert room.outcome(second) == ("CHOSEN", "APPROVED")
    room.finish()
    assert len(room.turns) == 1
    room.control(Control(approve=Approve(event_id=gift.event_id)))
    assert room.causes() == [gift.event_id]
    room.finish()
    room.control(Control(set_mode=SetMode(mode=MODE_AUTO)))
    assert room.causes() == [first.event_id]


def test_an_approved_event_comes_next_in_auto_mode_too() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    room.gift()
    event = room.chat("嗯", "ben")
    room.control(Control(approve=Approve(event_id=event.event_id)))
    room.finish()
    assert room.causes() == [event.event_id]


def test_an_approval_outlives_a_restart() -> None:
    room = RoomInHand()
    room.gift(10, "zoe")
    room.start()
    room.gift(10, "ann")
    event = room.chat("嗯", "ben")
    room.control(Control(approve=Approve(event_id=event.event_id)))
    room.restart()
    room.finish()
    assert room.causes() == [event.event_id]


def test_what_was_approved_and_not_heard_is_still_to_be_answered() -> None:
    room = RoomInHand()
    room.control(Control(set_mode=SetMode(mode=MODE_APPROVE)))
    question = room.chat("你最喜欢什么季节？", "ben")
    room.control(Control(approve=Approve(event_id=question.event_id)))
    room.control(Control(say=Say(text="稍等一下")))
    room.finish()
    assert room.causes() == [question.event_id]
    assert room.outcome(question) == ("CHOSEN", "APPROVED")


def test_thanks_that_were_approved_and_not_heard_are_tried_again_after_a_pause() -> None:
    room = RoomInHand()
    room.control(Control(set_mode=SetMode(mode=MODE_APPROVE)))
    gift = room.gift(5000)
    room.control(Control(approve=Approve(event_id=gift.event_id)))
    for pause in (1, 2, 5):
        tried = len(room.turns)
        room.perform(Performed.STATE_FAILED)
        room.wait(pause - 0.1)
        assert len(room.turns) == tried
        room.wait(0.2)
        assert room.causes() == [gift.event_id]
        assert len(room.turns) == tried + 1
    room.perform(Performed.STATE_FAILED)
    room.control(Control(approve=Approve(event_id=gift.event_id)))
    assert len(room.turns) == tried + 2, "the operator does not want to wait"


def test_in_takeover_she_says_only_what_the_operator_says() -> None:
    room = RoomInHand()
    room.watched()
    room.control(Control(set_mode=SetMode(mode=MODE_TAKEOVER)), cuts=True)
    room.chat("你好呀Lydia")
    gift = room.gift(5000)
    room.enter("cat")
    room.wait(100)
    assert not room.turns
    room.control(Control(say=Say(text="我来说几句")))
    assert room.turn.operator.text == "我来说几句"
    room.finish()
    room.control(Control(set_mode=SetMode(mode=MODE_AUTO)))
    assert room.causes() == [gift.event_id]


def test_a_withdrawn_message_is_not_answered_even_when_it_comes_later() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    event = room.chat("你最喜欢什么季节？", "ben")
    room.control(Control(withdraw=Withdraw(message_ids=[event.message_id, "message-later"])))
    assert room.outcome(event) == ("DROPPED", "WITHDRAWN")
    later = room.event("cat", chat=Chat(text="这句话也要撤回吗？"))
    later.message_id = "message-later"
    room.hear(later)
    assert room.outcome(later) == ("DROPPED", "WITHDRAWN")


def test_the_answer_to_a_withdrawn_message_stops() -> None:
    room = RoomInHand()
    event = room.chat("开始聊天吧大家")
    room.start()
    room.control(Control(withdraw=Withdraw(message_ids=[event.message_id])))
    assert room.controls[-1].WhichOneof("action") == "stop"
    waiting = room.chat("你最喜欢什么季节？", "ben")
    assert room.causes() == [waiting.event_id]


def test_her_own_controls_coming_back_change_nothing() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    room.chat("开始聊天吧大家")
    room.start()
    room.gift(1000)
    own = room.controls[-1]
    room.step(own)
    room.perform(Performed.STATE_STARTED)
    assert room.outcome(room.chat("还在吗？", "ben"))[0] == "WAITING"


@pytest.mark.parametrize(
    "make", [lambda gone: Control(skip=Skip(event_id=gone)), lambda gone: Control(approve=Approve(event_id=gone))]
)
def test_a_control_for_an_event_that_is_gone_is_ignored(make: Callable[[str], Control]) -> None:
    room = RoomInHand()
    event = room.chat("开始聊天吧大家")
    room.start()
    room.control(make(event.event_id))
    room.finish()
    assert len(room.turns) == 1


def test_what_was_approved_waits_as_long_as_it_must() -> None:
    room = RoomInHand(Policy(queue_size=10))
    room.control(Control(set_mode=SetMode(mode=MODE_APPROVE)))
    room.control(Control(say=Say(text="先听我说一个很长的故事")))
    room.start()
    approved = room.chat("嗯", "ann")
    room.control(Control(approve=Approve(event_id=approved.event_id)))
    other = room.chat("你最喜欢什么季节？", "ben")
    for i, color in enumerate("红橙黄绿青蓝紫黑白灰"):
        room.chat(f"你为什么喜欢{color}色的{color}衣服？", f"viewer{i}")
    for _ in range(3):
        room.wait(20)
        room.perform(Performed.STATE_HEARD)
    assert room.outcome(other)[0] == "DROPPED"
    room.finish()
    assert room.causes() == [approved.event_id]
