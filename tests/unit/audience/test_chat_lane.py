"""Which chat message she answers, and what becomes of the others."""

from __future__ import annotations

import pytest

from services.core.events import (
    LANE_CHAT,
    AudienceEvent,
    Chat,
    Decision,
    Performed,
    Viewer,
)
from services.core.settings import Audience as Policy
from services.gateway.simulator.audience import audience
from tests.unit.audience.room_in_hand import SECOND, START_MS, RoomInHand


def test_a_message_is_answered_in_the_step_in_which_it_comes() -> None:
    room = RoomInHand()
    event = room.chat("你好呀Lydia")
    assert room.causes() == [event.event_id]
    assert room.turn.lane == LANE_CHAT
    assert room.turn.opened_at_ms == START_MS
    assert room.outcome(event) == ("CHOSEN", "BEST_SCORE")
    assert len(room.decisions) == 1


def test_while_she_speaks_messages_wait_and_the_best_is_answered_next() -> None:
    room = RoomInHand()
    room.chat("第一个问题是什么？", "ann")
    room.start()
    dull = room.chat("嗯", "ben")
    good = room.chat("Lydia，2112年的人吃什么？", "cat")
    assert len(room.turns) == 1
    assert room.outcome(dull) == ("WAITING", "UNSPECIFIED")
    room.finish()
    assert room.causes() == [good.event_id]
    room.finish()
    assert room.causes() == [dull.event_id]


def test_a_score_is_the_sum_of_its_named_terms() -> None:
    room = RoomInHand()
    room.chat("开始吧朋友们")
    waiting = room.chat("Lydia，你最喜欢什么颜色？", "ben", fans_club_level=15)
    decision = room.fate(waiting)
    terms = {term.name: term.value for term in decision.terms}
    assert set(terms) == {"question", "addressed", "value", "meaning", "freshness", "fairness"}
    assert abs(decision.score - sum(terms.values())) < 1e-6


def test_who_was_answered_least_recently_comes_first() -> None:
    room = RoomInHand()
    room.chat("今天吃了什么好吃的？", "ann")
    room.start()
    again = room.chat("那你昨天去了哪里玩？", "ann")
    other = room.chat("那你明天想做什么呢？", "ben")
    room.finish()
    assert room.causes() == [other.event_id]
    room.finish()
    assert room.causes() == [again.event_id]


def test_nobody_starves_behind_one_busy_viewer() -> None:
    room = RoomInHand()
    topics = ["星星", "月亮", "大海", "高山", "火车", "猫咪", "音乐", "电影", "夏天", "冬天"]
    room.chat("开始啦大家好", "ann")
    room.start()
    for i, topic in enumerate(topics):
        room.chat(f"你怎么看{topic}这件事情呢？", "ann" if i % 2 == 0 else f"viewer{i}")
        room.wait(1)
    answered = []
    for _ in range(6):
        room.finish()
        answered += [event.viewer.id for event in room.turn.audience.events]
    assert {f"viewer{i}" for i in (1, 3, 5, 7, 9)} <= set(answered[:6])


def test_a_message_expires_when_it_was_not_answered_in_its_lifetime() -> None:
    room = RoomInHand(Policy(chat_lifetime_s=10))
    room.chat("第一句话是这个")
    room.start()
    late = room.chat("等了很久的一个问题？", "ben")
    room.wait(9.9)
    assert room.outcome(late)[0] == "WAITING"
    room.wait(0.2)
    assert room.outcome(late) == ("DROPPED", "EXPIRED")
    room.finish()
    assert len(room.turns) == 1


def test_a_message_that_comes_too_late_is_not_even_queued() -> None:
    room = RoomInHand()
    event = room.event("ann", chat=Chat(text="从昨天来的问题？"))
    event.received_at_ms = room.now - 60 * SECOND
    room.hear(event)
    assert room.outcome(event) == ("DROPPED", "EXPIRED")
    assert not room.turns


def test_the_lowest_score_leaves_a_full_queue() -> None:
    room = RoomInHand(Policy(queue_size=10))
    room.chat("开始第一个话题吧")
    room.start()
    names = "红橙黄绿青蓝紫黑白灰"
    good = [room.chat(f"Lydia你为什么喜欢{c}色的{c}衣服？", f"viewer{i}") for i, c in enumerate(names)]
    dull = room.chat("嗯", "zoe")
    assert room.outcome(dull) == ("DROPPED", "QUEUE_FULL")
    assert all(room.outcome(event)[0] == "WAITING" for event in good)
    better = room.chat("Lydia，三体人真的存在吗？", "yan", is_anchor=True)
    assert room.outcome(better)[0] == "WAITING"
    assert [room.outcome(event)[0] for event in good].count("DROPPED") == 1


