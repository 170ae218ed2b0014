"""Every gift is thanked by name, once, and none is lost."""

from __future__ import annotations

from itertools import pairwise

from services.audience import keys
from services.audience.paid import COMBO_MS, PaidLane
from services.core.events import (
    LANE_CHAT,
    LANE_PAID,
    AudienceEvent,
    Control,
    FansClub,
    Gift,
    PendingEvent,
    Performed,
    Skip,
    Stop,
    Viewer,
)
from services.core.settings import Audience as Policy
from tests.unit.audience.room_in_hand import ROOM, RoomInHand


def test_a_gift_is_thanked_at_once_when_the_floor_is_free() -> None:
    room = RoomInHand()
    gift = room.gift()
    assert room.causes() == [gift.event_id]
    assert room.turn.lane == LANE_PAID
    assert room.outcome(gift) == ("CHOSEN", "PAID")
    assert len(room.decisions) == 1, "of what never waited nobody says that it waits"


def test_a_free_gift_and_a_test_gift_are_thanked_too() -> None:
    room = RoomInHand()
    free = room.gift(0)
    assert room.causes() == [free.event_id]
    room.finish()
    event = room.event("tom")
    event.gift.gift_id, event.gift.count, event.test = "rose", 1, True
    room.hear(event)
    assert room.causes() == [event.event_id]


def test_a_small_gift_waits_for_the_running_turn_and_comes_before_chat() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    room.chat("Lydia你最喜欢什么？", "ann")
    gift = room.gift(10)
    assert len(room.turns) == 1
    assert room.outcome(gift) == ("WAITING", "PAID")
    room.finish()
    assert room.causes() == [gift.event_id]


def test_a_large_gift_cuts_in_on_a_chat_turn() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    room.chat("开始聊天吧大家")
    room.start()
    old = room.turn
    gift = room.gift(1000)
    assert room.causes() == [gift.event_id]
    supersede = room.controls[-1]
    assert supersede.supersede.turn_id == room.turn.turn_id
    assert supersede.epoch == room.turn.epoch > old.epoch
    room.perform(Performed.STATE_STOPPED, turn=old, reason="superseded")
    assert room.causes() == [gift.event_id]


def test_a_question_cut_off_before_a_word_was_heard_waits_again() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    question = room.chat("开始聊天吧大家，好吗？")
    room.gift(1000)
    assert room.outcome(question)[0] == "WAITING"
    first = room.turns[0]
    room.finish()
    assert room.causes() == [question.event_id]
    assert room.turn.turn_id != first.turn_id


def test_a_question_cut_off_before_a_word_was_heard_is_worth_what_it_was() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    question = room.chat("你今天过得怎么样呢", "ann")
    chosen = room.fate(question).score
    room.gift(1000)
    assert room.fate(question).score == chosen
    room.start()
    room.chat("我刚刚吃完了晚饭", "cat")
    room.finish()
    assert room.causes() == [question.event_id]


def test_who_asks_the_same_while_the_answer_is_cut_off_is_answered_with_it() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    question = room.chat("你今天过得怎么样呢", "ann")
    same = room.chat("你今天过得怎么样呢", "ben")
    room.gift(1000)
    room.finish()
    assert room.causes() == [question.event_id, same.event_id]
    room.finish()
    assert len(room.turns) == 3


def test_a_question_put_back_expires_in_its_time() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000, chat_lifetime_s=30))
    question = room.chat("你今天过得怎么样呢", "ann")
    room.wait(5)
    other = room.chat("你最喜欢什么季节？", "cat")
    room.gift(1000)
    for _ in range(3):
        room.wait(9)
        room.perform(Performed.STATE_HEARD)
    assert room.outcome(question) == ("DROPPED", "EXPIRED")
    assert room.outcome(other)[0] == "WAITING"


def test_a_large_gift_does_not_cut_off_another_thanks() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    room.gift(10, "ann")
    room.start()
    gift = room.gift(5000, "ben")
    assert len(room.turns) == 1
    room.finish()
    assert room.causes() == [gift.event_id]


