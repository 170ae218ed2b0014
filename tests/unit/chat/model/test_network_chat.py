"""Her own network as a rung: words with valid tags, stopped at once, and the persona where it is not asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.chat.clauses import weight
from services.chat.model.judge import well_formed
from services.chat.model.network_chat import AT_ONCE, NetworkChat, remembered
from services.chat.model.persona import PersonaChat
from services.chat.model.prompt import Facts, prompt
from services.chat.model.tokenizer import Tokenizer
from services.chat.model.writer import MOST_TOKENS, Writer
from services.chat.retrieval import Match, Retrieval
from services.core.events import ChatRequest, HistoryLine, SilenceCause, TextSegment, Turn
from services.core.inference import ModelFailed
from services.core.moderation import Moderator
from tests.unit.chat.fakes import PERSONA, asked, gave

MODERATOR = Moderator.built_in()


class Finds(Retrieval):
    """Finds what the test says."""

    def __init__(self, intent: str | None) -> None:
        self.intent = intent

    def find(self, text: str) -> Match:  # noqa: ARG002
        return Match(self.intent or "x", 1.0 if self.intent else 0.0, 1.0)


class Script(Writer):
    """Writes what the test says; keeps the prompts, and how much was written."""

    def __init__(self, *pieces: str, tokenizer: Tokenizer) -> None:
        self.pieces, self.tokenizer = pieces, tokenizer
        self.prompts: list[str] = []
        self.written = 0

    def words(self, prompt: Sequence[int], draw: random.Random) -> Iterator[str]:  # noqa: ARG002
        self.prompts.append(self.tokenizer.decode(prompt))
        for piece in self.pieces:
            self.written += 1
            yield piece


def rung(writer: Writer, intent: str | None = None) -> NetworkChat:
    found = Finds(intent)
    return NetworkChat(writer, Facts.read(), PERSONA, found, MODERATOR, PersonaChat(PERSONA, found, MODERATOR))


async def say(model: NetworkChat, turn: Turn, history: list[HistoryLine] | None = None) -> list[TextSegment]:
    return [segment async for segment in model.stream(ChatRequest(turn=turn, history=history))]


@pytest.fixture(scope="module")
def writer(folder: Path) -> Writer:
    return Writer(folder)


@pytest.mark.parametrize("seed", range(12))
def test_an_answer_is_an_emotion_perhaps_a_gesture_then_words_and_no_other_tag(writer: Writer, seed: int) -> None:
    pieces = list(writer.words(prompt(writer.tokenizer, "你好"), random.Random(seed)))
    assert len(pieces) <= MOST_TOKENS
    tags = [piece for piece in pieces if piece.startswith("[") and piece.endswith("]") and len(piece) > 3]
    assert pieces[0] in tags and len(tags) <= 2
    assert tags == pieces[: len(tags)]
    assert not any(mark in "".join(pieces) for mark in ("<|end|>", "<|viewer|>", "<|fact|>"))


async def test_even_a_network_that_knows_nothing_answers_in_good_form(writer: Writer) -> None:
    answers = [await say(rung(writer), asked("你好", turn_id=f"t{number}")) for number in range(6)]
    assert len({"".join(segment.text for segment in answer) for answer in answers}) > 1
    for answer in answers:
        assert all(segment.rung == "network" for segment in answer)
        assert [segment.sequence for segment in answer] == list(range(len(answer)))
        assert answer[-1].last


async def test_the_same_request_is_answered_with_the_same_words(writer: Writer) -> None:
    first, second = [await say(rung(writer), asked("hello")) for _ in range(2)]
    assert first == second


async def test_words_become_segments_with_her_emotion_and_one_gesture_and_the_viewers_name(
    tokenizer: Tokenizer,
) -> None:
    script = Script("[joy]", "[wave]", "你好呀，", "{viewer}", "。", "坐下聊。", tokenizer=tokenizer)
    segments = await say(rung(script, "self.age"), asked("你多大", name="阿杰"))
    assert "".join(segment.text for segment in segments) == "你好呀，阿杰。坐下聊。"
    assert well_formed(segments)
    assert [segment.gesture != 1 for segment in segments] == [True] + [False] * (len(segments) - 1)


async def test_retrieved_facts_and_what_this_viewer_said_before_stand_in_the_prompt(tokenizer: Tokenizer) -> None:
    viewer, her = HistoryLine.SPEAKER_VIEWER, HistoryLine.SPEAKER_LYDIA
    history = [
        HistoryLine(speaker=viewer, viewer_id="v", text="我叫小鱼"),
        HistoryLine(speaker=her, text="你好小鱼"),
        HistoryLine(speaker=viewer, viewer_id="other", text="别人的话"),
        HistoryLine(speaker=her, text="嗯嗯"),
    ]
    script = Script("[joy]", "好呀。", tokenizer=tokenizer)
    await say(rung(script, "self.age"), asked("你几岁"), history)
    assert script.prompts == [
        "<|begin|><|viewer|>我叫小鱼<|lydia|>你好小鱼<|end|><|viewer|>你几岁<|fact|><|self.age|>十九岁<|lydia|>"
    ]
    assert remembered(history, "nobody") == []


async def test_who_closes_the_answer_stops_the_writing(tokenizer: Tokenizer) -> None:
    script = Script("[joy]", *["今天天气真好呀。"] * 80, tokenizer=tokenizer)
    answer = rung(script).stream(ChatRequest(turn=asked("你好")))
    first = await anext(answer)
    assert weight(first.text)
    await answer.aclose()  # type: ignore[attr-defined]
    written = script.written
    await asyncio.sleep(0.05)
    assert script.written == written < 10


async def test_the_first_words_go_out_as_soon_as_it_is_certain_that_they_end(tokenizer: Tokenizer) -> None:
    rest = ["好"] * 60
    script = Script("[joy]", "你", "好", "呀", "，", "坐", *rest, tokenizer=tokenizer)
    answer = rung(script).stream(ChatRequest(turn=asked("你好")))
    assert (await anext(answer)).text == "你好呀，"
    assert script.written == 6, "an emotion, four for the words, and what came after them"
    await answer.aclose()  # type: ignore[attr-defined]


async def test_long_words_without_an_end_are_written_some_at_a_time(tokenizer: Tokenizer) -> None:
    script = Script("[joy]", *["好"] * 90, tokenizer=tokenizer)
    answer = rung(script).stream(ChatRequest(turn=asked("你好")))
    first = await anext(answer)
    assert first.text == "好" * len(first.text)
    assert script.written <= len(first.text) + 1 + AT_ONCE
    await answer.aclose()  # type: ignore[attr-defined]


async def test_a_network_that_finds_no_words_fails_so_that_the_next_rung_answers(tokenizer: Tokenizer) -> None:
    with pytest.raises(ModelFailed):
        await say(rung(Script("[joy]", tokenizer=tokenizer)), asked("你好"))


async def test_gifts_silences_and_cries_for_help_are_the_personas(tokenizer: Tokenizer) -> None:
    script = Script("[joy]", "不该说的。", tokenizer=tokenizer)
    quiet = Turn(turn_id="q", room_id="a", epoch=1, silence=SilenceCause(rundown_index=3))
    for turn, intent in ((gave(("小明", "玫瑰", 1, 10)), None), (quiet, None), (asked("不想活了"), "feelings.despair")):
        segments = await say(rung(script, intent), turn)
        assert segments and all(segment.rung == "persona" for segment in segments)
    assert script.written == 0