def test_messages_of_the_same_meaning_are_answered_together() -> None:
    room = RoomInHand()
    room.chat("今天的话题是什么？", "zoe")
    room.start()
    first = room.chat("你叫什么名字？", "ann")
    same = room.chat("主播，你叫什么名字呀", "ben")
    sounds = room.chat("你叫什么明字", "cat")
    other = room.chat("你喜欢吃辣椒吗？", "dan")
    assert room.outcome(same) == ("WAITING", "NEAR_DUPLICATE")
    room.finish()
    assert room.causes() == [first.event_id, same.event_id, sounds.event_id]
    assert room.outcome(first) == ("CHOSEN", "BEST_SCORE")
    assert room.outcome(same) == ("MERGED", "NEAR_DUPLICATE")
    assert room.fate(sounds).turn_id == room.turn.turn_id
    room.finish()
    assert room.causes() == [other.event_id]


def test_company_raises_a_question_above_one_that_came_alone() -> None:
    room = RoomInHand()
    room.chat("今天的话题是什么？", "zoe")
    room.start()
    room.chat("你会不会跳舞呢？", "dan")
    asked = [room.chat("可以唱首歌吗", who) for who in ("ann", "ben", "cat")]
    room.finish()
    assert room.causes() == [event.event_id for event in asked]


def test_a_viewer_who_floods_is_not_queued_any_more() -> None:
    room = RoomInHand()
    room.chat("开始吧", "zoe")
    room.start()
    words = ["苹果好吃", "香蕉很甜", "西瓜真大", "葡萄太酸", "橙子很多", "桃子没有"]
    events = [room.chat(word, "ann") for word in words]
    assert [room.outcome(event) for event in events[4:]] == [("DROPPED", "FLOODING")] * 2
    assert room.outcome(room.chat("我也说一句话", "ben"))[0] == "WAITING"


def test_a_message_refused_by_moderation_is_not_answered_and_names_the_rule_only() -> None:
    room = RoomInHand()
    event = room.event("ann", chat=Chat(text="some harmful words"))
    room.hear(event, refused_by="insult")
    assert room.outcome(event) == ("DROPPED", "MODERATED")
    assert room.fate(event).detail == "refused by the rule insult"
    assert not room.turns


def test_a_message_without_words_is_not_speakable() -> None:
    room = RoomInHand()
    assert room.outcome(room.chat("   ")) == ("DROPPED", "NOT_SPEAKABLE")


def test_an_event_of_an_unknown_kind_gets_its_decision_too() -> None:
    room = RoomInHand()
    event = AudienceEvent(event_id="odd", room_id="room", viewer=Viewer(id="ann"))
    room.hear(event)
    assert room.outcome(event) == ("DROPPED", "NOT_SPEAKABLE")


def test_a_second_delivery_changes_nothing() -> None:
    room = RoomInHand()
    event = room.chat("你好呀Lydia")
    room.hear(event)
    room.finish()
    room.hear(event)
    assert len(room.turns) == 1
    assert len(room.decisions) == 1


def test_spam_is_not_worth_breaking_the_silence() -> None:
    room = RoomInHand()
    for _ in range(4):
        room.chat("啊啊啊啊啊啊啊啊啊啊", "ann")
        if room.turns:
            room.finish()
    assert len(room.turns) < 4


def test_one_viewer_alone_can_hold_a_conversation() -> None:
    room = RoomInHand()
    for text in ("你好呀", "我今天有点累", "嗯嗯，工作太多了", "你会累吗？", "哈哈真好"):
        event = room.chat(text, "ann")
        assert room.causes() == [event.event_id]
        room.finish()
        room.wait(4)


def test_a_chat_turn_that_never_starts_is_given_up_and_says_so() -> None:
    room = RoomInHand()
    event = room.chat("你好呀Lydia")
    first = room.turn
    room.wait(7.9)
    assert room.outcome(event)[0] == "CHOSEN"
    room.wait(0.2)
    assert room.outcome(event) == ("DROPPED", "NOT_PERFORMED")
    assert [c.WhichOneof("action") for c in room.controls] == ["stop"]
    assert room.controls[0].epoch > first.epoch
    nxt = room.chat("还在吗？", "ben")
    assert room.causes() == [nxt.event_id]
    assert room.turn.epoch > room.controls[0].epoch