def test_several_viewers_are_thanked_together_the_events_of_each_in_a_row() -> None:
    room = RoomInHand(Policy(thanks_at_once=2))
    room.chat("开始聊天吧大家")
    room.start()
    a1, b1, c1 = room.gift(10, "ann"), room.gift(30, "ben"), room.gift(10, "cat")
    a2 = room.gift(10, "ann")
    room.wait(1.6)
    room.finish()
    assert room.causes() == [b1.event_id, a1.event_id, a2.event_id]
    assert room.outcome(a2) == ("MERGED", "PAID")
    room.finish()
    assert room.causes() == [c1.event_id]


def test_a_larger_gift_comes_first_but_nobody_waits_without_end() -> None:
    room = RoomInHand(Policy(thanks_at_once=1))
    room.gift(10, "zoe")
    room.start()
    small = room.gift(10, "ann")
    for i in range(5):
        room.gift(500, f"rich{i}")
    room.wait(21)
    room.gift(500, "rich5")
    room.finish()
    assert room.causes() == [small.event_id]


def test_a_combo_is_thanked_once_when_nothing_is_added_for_a_moment() -> None:
    room = RoomInHand()
    first = room.gift(10, combo="c1")
    room.wait(1)
    second = room.gift(10, combo="c1")
    room.wait(1)
    third = room.gift(10, combo="c1")
    assert not room.turns
    room.wait(1.4)
    assert not room.turns
    room.wait(0.2)
    assert room.causes() == [first.event_id, second.event_id, third.event_id]


def test_an_endless_combo_is_thanked_after_a_while() -> None:
    room = RoomInHand()
    for _ in range(7):
        room.gift(10, combo="c1")
        room.wait(1)
    assert len(room.turns) == 1
    assert len(room.causes()) >= 6


def test_a_combo_that_has_become_large_cuts_in() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    room.chat("开始聊天吧大家")
    room.start()
    room.gift(600, combo="c1")
    assert len(room.turns) == 1
    room.gift(600, combo="c1")
    assert len(room.causes()) == 2


def test_after_an_interruption_only_those_not_heard_are_thanked_again() -> None:
    room = RoomInHand()
    room.gift(10, "zoe")
    room.start()
    a, b, c = room.gift(10, "ann"), room.gift(10, "ben"), room.gift(10, "cat")
    room.finish()
    first = room.turn
    room.start()
    room.perform(Performed.STATE_HEARD, heard=1)
    room.control(Control(stop=Stop()), cuts=True)
    assert room.turn is first
    room.perform(Performed.STATE_STOPPED, heard=2)
    assert room.outcome(a) == ("CHOSEN", "PAID")
    assert room.outcome(b) == ("CHOSEN", "PAID")
    assert room.outcome(c) == ("WAITING", "PAID")
    assert room.turn is first
    room.wait(1.1)
    assert room.causes() == [c.event_id]
    assert room.turn.turn_id != first.turn_id


def test_thanks_killed_without_a_report_are_said_again_after_a_moment() -> None:
    room = RoomInHand()
    gift = room.gift()
    room.control(Control(stop=Stop()), cuts=True)
    room.wait(1.9)
    assert len(room.turns) == 1
    room.wait(1.2)
    assert room.causes() == [gift.event_id]
    assert len(room.turns) == 2


def test_a_late_report_of_thanks_given_up_ends_their_waiting() -> None:
    room = RoomInHand()
    gift = room.gift()
    old = room.turn
    room.control(Control(stop=Stop()), cuts=True)
    room.wait(2.1)
    assert room.outcome(gift)[0] == "WAITING"
    room.perform(Performed.STATE_STOPPED, turn=old, heard=1)
    assert room.outcome(gift) == ("CHOSEN", "PAID")
    room.wait(60)
    assert len(room.thanks) == 1
    assert not room.pending_ids()


def test_a_late_report_counts_after_a_restart_too() -> None:
    room = RoomInHand()
    room.gift(10, "zoe")
    room.start()
    first, second, third = room.gift(10, "ann"), room.gift(10, "ben"), room.gift(10, "cat")
    room.finish()
    old = room.turn
    room.start()
    room.perform(Performed.STATE_HEARD, heard=1)
    room.control(Control(stop=Stop()), cuts=True)
    room.wait(2.1)
    room.restart()
    room.perform(Performed.STATE_STOPPED, turn=old, heard=2)
    assert room.outcome(first) == room.outcome(second) == ("CHOSEN", "PAID")
    room.wait(2)
    assert room.causes() == [third.event_id]


