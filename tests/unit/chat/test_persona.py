"""The persona is whole: every line can be said, and every viewer is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.chat.clauses import split, weight
from services.chat.model.persona import PersonaChat
from services.chat.persona import BadPersona, all_lines, load
from services.chat.retrieval import Match, Retrieval
from services.core.events import (
    EMOTION_SERIOUS,
    AudienceCause,
    AudienceEvent,
    ChatRequest,
    Enter,
    Follow,
    HistoryLine,
    Like,
    OperatorCause,
    SilenceCause,
    SuperChat,
    TextSegment,
    Turn,
    Viewer,
)
from services.core.moderation import Moderator
from tests.unit.chat.fakes import PERSONA, asked, gave

MODERATOR = Moderator.built_in()


class Finds(Retrieval):
    """Finds what the test says."""

    def __init__(self, intent: str | None) -> None:
        self.intent = intent

    def find(self, text: str) -> Match:  # noqa: ARG002
        return Match(self.intent or "x", 1.0 if self.intent else 0.0, 1.0)


async def say(turn: Turn, *, intent: str | None = None, history: list[HistoryLine] | None = None) -> list[TextSegment]:
    model = PersonaChat(PERSONA, Finds(intent), MODERATOR)
    return [segment async for segment in model.stream(ChatRequest(turn=turn, history=history))]


def test_she_has_more_than_three_hundred_distinct_answers_in_each_language() -> None:
    answers = [line for intent in PERSONA.intents.values() for line in intent.answers]
    assert len({line.zh for line in answers}) >= 300
    assert len({line.en for line in answers}) >= 300


def test_every_line_passes_her_own_moderation_and_is_short_enough_to_be_spoken() -> None:
    for name, line in all_lines(PERSONA):
        for text in (line.zh, line.en):
            filled = line.text("zh" if text is line.zh else "en", {"viewer": "小明", "gift": "玫瑰", "count": "3"})
            assert MODERATOR.check(filled, where="output") is None, (name, text)
            assert weight(text) <= 110, (name, text)
            assert split(filled), (name, text)


async def test_thanks_have_one_segment_for_each_viewer_by_name_and_in_order() -> None:
    gifts = [("小明", "玫瑰", 1, 10), ("阿杰", "飞船", 1, 20_000), ("阿杰", "玫瑰", 2, 20), ("Mei", "星星", 5, 50)]
    segments = await say(gave(*gifts))
    assert len(segments) == 3
    for segment, name in zip(segments, ("小明", "阿杰", "Mei"), strict=True):
        assert name in segment.text
    assert [segment.last for segment in segments] == [False, False, True]


async def test_many_givers_of_small_gifts_are_named_in_a_row_so_that_all_are_thanked_soon() -> None:
    givers = ["小明", "阿杰", "小美", "大熊", "Mei"]
    segments = await say(gave(*((name, "玫瑰", 1, 10) for name in givers)))
    assert len(segments) == len(givers)
    assert all(name in segment.text for segment, name in zip(segments, givers, strict=True))
    assert "玫瑰" in segments[0].text and "玫瑰" in segments[1].text
    assert all(len(segment.text) <= len(name) + 3 for segment, name in zip(segments[2:4], givers[2:4], strict=True))
    assert any(word in segments[4].text for word in ("谢谢", "礼物", "爱你们"))


async def test_a_large_gift_among_small_ones_gets_a_sentence_of_its_own() -> None:
    segments = await say(
        gave(("小明", "玫瑰", 1, 10), ("阿杰", "玫瑰", 1, 10), ("小美", "飞船", 1, 20_000), ("Mei", "玫瑰", 1, 10))
    )
    assert "小美" in segments[2].text and "飞船" in segments[2].text


async def test_several_followers_are_greeted_by_name() -> None:
    followers = [
        AudienceEvent(event_id=name, room_id="a", viewer=Viewer(id=name, name=name), follow=Follow())
        for name in ("小明", "阿杰")
    ]
    segments = await say(Turn(turn_id="0123456789abcdef", room_id="a", audience=AudienceCause(events=followers)))
    text = "".join(segment.text for segment in segments)
    assert "小明、阿杰" in text


async def test_a_name_that_cannot_be_said_gets_a_kind_address() -> None:
    segments = await say(gave(("加微信abc12345", "玫瑰", 1, 10)))
    assert "微信" not in segments[0].text
    assert any(line.zh in segments[0].text for line in PERSONA.lines["unnamed_viewer"])


async def test_she_answers_in_the_viewers_language() -> None:
    intent = next(iter(PERSONA.intents))
    zh = "".join(s.text for s in await say(asked("你是谁"), intent=intent))
    en = "".join(s.text for s in await say(asked("who are you"), intent=intent))
    assert any("\u4e00" <= sign <= "\u9fff" for sign in zh)
    assert not any("\u4e00" <= sign <= "\u9fff" for sign in en)


async def test_what_she_does_not_understand_she_admits() -> None:
    text = "".join(s.text for s in await say(asked("asdf qwer"), intent=None))
    said = [" ".join(split(line.en)) for line in PERSONA.lines["fallback"]]
    assert any(text.replace(" ", "") == line.replace(" ", "") for line in said)


async def test_the_same_request_gets_the_same_words_and_a_room_does_not_hear_them_twice_running() -> None:
    intent = next(name for name, intent in PERSONA.intents.items() if len(intent.answers) > 1)
    first = [s.text for s in await say(asked("你好"), intent=intent)]
    assert first == [s.text for s in await say(asked("你好"), intent=intent)]
    heard = [HistoryLine(speaker=HistoryLine.SPEAKER_LYDIA, text="".join(first))]
    for turn_id in ("aa", "bb", "cc", "dd"):
        assert [s.text for s in await say(asked("你好", turn_id=turn_id), intent=intent, history=heard)] != first


async def test_every_kind_of_turn_has_words() -> None:
    viewer = Viewer(id="v", name="小明")
    kinds = [
        AudienceEvent(viewer=viewer, like=Like(count=30)),
        AudienceEvent(viewer=viewer, enter=Enter()),
        AudienceEvent(viewer=viewer, super_chat=SuperChat(text="你好", value_fen=3000)),
    ]
    turns = [Turn(turn_id="aa", audience=AudienceCause(events=[event])) for event in kinds]
    turns += [
        Turn(turn_id="bb", silence=SilenceCause(rundown_index=1_000)),
        Turn(turn_id="cc", operator=OperatorCause(text="大家好，我是值班老师。")),
    ]
    for turn in turns:
        segments = await say(turn)
        assert segments
        assert segments[-1].last
        assert all("{" not in segment.text for segment in segments)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- intent: a.b\n  about: x", "lacks"),
        ("a: b", "no list"),
        ("- {intent: a, about: b, examples: {zh: [x], en: [y]}, answers: [{zh: x, en: y, emotion: glee}]}", "wrong"),
        ("]", "cannot be read"),
    ],
)
def test_a_broken_file_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    folder = tmp_path / "intents"
    folder.mkdir()
    (folder / "mine.yaml").write_text(text)
    with pytest.raises(BadPersona, match=f"mine.yaml.*{complaint}"):
        load(tmp_path)


def test_a_persona_without_examples_of_the_unanswerable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "intents").mkdir()
    with pytest.raises(BadPersona, match=r"unanswerable\.yaml: cannot be read"):
        load(tmp_path)


def test_her_most_serious_answers_are_serious() -> None:
    grave = [intent for intent in PERSONA.intents.values() if intent.grave]
    assert {"feelings.despair", "feelings.bullied"} <= {intent.name for intent in grave}
    assert all(line.emotion == EMOTION_SERIOUS for intent in grave for line in intent.answers)