def test_a_turn_the_stage_could_not_perform_frees_the_floor() -> None:
    room = RoomInHand()
    event = room.chat("你好呀Lydia")
    waiting = room.chat("第二个问题是什么？", "ben")
    room.perform(Performed.STATE_FAILED, reason="no voice")
    assert room.outcome(event) == ("DROPPED", "NOT_PERFORMED")
    assert room.causes() == [waiting.event_id]


def test_a_turn_whose_reports_stop_coming_does_not_hold_the_floor_for_ever() -> None:
    room = RoomInHand()
    room.chat("你好呀Lydia")
    room.start()
    waiting = room.chat("第二个问题是什么？", "ben")
    room.perform(Performed.STATE_HEARD, heard=1)
    room.wait(29)
    assert len(room.turns) == 1
    room.wait(2)
    assert room.causes() == [waiting.event_id]


def test_reports_of_an_older_turn_do_not_free_the_floor() -> None:
    room = RoomInHand()
    room.chat("第一个问题呀？")
    old = room.turn
    room.finish()
    room.chat("第二个问题呀？", "ben")
    room.chat("第三个问题是别的？", "cat")
    room.perform(Performed.STATE_FINISHED, turn=old, heard=1)
    assert len(room.turns) == 2


def test_decision_ids_are_the_same_for_the_same_decision_and_differ_otherwise() -> None:
    first, second = RoomInHand(), RoomInHand()
    for room in (first, second):
        room.chat("第一个问题呀？")
        room.chat("第二个问题呀？", "ben")
        room.finish()
    assert [d.decision_id for d in first.decisions] == [d.decision_id for d in second.decisions]
    assert len({d.decision_id for d in first.decisions}) == len(first.decisions)
    assert {d.outcome for d in first.decisions} == {Decision.OUTCOME_WAITING, Decision.OUTCOME_CHOSEN}


def test_what_was_answered_a_moment_ago_is_not_answered_again_for_company_or_another_spelling() -> None:
    room = RoomInHand()
    room.chat("今天天气怎么样", "ann")
    room.start()
    again = [
        room.chat(text, f"fan{i}") for i, text in enumerate(["今天天气怎样么", "今天天汽怎么样", "今天天气怎么样呀"])
    ]
    other = room.chat("你会不会跳舞呢？", "dan")
    room.finish()
    assert room.causes() == [other.event_id]
    assert [term.value for term in room.fate(again[0]).terms if term.name == "repeated"] == [-1.0]
    assert not any(term.name == "company" for term in room.fate(again[-1]).terms)


def test_what_was_answered_long_ago_may_be_asked_again() -> None:
    room = RoomInHand()
    room.chat("今天天气怎么样", "ann")
    room.finish()
    room.wait(121)
    event = room.chat("今天天气怎么样", "ben")
    assert not any(term.name == "repeated" for term in room.fate(event).terms)


def test_a_text_that_many_copy_has_no_company() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家", "zoe")
    room.start()
    for i in range(15):
        room.chat("兄弟们快来隔壁直播间抽大奖人人都有份", f"bot{i}")
    question = room.chat("你会不会跳舞呢？", "dan")
    room.finish()
    assert room.causes() == [question.event_id]


def test_what_viewers_say_to_each_other_is_left_to_them() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家", "zoe")
    room.start()
    room.chat("@小明 你是不是有问题？", "ann")
    remark = room.chat("今天路上好堵啊真是的", "ben")
    room.finish()
    assert room.causes() == [remark.event_id]


@pytest.mark.parametrize("text", ["@Lydia 你是谁？", "@主播 你是谁？", "＠星澜 你是谁？"])
def test_what_is_said_to_her_by_name_is_for_her(text: str) -> None:
    room = RoomInHand()
    event = room.chat(text)
    assert [term.value for term in room.fate(event).terms if term.name == "addressed"] == [0.8]


def test_where_more_is_written_than_she_can_answer_she_answers_what_is_still_on_the_screen() -> None:
    room = RoomInHand()
    room.chat("大家好呀，今天来聊天吧")
    ages, begun, talks_until = [], room.now, room.now + 6 * SECOND
    for at_s, event in audience(1, "normal"):
        if at_s > 480:
            break
        while (at := begun + round(at_s * SECOND)) > talks_until:
            room.wait((talks_until - room.now) / SECOND)
            room.finish()
            talks_until += 6 * SECOND
            if room.turn.lane == LANE_CHAT:
                ages.append(room.now - room.turn.audience.events[0].received_at_ms)
        room.wait((at - room.now) / SECOND)
        event.event_id, event.received_at_ms = f"event-{at_s}-{event.viewer.id}", room.now
        room.hear(event)
    assert len(ages) > 15
    assert sorted(ages)[len(ages) // 2] <= 6 * SECOND