def test_thanks_that_never_start_are_tried_again_with_growing_pauses_and_new_ids() -> None:
    room = RoomInHand()
    gift = room.gift()
    room.wait(100)
    assert len(room.thanks) >= 4
    assert len({turn.turn_id for turn in room.thanks}) == len(room.thanks)
    assert all(room.causes(turn) == [gift.event_id] for turn in room.thanks)
    gaps = [b.opened_at_ms - a.opened_at_ms for a, b in pairwise(room.thanks)]
    assert gaps == sorted(gaps)
    assert len(set(gaps)) > 1


def test_chat_is_answered_while_thanks_wait_for_their_next_attempt() -> None:
    room = RoomInHand()
    room.gift()
    room.perform(Performed.STATE_FAILED)
    event = room.chat("还在吗，你好？")
    assert room.causes() == [event.event_id]


def test_an_operator_who_skips_thanks_does_not_hear_them_again() -> None:
    room = RoomInHand()
    gift = room.gift()
    room.start()
    room.control(Control(skip=Skip()), cuts=True)
    room.perform(Performed.STATE_STOPPED, reason="skipped")
    assert room.outcome(gift) == ("DROPPED", "SKIPPED")
    room.wait(120)
    assert len(room.thanks) == 1


def test_skipping_another_event_does_not_cost_the_thanked_theirs() -> None:
    room = RoomInHand()
    gift = room.gift()
    room.start()
    waiting = room.chat("你最喜欢什么季节？", "ben")
    room.control(Control(skip=Skip(event_id=waiting.event_id)), cuts=True)
    room.perform(Performed.STATE_STOPPED)
    assert room.outcome(waiting) == ("DROPPED", "SKIPPED")
    assert room.outcome(gift) == ("WAITING", "PAID")


def test_what_is_kept_of_a_room_does_not_grow_with_the_show() -> None:
    room = RoomInHand()
    sizes = []
    for _ in range(20):
        room.gift()
        room.perform(Performed.STATE_STOPPED)
        room.wait(2)
        room.finish()
        sizes.append(len(room.values[keys.show_key(ROOM)]))
    assert max(sizes[10:]) <= max(sizes[:10]) + 10


def test_a_super_chat_with_a_text_is_answered_alone() -> None:
    room = RoomInHand()
    room.gift(10, "zoe")
    room.start()
    sc = room.super_chat("你最想去哪里？", 3000, "ann")
    room.gift(10, "ben")
    room.finish()
    assert room.causes() == [sc.event_id]
    assert room.turn.audience.events[0].super_chat.text == "你最想去哪里？"


def test_a_super_chat_with_refused_words_is_thanked_without_them() -> None:
    room = RoomInHand()
    event = room.event("ann")
    event.super_chat.text, event.super_chat.value_fen = "bad words", 3000
    room.hear(event, refused_by="insult")
    assert room.causes() == [event.event_id]
    assert room.turn.audience.events[0].super_chat.text == ""


def test_joining_the_fans_club_is_thanked_leaving_it_is_not() -> None:
    room = RoomInHand()
    joined = room.fans_club()
    assert room.causes() == [joined.event_id]
    room.finish()
    left = room.fans_club(FansClub.REASON_LEFT)
    assert room.outcome(left) == ("DROPPED", "NOT_SPEAKABLE")


def test_events_of_one_turn_are_of_one_kind() -> None:
    room = RoomInHand()
    room.gift(10, "zoe")
    room.start()
    for who in ("ann", "ben"):
        room.gift(10, who)
        room.fans_club(who=who)
    kinds = []
    for _ in range(2):
        room.finish()
        kinds.append({event.WhichOneof("kind") for event in room.turn.audience.events})
    assert kinds == [{"gift"}, {"fans_club"}]


def test_a_gift_is_forgotten_only_when_its_thanks_were_heard() -> None:
    room = RoomInHand()
    gift = room.gift()
    assert room.pending_ids() == {gift.event_id}
    room.start()
    assert room.pending_ids() == {gift.event_id}
    room.perform(Performed.STATE_FINISHED, heard=1)
    assert not room.pending_ids()
    assert room.hashes[keys.ROOMS] == {}


