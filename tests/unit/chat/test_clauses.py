"""Text becomes segments that can be spoken one by one, the first one soon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chat.clauses import MOST_WEIGHT, Splitter, split, weight


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("你好呀，我是澜澜。", ["你好呀，", "我是澜澜。"]),
        ("今天是3.5度，真冷！", ["今天是3.5度，", "真冷！"]),
        ("Hello, I am Dr. Li. Nice to see you.", ["Hello, I am Dr. Li.", "Nice to see you."]),
        ("It costs 1,000 stars, e.g. now.", ["It costs 1,000 stars,", "e.g. now."]),
        ("“真的吗？！”她问。", ["“真的吗？！”", "她问。"]),
        ("Ready? 3… 2… 1… go!", ["Ready?", "3… 2… 1… go!"]),
        ("准备好，3，2，1，走！", ["准备好，", "3，2，1，走！"]),
        ("666！", ["666！"]),
        ("哈哈", ["哈哈"]),
        ("……", []),
        ("", []),
    ],
)
def test_segments_end_where_a_speaker_would_breathe(text: str, segments: list[str]) -> None:
    assert split(text) == segments


@given(st.lists(st.text(alphabet="你好呀，。！ab c1.5,?\n", max_size=8), max_size=20))
def test_it_does_not_matter_in_which_pieces_the_text_comes(pieces: list[str]) -> None:
    splitter = Splitter()
    streamed = [segment for piece in pieces for segment in splitter.push(piece)] + list(splitter.finish())
    whole = "".join(pieces)
    assert "".join("".join(streamed).split()) == "".join("".join(split(whole)).split())
    assert all(weight(segment) for segment in streamed)


def test_the_first_segment_of_a_stream_comes_before_the_rest_is_written() -> None:
    splitter = Splitter()
    assert list(splitter.push("谢谢你来看我，我")) == ["谢谢你来看我，"]


def test_a_run_without_any_mark_is_cut_at_last() -> None:
    assert all(weight(segment) <= MOST_WEIGHT + 2 for segment in split("好" * 300))
    assert all(weight(segment) <= MOST_WEIGHT + 2 for segment in split("good " * 200))
