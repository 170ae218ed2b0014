"""Between turns she reads, listens, thinks and is glad of people; the voice ends it all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.core.events import (
    AudienceCause,
    AudienceEvent,
    Chat,
    Enter,
    Follow,
    Gift,
    Like,
    SilenceCause,
    SuperChat,
    Turn,
)
from services.motion import face, joints
from services.motion.attention import LARGE_FEN, MEDIUM_FEN, MOVES, REACTIONS, READS_LONGEST_S, Attention
from services.motion.compose import compose
from services.motion.face import INDEX
from services.motion.frames import FRAME_SAMPLES, Frames, still
from services.motion.idle import MESSAGES
from tests.unit.motion.voices import frame

SEED = 1
YAW, PITCH = face.EYE_YAW[0], face.EYE_PITCH[0]


def shown(attention: Attention, seconds: float = 12.0) -> Frames:
    count = frame(1000 * seconds)
    return attention.frames(0, count, FRAME_SAMPLES) or still(count)


def chat(text: str, event_id: str = "one") -> AudienceEvent:
    return AudienceEvent(event_id=event_id, chat=Chat(text=text))


def gift(fen: int, event_id: str = "gift") -> AudienceEvent:
    return AudienceEvent(event_id=event_id, gift=Gift(count=1, value_fen=fen))


def turn(*events: AudienceEvent) -> Turn:
    return Turn(turn_id="turn", audience=AudienceCause(events=events))


def lifted(frames: Frames) -> float:
    """How far an upper arm is turned from rest, at most. Radians."""
    arms = frames.joints[:, [joints.LEFT_UPPER_ARM, joints.RIGHT_UPPER_ARM]]
    return float(np.linalg.norm(joints.rotation_vector(arms), axis=-1).max())


def test_nothing_happens_when_nothing_happens() -> None:
    assert Attention(SEED).frames(0, 600, FRAME_SAMPLES) is None


def test_a_message_that_she_will_answer_is_read_then_thought_about() -> None:
    attention = Attention(SEED)
    assert attention.turns_to(turn(chat("你那儿的海还是蓝色的吗？")), 1.0, speaking=False)
    seen = shown(attention)
    reading, thinking = slice(frame(1100), frame(1900)), slice(frame(3000), frame(5000))
    assert np.abs(seen.face[reading, YAW] - MESSAGES[0]).max() < 0.06
    assert np.abs(seen.face[reading, PITCH] - MESSAGES[1]).max() < 0.01
    assert np.unique(seen.face[reading, YAW].round(3)).size > 3, "the eyes go along the line"
    assert seen.face[frame(1500), INDEX["BrowInnerUp"]] > 0.1, "she listens with her brows"
    assert abs(seen.face[frame(1500), INDEX["HeadRoll"]]) > 0.03, "and a tilted head"
    assert (seen.face[thinking, PITCH] > 0.1).all(), "who thinks looks up"
    assert (np.abs(seen.face[thinking, YAW]) > 0.1).all(), "and aside"
    assert np.abs(seen.face[frame(11_500) :]).max() < 1e-6, "not for ever"


def test_a_long_message_is_read_longer_but_not_forever() -> None:
    def read_s(text: str) -> float:
        attention = Attention(SEED)
        attention.turns_to(turn(chat(text)), 0.0, speaking=False)
        return float((shown(attention).face[:, PITCH] < -0.06).sum()) / 60

    assert read_s("hi") < read_s("what do you eat in 2112?") <= read_s("a" * 500) < READS_LONGEST_S + 0.1


def test_her_head_nods_when_she_has_read() -> None:
    attention = Attention(SEED)
    attention.turns_to(turn(chat("晚安")), 0.0, speaking=False)
    bent = joints.rotation_vector(shown(attention).joints[:, joints.NECK])[:, 0]
    assert bent[frame(640)] > bent[frame(300)] + 0.005


def test_the_voice_brings_her_eyes_back_whenever_it_comes() -> None:
    for starts in (0.1, 0.5, 1.2, 2.5, 5.0):
        attention = Attention(SEED)
        attention.turns_to(turn(chat("你那儿的海还是蓝色的吗？")), 0.0, speaking=False)
        attention.gives_way(starts)
        seen = shown(attention)
        assert np.abs(seen.face[frame(1000 * starts + 400) :, [YAW, PITCH]]).max() < 0.01
        assert np.abs(seen.face[frame(1000 * starts + 900) :]).max() < 1e-6


def test_she_looks_at_messages_that_come_but_not_while_she_speaks() -> None:
    idle, busy = Attention(SEED), Attention(SEED)
    assert idle.notices(chat("hi"), 0.0, speaking=False)
    assert not busy.notices(chat("hi"), 0.0, speaking=True)
    assert shown(idle).face[frame(300), YAW] == pytest.approx(MESSAGES[0], abs=0.06)
    assert not idle.notices(chat("hi", "two"), 1.0, speaking=False), "not at each of a flood"
    assert idle.notices(chat("hi", "three"), 4.0, speaking=False)


def test_rooms_have_their_messages_on_one_side() -> None:
    sides = []
    for seed in (4, 5):
        attention = Attention(seed)
        attention.notices(chat("hi"), 0.0, speaking=False)
        sides.append(np.sign(shown(attention).face[frame(300), YAW]))
    assert sides == [-1, 1]


def test_gifts_are_welcomed_by_their_size() -> None:
    def welcomed(fen: int) -> Frames:
        attention = Attention(SEED)
        assert attention.notices(gift(fen), 0.0, speaking=False)
        return shown(attention)

    small, medium, large = (welcomed(fen) for fen in (MEDIUM_FEN - 1, MEDIUM_FEN, LARGE_FEN))
    smiles = [float(seen.face[:, face.SMILE[0]].max()) for seen in (small, medium, large)]
    assert smiles[0] > 0.1
    assert smiles == sorted(smiles)
    assert lifted(small) < 0.01
    assert lifted(medium) > 0.2, "a hand on her heart"
    assert large.face[:, face.WIDE[0]].max() > 0.4
    assert large.face[:, face.JAW_OPEN].max() > 0.1, "her mouth falls open"
    both = [np.linalg.norm(joints.rotation_vector(large.joints[:, arm]), axis=-1).max() for arm in (5, 9)]
    assert min(both) > 0.5


def test_people_who_come_or_follow_are_seen_and_smiled_at() -> None:
    for event in (AudienceEvent(enter=Enter()), AudienceEvent(follow=Follow(action=Follow.ACTION_FOLLOWED))):
        attention = Attention(SEED)
        assert attention.notices(event, 0.0, speaking=False)
        seen = shown(attention)
        assert seen.face[:, face.SMILE[0]].max() > 0.09
        assert seen.face[frame(200), YAW] > 0.1
        assert not attention.notices(event, 1.0, speaking=False), "a crowd is not greeted one by one"


def test_who_leaves_is_not_smiled_at() -> None:
    left = (AudienceEvent(enter=Enter(left=True)), AudienceEvent(follow=Follow(action=Follow.ACTION_UNFOLLOWED)))
    assert not any(Attention(SEED).notices(event, 0.0, speaking=False) for event in left)


def test_while_she_speaks_only_what_matters_shows_and_only_around_her_eyes_and_cheeks() -> None:
    attention = Attention(SEED)
    assert not attention.notices(AudienceEvent(like=Like(count=3)), 0.0, speaking=True)
    assert not attention.notices(AudienceEvent(enter=Enter()), 0.0, speaking=True)
    for at, event in enumerate((gift(100, "a"), gift(2000, "b"), gift(50_000, "c"))):
        assert attention.notices(event, 0.0, speaking=True), at
    assert attention.notices(AudienceEvent(follow=Follow()), 0.0, speaking=True)
    seen = shown(attention)
    assert np.abs(seen.joints[..., :3]).max() == 0
    lips = [place for place in range(face.MOUTH.start, face.MOUTH.stop) if place not in face.SMILE]
    assert np.abs(seen.face[:, lips]).max() == 0
    assert np.abs(seen.face[:, [YAW, PITCH]]).max() == 0
    assert 0.1 < seen.face[:, face.SMILE[0]].max() < 0.75


def test_a_gift_that_was_noticed_is_not_welcomed_again_when_its_thanks_are_chosen() -> None:
    attention = Attention(SEED)
    attention.notices(gift(20_000), 0.0, speaking=False)
    before = shown(attention)
    assert not attention.turns_to(turn(gift(20_000)), 0.2, speaking=False)
    assert np.array_equal(shown(attention).face, before.face)


def test_before_she_breaks_a_silence_she_thinks() -> None:
    attention = Attention(SEED)
    assert attention.turns_to(Turn(turn_id="turn", silence=SilenceCause()), 0.0, speaking=False)
    assert shown(attention).face[frame(1000), PITCH] > 0.1


def test_a_turn_that_is_chosen_while_she_speaks_waits() -> None:
    attention = Attention(SEED)
    assert not attention.turns_to(turn(chat("hi")), 0.0, speaking=True)
    assert attention.frames(0, 60, FRAME_SAMPLES) is None


def test_the_same_room_moves_the_same_way_in_any_pieces() -> None:
    def room() -> Attention:
        attention = Attention(7)
        attention.notices(gift(20_000), 0.5, speaking=False)
        attention.turns_to(turn(AudienceEvent(super_chat=SuperChat(text="唱首歌"))), 2.0, speaking=False)
        attention.gives_way(4.0)
        return attention

    whole, again = shown(room(), 8), room()
    pieces = [again.frames(at * FRAME_SAMPLES, 48, FRAME_SAMPLES) or still(48) for at in range(0, 480, 48)]
    assert np.allclose(np.concatenate([piece.face for piece in pieces]), whole.face, atol=1e-6)
    assert np.allclose(np.concatenate([piece.joints for piece in pieces]), whole.joints, atol=1e-6)


def test_a_flood_of_events_stays_bounded_and_within_the_face() -> None:
    attention = Attention(SEED)
    makes = (gift(100), gift(3000), gift(30_000), AudienceEvent(enter=Enter()), AudienceEvent(follow=Follow()))
    for number, at in enumerate(np.arange(0, 20, 0.05)):
        attention.notices(makes[number % len(makes)], float(at), speaking=False)
    assert len(attention._moves) <= MOVES
    frames = compose(still(1200), shown(attention, 20))
    assert frames.face[:, : face.SHAPES].max() <= 1
    assert np.abs(np.diff(frames.joints, axis=0)).max() < 0.08


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.permutations(("enter", "follow", "small", "medium", "large"), 2))
)
def test_what_comes_upon_what_does_not_make_her_jump(first: str, second: str) -> None:
    makes = {
        "enter": AudienceEvent(enter=Enter()),
        "follow": AudienceEvent(follow=Follow()),
        "small": gift(100),
        "medium": gift(MEDIUM_FEN),
        "large": gift(LARGE_FEN),
    }
    assert set(makes) < set(REACTIONS)
    attention = Attention(SEED)
    attention.notices(makes[first], 0.5, speaking=False)
    attention.notices(makes[second], 1.0, speaking=False)
    attention.gives_way(1.8)
    seen = shown(attention, 5)
    assert np.abs(np.diff(seen.face[:, : face.SHAPES], axis=0)).max() < 0.1
    assert np.abs(np.diff(seen.face[:, face.HEAD], axis=0)).max() < 0.03
    assert np.abs(np.diff(seen.joints, axis=0)).max() < 0.08