def test_a_restart_in_the_middle_of_thanks_waits_for_their_end_and_loses_nothing() -> None:
    room = RoomInHand()
    first, second = room.gift(10, "ann"), room.gift(10, "ben")
    room.start()
    assert room.hashes[keys.ROOMS] == {ROOM: b"1"}
    room.restart()
    assert len(room.turns) == 1
    room.perform(Performed.STATE_FINISHED, heard=1)
    assert room.causes() == [second.event_id]
    assert room.outcome(first) == ("CHOSEN", "PAID")


def test_a_restarted_turn_that_nobody_performs_is_said_anew() -> None:
    room = RoomInHand()
    gift = room.gift()
    room.start()
    room.restart()
    room.wait(8.1 + 2 + 1.1)
    assert len(room.turns) == 2
    assert room.causes() == [gift.event_id]


def test_a_turn_of_many_gifts_stays_small_enough_for_the_bus() -> None:
    room = RoomInHand()
    room.gift(10, "zoe")
    room.start()
    events = []
    for _ in range(60):
        event = room.event("ann")
        event.gift.count, event.gift.value_fen = 1, 1
        event.viewer.avatar_url = "https://example.com/" + "a" * 10_000
        room.hear(event)
        events.append(event.event_id)
    thanked: list[str] = []
    for _ in range(2):
        room.finish()
        assert room.turn.ByteSize() < 500_000
        thanked += room.causes()
    assert sorted(thanked) == sorted(events)


def test_the_same_gift_again_and_again_is_a_combo_where_the_platform_names_none() -> None:
    room = RoomInHand()
    first = room.gift(10)
    assert room.causes() == [first.event_id]
    room.wait(0.5)
    more = [room.gift(10)]
    room.finish()
    for _ in range(4):
        room.wait(1.2)
        more.append(room.gift(10))
    assert len(room.turns) == 1
    room.wait(1.6)
    assert room.causes() == [event.event_id for event in more]


def test_a_gift_given_again_after_a_pause_is_thanked_at_once() -> None:
    room = RoomInHand()
    room.gift(10)
    room.finish()
    room.wait(1.6)
    again = room.gift(10)
    assert room.causes() == [again.event_id]


def test_another_gift_or_another_viewer_does_not_wait_for_a_combo() -> None:
    room = RoomInHand()
    room.gift(10, "ann")
    room.finish()
    combo = room.gift(10, "ann")
    other = room.gift(10, "ben")
    assert room.causes() == [other.event_id]
    room.finish()
    room.wait(1.6)
    assert room.causes() == [combo.event_id]


def test_a_folded_combo_outlives_a_restart() -> None:
    room = RoomInHand()
    room.gift(10)
    room.finish()
    combo = [room.gift(10) for _ in range(3)]
    room.restart()
    room.wait(1.6)
    assert room.causes() == [event.event_id for event in combo]


def test_while_gifts_come_faster_than_thanks_a_question_is_answered_now_and_then() -> None:
    room = RoomInHand(Policy(thanks_at_once=1))
    room.gift(10, "zoe")
    question = room.chat("你最喜欢什么季节？", "ann")
    for i in range(4):
        assert room.turn.lane == LANE_PAID
        room.gift(10, f"fan{i}")
        room.gift(2000, f"rich{i}")
        room.wait(4)
        room.finish()
    assert room.causes() == [question.event_id]


def test_an_answer_between_thanks_is_not_cut_off_by_the_next_ones() -> None:
    room = RoomInHand(Policy(thanks_at_once=1))
    room.gift(10, "zoe")
    room.start()
    question = room.chat("你最喜欢什么季节？", "ann")
    room.wait(16)
    room.gift(10, "bob")
    room.finish()
    assert room.causes() == [question.event_id]
    gift = room.gift(5000, "rich")
    assert room.outcome(gift) == ("WAITING", "PAID")
    room.finish()
    assert room.causes() == [gift.event_id]


