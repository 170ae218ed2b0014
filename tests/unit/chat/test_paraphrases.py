"""Viewers are understood: 200 messages written by somebody who had seen only the intents' names."""

from __future__ import annotations

from pathlib import Path

from services.chat.evaluate import evaluate
from services.chat.meaning import Meaning
from services.chat.persona import load
from services.chat.retrieval import Retrieval, example_texts
from services.places import FITTED

PARAPHRASES = Path(__file__).with_name("paraphrases.yaml")


def test_nine_of_ten_reach_the_right_answer_and_hardly_any_a_wrong_one() -> None:
    asked = evaluate(PARAPHRASES, Retrieval(load(), Meaning(), FITTED))
    assert len(asked) == 200
    shares = {verdict: sum(one.verdict == verdict for one in asked) / 200 for verdict in ("right", "wrong", "fallback")}
    assert shares["right"] >= 0.9, shares
    assert shares["wrong"] <= 0.05, shares


def test_what_the_examples_mean_is_kept_so_that_the_first_start_has_nothing_to_compute() -> None:
    assert Meaning().missing(example_texts(load())) == []
