"""How she decides between intents, on a persona of two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.chat.meaning import SIZE, Floats, Meaning, unpacked
from services.chat.person import person
from services.chat.persona import Intent, Persona, load
from services.chat.retrieval import UNANSWERABLE, Match, Retrieval, example_texts, language


class Spelling(Meaning):
    """Means what is written, letter by letter."""

    def __init__(self) -> None:
        pass

    def packed(self, texts: Sequence[str]) -> NDArray[np.int8]:
        counts = np.zeros((len(texts), SIZE), np.int8)
        for row, text in zip(counts, texts, strict=True):
            for letter in text:
                row[ord(letter) % SIZE] += 1
        return counts

    def of_one(self, text: str) -> Floats:
        return unpacked(self.packed([text])[0])


def persona(*, grave: bool = False, unanswerable: tuple[str, ...] = ("zzz",)) -> Persona:
    heavy = Intent("heavy", "", {"zh": ("救命",), "en": ("let me go", "help")}, (), grave=grave)
    light = Intent("light", "", {"zh": ("唱歌",), "en": ("let me go", "sing")}, ())
    return Persona("", {"heavy": heavy, "light": light}, {}, unanswerable, version=f"{grave} {unanswerable}")


def find(known: Persona, text: str) -> Match:
    return Retrieval(known, Spelling()).find(text)


def test_what_an_example_says_is_found() -> None:
    match = find(persona(), "help")
    assert (match.intent, match.fits) == ("heavy", True)


def test_between_two_equals_she_admits_that_she_did_not_understand() -> None:
    assert not find(persona(), "let me go").fits


def test_between_a_grave_intent_and_its_equal_she_takes_it_as_grave() -> None:
    match = find(persona(grave=True), "let me go")
    assert (match.intent, match.fits) == ("heavy", True)


def test_a_grave_intent_does_not_win_where_another_one_is_clear() -> None:
    assert find(persona(grave=True), "sing").intent == "light"


def test_what_nothing_of_hers_answers_is_not_answered() -> None:
    assert find(persona(), "singer").fits
    match = find(persona(unanswerable=("singer", "ringer")), "singers")
    assert (match.intent, match.fits) == (UNANSWERABLE, False)


def test_what_is_said_of_her_and_of_oneself_are_told_apart() -> None:
    hers = Intent("hers", "", {"zh": ("你猫",), "en": ("your cat",)}, ())
    mine = Intent("mine", "", {"zh": ("我猫",), "en": ("my cat",)}, ())
    known = Persona("", {"hers": hers, "mine": mine}, {}, ("zzz",), version="persons")
    assert [find(known, text).intent for text in ("你的猫呢", "我的猫呢", "you, cat", "i, cat")] == ["hers", "mine"] * 2


@pytest.mark.parametrize(
    ("text", "of"),
    [("你多大", 2), ("what's yours", 2), ("我二十", 1), ("my cat", 1), ("我喜欢你", 3), ("今天下雨", 0), ("youth", 0)],
)
def test_of_whom_a_sentence_speaks(text: str, of: int) -> None:
    assert person(text) == of


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("yyds, xswl, hhhhhh, NSDD!, emmm, 666, ？, hello 你好, wow好看", "zh"),
        ("听过Bohemian Rhapsody吗, 喜欢Taylor Swift和Justin Bieber吗, @superlongusername_2001 他说得对", "zh"),
        ("who is 林教授, what is 汤圆, what does 你好 mean, can you say 谢谢, I love 火锅", "en"),
        ("wow, hi, hmm, lol, goodnight 澜澜, @小明 how are you", "en"),
    ],
)
def test_the_language_to_answer_in(texts: str, expected: str) -> None:
    assert {text: language(text) for text in texts.split(", ")} == dict.fromkeys(texts.split(", "), expected)


def test_what_was_fitted_is_kept_until_the_examples_change(tmp_path: Path) -> None:
    first, again = (Retrieval(persona(), Spelling(), tmp_path).find("help") for _ in range(2))
    assert again.intent == first.intent
    (kept,) = tmp_path.glob("intents-*.npz")
    Retrieval(persona(unanswerable=("xyz",)), Spelling(), tmp_path)
    assert kept not in tmp_path.glob("intents-*.npz")


def test_what_is_an_example_means_the_same_without_being_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    meaning = Meaning()
    example = example_texts(load())[0]
    (computed,) = meaning.of([example])
    monkeypatch.setattr(meaning, "of", None)
    assert meaning.of_one(example) @ computed > 0.999