def test_though_a_large_gift_comes_every_few_seconds_answers_are_heard_to_their_end() -> None:
    room = RoomInHand(Policy(interrupt_fen=1000))
    ends: dict[str, int] = {}
    heard = {LANE_PAID: 0, LANE_CHAT: 0}
    for second in range(300):
        room.chat(f"第{second}问{second * 7}是怎么回事呢", f"viewer{second}")
        if second % 6 == 0:
            room.gift(1000, f"giver{second}")
        turn = room.turn
        if turn.turn_id not in ends:
            room.start()
            ends[turn.turn_id] = second + (4 if turn.lane == LANE_PAID else 8)
        elif ends[turn.turn_id] == second:
            room.perform(Performed.STATE_FINISHED, heard=1)
            heard[turn.lane] += 1
        room.wait(1)
    assert heard[LANE_CHAT] >= 10
    assert heard[LANE_PAID] >= 25


def test_thanks_do_not_wait_for_an_answer_that_never_comes() -> None:
    room = RoomInHand(Policy(thanks_at_once=1, interrupt_fen=1000))
    for second in range(60):
        room.chat(f"第{second}问{second * 7}是怎么回事呢", f"viewer{second}")
        room.gift(1000, f"giver{second}")
        if room.turn.lane == LANE_PAID:
            room.finish()
        room.wait(1)
    assert len(room.thanks) > 30


def test_a_single_gift_long_after_another_comes_before_questions() -> None:
    room = RoomInHand()
    room.gift(10, "zoe")
    room.finish()
    room.wait(20)
    room.chat("开始聊天吧大家")
    room.start()
    room.chat("你最喜欢什么季节？", "ann")
    gift = room.gift(10, "bob")
    room.finish()
    assert room.causes() == [gift.event_id]


def test_a_gift_ends_idle_talk_at_once_however_small() -> None:
    room = RoomInHand()
    room.watched()
    room.wait(4)
    room.start()
    assert room.turn.WhichOneof("cause") == "silence"
    gift = room.gift(10)
    assert room.causes() == [gift.event_id]
    assert room.controls[-1].supersede.turn_id == room.turn.turn_id


def test_a_large_gift_does_not_stand_in_line_behind_all_the_small_ones_nor_they_behind_large_ones() -> None:
    room = RoomInHand(Policy(thanks_at_once=1, interrupt_fen=1000))
    room.gift(10, "zoe")
    room.start()
    small = [room.gift(10, f"fan{i}") for i in range(6)]
    room.wait(21)
    large = [room.gift(5000, f"rich{i}") for i in range(6)]
    thanked = []
    for _ in range(4):
        room.finish()
        thanked += room.causes()
    assert large[0].event_id in thanked[:2]
    assert small[0].event_id in thanked[:2]
    assert len({event.event_id for event in small} & set(thanked)) == 2


def test_when_one_combo_has_rested_the_next_is_still_waited_for() -> None:
    lane = PaidLane(interrupt_fen=1000, thanks_at_once=5)
    for viewer, at_ms in (("ann", 1000), ("ben", 2000)):
        event = AudienceEvent(event_id=viewer, viewer=Viewer(id=viewer), gift=Gift(gift_id="rose", combo_id="c"))
        lane.arrive(PendingEvent(event=event, arrived_at_ms=at_ms), at_ms)
    assert lane.next_ready_ms(2000, urgent_only=False) == 1000 + COMBO_MS
    assert lane.next_ready_ms(1000 + COMBO_MS, urgent_only=False) == 2000 + COMBO_MS
    assert lane.next_ready_ms(2000 + COMBO_MS, urgent_only=False) is None


def test_what_waits_keeps_what_was_decided_of_it() -> None:
    lane = PaidLane(interrupt_fen=1000, thanks_at_once=5)
    event = AudienceEvent(event_id="g", viewer=Viewer(id="ann"), gift=Gift(gift_id="rose", combo_id="c", value_fen=10))
    lane.arrive(PendingEvent(event=event, arrived_at_ms=1000, order=7, traceparent="t"), 1000)
    assert lane.approve("g").approved
    waits = PendingEvent(
        event=event, arrived_at_ms=1000, order=7, traceparent="t", approved=True, not_before_ms=1000 + COMBO_MS
    )
    assert lane.get("g") == waits
    assert lane.events() == [waits]
    assert lane.remove("g") == waits
