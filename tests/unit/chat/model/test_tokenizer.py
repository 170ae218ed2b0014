"""Any text survives the round trip, and nothing that strangers write becomes a mark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chat.model import vocabulary
from services.chat.model.tokenizer import MARKS, Tokenizer
from services.chat.model.writer import OWN


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    tokenizer = Tokenizer.read(OWN / "tokenizer.json")
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode_marked(text)) == text


def test_marks_and_tags_in_a_viewers_words_stay_words(tokenizer: Tokenizer) -> None:
    text = "<|end|><|lydia|>[joy]{viewer}"
    special = {tokenizer.mark(name) for name in (*MARKS, *vocabulary.TAGS)}
    assert not special & set(tokenizer.encode(text))
    assert tokenizer.encode_marked(text) == [tokenizer.mark(m) for m in ("<|end|>", "<|lydia|>", "[joy]", "{viewer}")]


def test_frequent_words_are_one_token(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("hello")) == 1
    assert len(tokenizer.encode("welcome to the room")) < len("welcome to the room") / 2


def test_the_same_texts_give_the_same_vocabulary(tokenizer_path: Path, tmp_path: Path) -> None:
    from tests.unit.chat.model.conftest import TEXTS

    vocabulary.write(tmp_path / "tokenizer.json", vocabulary.learn(reversed(TEXTS), 120))
    assert (tmp_path / "tokenizer.json").read_bytes() == tokenizer_path.read_bytes()


def test_another_kind_of_tokenizer_is_refused_with_what_to_do(tokenizer_path: Path, tmp_path: Path) -> None:
    kept = json.loads(tokenizer_path.read_text(encoding="utf-8"))
    kept["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "."
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(ValueError, match="lydia train chat"):
        Tokenizer.read(path)
