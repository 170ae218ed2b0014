"""The network learns how words are spelled, and its file says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.speech.model.letters.letters import Letters

torch = pytest.importorskip("torch")

from services.speech.model.letters.export import export  # noqa: E402
from services.speech.model.letters.network import Network  # noqa: E402
from services.speech.model.letters.spelling import Spelling, held_out, words_of  # noqa: E402
from services.training.loop import fit  # noqa: E402
from services.training.task import Options  # noqa: E402

SPELLED = {"b": "b", "d": "d", "k": "k", "x": "ks", "a": "ˈæ", "o": "ˈɑ", "e": ""}
"""An invented spelling: one letter is two sounds, one is none."""


def words(count: int, seed: int) -> dict[str, str]:
    random = np.random.default_rng(seed)
    made = ("".join(random.choice(list(SPELLED), random.integers(3, 7))) for _ in range(count))
    return {word: said for word in made if (said := "".join(map(SPELLED.get, word)))}  # type: ignore[arg-type]


def test_it_learns_a_spelling_and_the_file_says_words_it_never_saw(tmp_path: Path) -> None:
    options = Options(steps=250, batch=32, rate=3e-3, warm_up=20, keep=250)
    network = fit(Spelling(words(600, 1), batch=32, seed=1), tmp_path / "run", options)
    assert isinstance(network, Network)
    assert export(network, tmp_path / "letters.onnx") < 2e-2
    say = Letters(tmp_path / "letters.onnx")
    unseen = {word: said for word, said in words(60, 2).items() if word not in words(600, 1)}
    right = [say(word) == said for word, said in unseen.items()]
    assert np.mean(right) > 0.9
    some = [word for word in unseen if len(word) == 5]
    assert say.many(some) == [say(word) for word in some]


def test_what_cannot_be_learned_is_left_out() -> None:
    lexicon = {"cat": "kˈæt", "Cat": "kˈɑt", "Bob": "bˈɑb", "mr": "mˈɪstəɹ", "don't": "dˈOnt", "odd": "€"}
    assert words_of(lexicon) == {"cat": "kˈæt", "bob": "bˈɑb"}


def test_one_word_in_twenty_is_kept_for_testing_and_always_the_same() -> None:
    chosen = [held_out(f"word{number}") for number in range(4_000)]
    assert 0.035 < np.mean(chosen) < 0.065
    assert chosen == [held_out(f"word{number}") for number in range(4_000)]


def test_too_few_words_are_told_of() -> None:
    with pytest.raises(ValueError, match="a longer list"):
        Spelling({"cat": "kˈæt"}, batch=4, seed=1)
