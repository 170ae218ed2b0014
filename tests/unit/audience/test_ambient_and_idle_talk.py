"""Likes, follows and enters become occasional remarks; a quiet room hears her talk by herself."""

from __future__ import annotations

from itertools import pairwise

from services.core.events import LANE_AMBIENT, Control, Enter, Follow, Presence
from services.core.settings import Audience as Policy
from tests.unit.audience.room_in_hand import RoomInHand


def test_many_likes_become_one_remark() -> None:
    room = RoomInHand()
    likes = [room.like(10, f"fan{i}") for i in range(3)]
    assert room.causes() == [event.event_id for event in likes]
    assert room.turn.lane == LANE_AMBIENT
    assert room.outcome(likes[0]) == ("CHOSEN", "GATHERED")
    assert room.outcome(likes[1]) == ("MERGED", "GATHERED")


def test_a_few_likes_are_not_worth_a_remark() -> None:
    room = RoomInHand()
    like = room.like(3)
    room.wait(61)
    assert not room.turns
    assert room.outcome(like) == ("DROPPED", "EXPIRED")


def test_several_who_enter_are_welcomed_together_and_not_too_often() -> None:
    room = RoomInHand()
    first = room.enter("ann")
    assert room.causes() == [first.event_id]
    room.finish()
    others = [room.enter(who) for who in ("ben", "cat")]
    room.wait(14.9)
    assert len(room.turns) == 1
    room.wait(0.2)
    assert room.causes() == [event.event_id for event in others]


def test_a_follow_is_worth_more_than_an_enter() -> None:
    room = RoomInHand()
    room.enter("zoe")
    room.start()
    for who in ("ann", "ben"):
        room.enter(who)
    follow = room.follow("cat")
    room.finish()
    room.wait(15.1)
    assert room.causes() == [follow.event_id]


def test_chat_and_gifts_come_before_remarks() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    room.follow("cat")
    event = room.chat("你最喜欢什么季节？", "ben")
    room.finish()
    assert room.causes() == [event.event_id]


def test_leaving_and_unfollowing_are_not_spoken_of() -> None:
    room = RoomInHand()
    left = room.hear(room.event("ann", enter=Enter(left=True)))
    gone = room.hear(room.event("ann", follow=Follow(action=Follow.ACTION_UNFOLLOWED)))
    assert room.outcome(left) == room.outcome(gone) == ("DROPPED", "NOT_SPEAKABLE")


def test_more_likes_than_can_be_gathered_push_out_the_oldest() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    likes = [room.like(1, f"fan{i}") for i in range(101)]
    assert room.outcome(likes[0]) == ("DROPPED", "QUEUE_FULL")
    room.finish()
    assert len(room.causes()) == 100


def test_she_greets_soon_after_somebody_comes_to_a_quiet_room() -> None:
    room = RoomInHand()
    room.watched()
    room.wait(2.9)
    assert not room.turns
    room.wait(0.2)
    assert room.turn.silence.rundown_index == 0


def test_an_unwatched_room_stays_silent() -> None:
    room = RoomInHand()
    room.wait(3600)
    assert not room.turns
    assert room.wake_at_ms is None


def test_idle_talk_comes_when_the_room_is_quiet_with_growing_pauses() -> None:
    room = RoomInHand(Policy(quiet_s=20))
    room.watched()
    starts = []
    for _ in range(5):
        before = len(room.turns)
        while len(room.turns) == before:
            room.control(Control(presence=Presence(renderers=1)))
            room.wait(1)
        starts.append(room.now)
        room.finish()
    gaps = [(b - a) / 1000 for a, b in pairwise(starts)]
    assert [turn.silence.rundown_index for turn in room.turns] == [0, 1, 2, 3, 4]
    assert all(20 <= gap <= 85 for gap in gaps)
    assert gaps[-1] > gaps[0]


def test_a_word_from_a_viewer_makes_the_pauses_short_again() -> None:
    room = RoomInHand(Policy(quiet_s=20))
    room.watched()
    for _ in range(3):
        while room.wake_at_ms is not None and not room.turns:
            room.wait(1)
        room.wait(100)
        room.control(Control(presence=Presence(renderers=1)))
        room.finish()
    room.chat("你好呀Lydia")
    room.finish()
    count = len(room.turns)
    room.wait(20 * 1.15 + 1)
    assert len(room.turns) == count + 1


def test_no_idle_talk_while_viewers_write() -> None:
    room = RoomInHand(Policy(quiet_s=5))
    room.watched()
    room.wait(4)
    room.finish()
    for i in range(20):
        room.chat(f"这是第{i}句话吧？", f"viewer{i}")
        room.finish()
        room.wait(3)
    assert sum(turn.WhichOneof("cause") == "silence" for turn in room.turns) == 1


def test_a_viewer_who_wrote_a_moment_ago_counts_as_listening() -> None:
    room = RoomInHand(Policy(quiet_s=20))
    room.chat("你好呀Lydia")
    room.finish()
    room.wait(25)
    assert room.turn.WhichOneof("cause") == "silence"


def test_a_message_ends_idle_talk_at_once() -> None:
    room = RoomInHand()
    room.watched()
    room.wait(4)
    room.start()
    talk = room.turn
    event = room.chat("你好呀Lydia")
    assert room.causes() == [event.event_id]
    assert room.controls[-1].supersede.turn_id == room.turn.turn_id
    assert room.turn.epoch > talk.epoch


def test_idle_talk_is_the_same_for_the_same_seed_only() -> None:
    def opened(seed: int) -> list[int]:
        room = RoomInHand(Policy(seed=seed))
        room.chat("你好呀Lydia")
        room.finish()
        for _ in range(3):
            room.wait(60)
            room.finish()
        return [turn.opened_at_ms for turn in room.turns]

    assert opened(1) == opened(1)
    assert opened(1) != opened(2)


def test_in_a_lively_room_one_who_follows_is_thanked_once_a_minute_although_questions_wait() -> None:
    room = RoomInHand()
    room.follow("zoe")
    room.finish()
    thanked = 0
    for second in range(0, 120, 5):
        room.chat(f"你最喜欢第{second}首歌吗，为什么呢", f"ann{second}")
        room.chat(f"第{second}个问题是什么时候来的呀", f"ben{second}")
        if second % 20 == 0:
            room.follow(f"fan{second}")
            for i in range(10):
                room.like(15, f"fan{i}")
        room.wait(5)
        thanked += room.turn.lane == LANE_AMBIENT and room.turn.audience.events[0].HasField("follow")
        room.finish()
    assert thanked == 1


def test_enters_alone_do_not_hold_up_questions_before_they_are_a_few() -> None:
    room = RoomInHand()
    room.enter("zoe")
    room.finish()
    room.chat("开始聊天吧大家")
    room.start()
    room.enter("yan")
    room.wait(25)
    event = room.chat("你最喜欢什么季节？", "ben")
    room.wait(4)
    room.finish()
    assert room.causes() == [event.event_id]


def test_a_crowd_that_enters_does_not_hide_the_one_who_follows() -> None:
    room = RoomInHand()
    room.chat("开始聊天吧大家")
    room.start()
    for i in range(30):
        room.enter(f"new{i}")
        room.like(15, f"fan{i}")
    follow = room.follow("cat")
    room.finish()
    assert room.causes() == [follow.event_id]
