"""Viewers are understood: messages written by people who had seen only the intents' names and an answer of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.chat.evaluate import evaluate
from services.chat.meaning import Meaning
from services.chat.persona import load
from services.chat.retrieval import Retrieval, example_texts, normal
from services.places import FITTED

HERE = Path(__file__).parent
TUNED_ON = ("paraphrases.yaml", "paraphrases_more.yaml")
"""Looked at while tuning: they guard what was reached, and are no estimate for new messages."""
BLIND = "paraphrases_blind.yaml"
"""Written after the persona and never looked at while tuning."""


def _kinds(name: str) -> list[dict[str, list[str]]]:
    kinds: list[dict[str, list[str]]] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return kinds


@pytest.fixture(scope="module")
def retrieval() -> Retrieval:
    return Retrieval(load(), Meaning(), FITTED)


@pytest.mark.parametrize(("name", "right", "wrong"), [(BLIND, 0.9, 0.05), *((name, 0.94, 0.03) for name in TUNED_ON)])
def test_most_reach_the_right_answer_and_hardly_any_a_wrong_one(
    retrieval: Retrieval, name: str, right: float, wrong: float
) -> None:
    asked = evaluate(HERE / name, retrieval)
    assert len(asked) == 200
    shares = {verdict: sum(one.verdict == verdict for one in asked) / 200 for verdict in ("right", "wrong", "fallback")}
    assert shares["right"] >= right, shares
    assert shares["wrong"] <= wrong, shares


def test_what_is_grave_is_never_answered_lightly(retrieval: Retrieval) -> None:
    texts = [(text, kind["intent"]) for kind in _kinds("grave.yaml") for text in kind["text"]]
    light = [(text, match.intent) for text, allowed in texts if (match := retrieval.find(text)).intent not in allowed]
    assert not light


@pytest.mark.parametrize("kind", _kinds("neighbours.yaml"), ids=lambda kind: kind["text"][0])
def test_what_lies_beside_something_grave_is_told_apart_from_it(
    retrieval: Retrieval, kind: dict[str, list[str]]
) -> None:
    found = {text: match.intent if (match := retrieval.find(text)).fits else "fallback" for text in kind["text"]}
    wrong = {text: intent for text, intent in found.items() if not _allowed(intent, kind)}
    assert not wrong


def _allowed(intent: str, kind: dict[str, list[str]]) -> bool:
    return intent in kind["intent"] if "intent" in kind else intent not in kind["not"]


def test_what_is_asked_here_is_no_example() -> None:
    known = {normal(text) for text in example_texts(load())}
    asked = [text for name in ("grave.yaml", "neighbours.yaml") for kind in _kinds(name) for text in kind["text"]]
    assert not [text for text in asked if normal(text) in known]


def test_what_the_examples_mean_is_kept_so_that_the_first_start_has_nothing_to_compute() -> None:
    assert Meaning().missing(example_texts(load())) == []
