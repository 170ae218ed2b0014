"""Dialogues are whole and hold nothing of what is asked for judging; a tiny training learns, and resumes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.chat.clauses import weight
from services.chat.model import dialogues, grammar
from services.chat.model.dialogues import BadDialogue, load, turns
from services.chat.model.judge import DEVELOPMENT, DEVELOPMENT_OTHERS, MOST_WEIGHT, Judge, questions
from services.chat.model.lessons import Lessons
from services.chat.model.prompt import FACTS, Facts
from services.chat.model.tokenizer import Tokenizer
from services.chat.model.weights import read, write
from services.chat.retrieval import example_texts, normal
from services.chat.tags import Tags
from services.core.events import EMOTION_JOY, GESTURE_NONE, TextSegment
from services.core.moderation import Moderator
from services.core.yaml_files import read_yaml
from tests.unit.chat.fakes import PERSONA

TALK = load()
LESSONS = Lessons(PERSONA, TALK, Facts.read())


def test_there_are_three_thousand_distinct_turns_in_two_languages() -> None:
    said = turns(TALK)
    assert len(said) >= 3000
    chinese = [text for text in said if any("\u4e00" <= sign <= "\u9fff" for sign in text)]
    assert 1000 <= len(chinese) <= len(said) - 1000


def test_every_answer_of_the_dialogues_passes_her_moderation_and_is_short_enough_to_be_spoken() -> None:
    moderator = Moderator.built_in()
    for dialogue in TALK:
        for exchange in dialogue:
            words = Tags().without(exchange.answer)
            assert moderator.check(words.replace("{viewer}", "小明"), where="output") is None, words
            assert 0 < weight(words) <= MOST_WEIGHT, words


def test_no_training_text_is_one_of_the_three_hundred_held_out_questions() -> None:
    asked = {normal(question.text) for question in questions()}
    assert len(asked) == 300
    written = {normal(text) for dialogue in TALK for exchange in dialogue for text in exchange.asked}
    assert not asked & (written | set(example_texts(PERSONA)))


def test_what_is_looked_at_while_developing_is_neither_held_out_nor_an_example() -> None:
    developed = {normal(question.text) for question in questions(DEVELOPMENT)}
    others = {normal(str(text)) for text in read_yaml(DEVELOPMENT_OTHERS)}
    assert len(developed) >= 300 and len(others) >= 100
    held_out = {normal(question.text) for question in questions()}
    assert sorted((developed | others) & set(example_texts(PERSONA))) == []
    assert len((developed | others) & held_out) == 0, "reword them; the held-out ones are not shown"
    assert {question.fact for question in questions(DEVELOPMENT)} == {question.fact for question in questions()}


def test_every_answer_of_the_persona_to_a_question_of_fact_is_judged_right_and_free_of_contradictions() -> None:
    judge = Judge()
    for fact in read_yaml(FACTS):
        for line in PERSONA.intents[fact].answers:
            for text in (line.zh, line.en):
                verdict = judge.judge(
                    fact, [TextSegment(text=text, emotion=line.emotion, gesture=GESTURE_NONE, last=True)]
                )
                assert verdict.right and not verdict.contradicts and verdict.well_formed, (fact, text)


@pytest.mark.parametrize(
    ("fact", "answer"),
    [("self.age", "我今年二十岁。"), ("self.ai", "我是真人呀。"), ("self.ai", "I'm human, of course."),
     ("self.home", "我住在上海市。"), ("self.birthday", "我的生日是五月。")],
)  # fmt: skip
def test_contradictions_of_her_facts_are_seen(fact: str, answer: str) -> None:
    verdict = Judge().judge(fact, [TextSegment(text=answer, emotion=EMOTION_JOY, gesture=GESTURE_NONE, last=True)])
    assert verdict.contradicts and not verdict.right


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("- - 你好", "pairs"),
        ("- - 你好\n  - 好呀", "emotion gesture"),
        ("- - 你好\n  - merry: 好呀", "no emotion"),
        ("a: b", "list"),
    ],
)
def test_a_broken_file_of_dialogues_is_refused_with_its_place(tmp_path: Path, text: str, mend: str) -> None:
    (tmp_path / "broken.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadDialogue, match=rf"broken\.yaml.*{mend}"):
        dialogues.load(tmp_path)


def test_question_and_answer_get_the_same_word_in_their_slots() -> None:
    words = grammar.words_for("{city} {food}", "zh", random.Random(1))
    assert grammar.filled("{city}的{food}", words) == f"{words['city']}的{words['food']}"


def test_the_same_seed_draws_the_same_lessons_and_no_slot_stays_open() -> None:
    first, second = ([LESSONS.draw(random.Random(number)) for number in range(300)] for _ in range(2))
    assert first == second
    for lesson in first:
        assert "{" not in lesson.asked.replace("{viewer}", "")
        assert lesson.answer.startswith("[") and "{city}" not in lesson.answer


def test_only_her_words_are_learnt(tokenizer: Tokenizer) -> None:
    pytest.importorskip("torch")
    from services.chat.model.task import batched

    drawn = [LESSONS.draw(random.Random(number)).tokens(tokenizer) for number in range(4)]
    batch = batched(drawn)
    for row, (tokens, given) in enumerate(drawn):
        wanted = batch.tokens[row, 1:][batch.hers[row]].tolist()
        assert wanted == tokens[given:]
        assert tokenizer.decode(wanted).startswith("[") and wanted[-1] == tokenizer.mark("<|end|>")


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    tensors: dict[str, NDArray[Any]] = {"b": np.arange(6, dtype=np.float16).reshape(2, 3), "a": np.ones(3, np.float32)}
    write(tmp_path / "model.safetensors", tensors)
    found = read(tmp_path / "model.safetensors")
    assert found.keys() == tensors.keys()
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)


def test_a_tiny_training_learns_and_ends_the_same_when_it_was_stopped(tokenizer: Tokenizer, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from services.chat.model.config import Config
    from services.chat.model.task import ChatTask
    from services.training.loop import fit
    from services.training.report import rows
    from services.training.task import Options

    shape = Config(width=32, layers=2, heads=4, kv_heads=2, inner=48, vocabulary=tokenizer.size)
    few = Lessons(PERSONA, TALK[:2], Facts.read())
    task = ChatTask(few, tokenizer, shape, batch=2, seed=5)
    options = Options(steps=20, batch=2, rate=1e-2, warm_up=3, seed=5, keep=10)
    whole = fit(task, tmp_path / "whole", options)
    losses = [float(row["loss"]) for row in rows(tmp_path / "whole")]
    assert losses[-1] < losses[0] - 0.3
    fit(task, tmp_path / "stopped", options, until=10)
    resumed = fit(task, tmp_path / "stopped", options)
    for name, weight_ in whole.state_dict().items():
        assert torch.equal(weight_, resumed.state_dict()[name]), name
