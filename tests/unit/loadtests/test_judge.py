"""What counts as a difference between what was said and what a recogniser wrote."""

from __future__ import annotations

import pytest

from loadtests.voices.judge import errors, syllables


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("三百六十五乘以二十四", "365×24"),
        ("我跟月亮连麦。", "我跟月亮连卖"),
        ("祝大家六一儿童节快乐", "祝大家6·1儿童节快乐！"),
        ("It's my favourite colour, okay?", "its my favorite color ok"),
    ],
)
def test_what_sounds_the_same_counts_as_the_same(said: str, written: str) -> None:
    assert syllables(said, tones=False) == syllables(written, tones=False)


@pytest.mark.parametrize(
    ("said", "written", "wrong"),
    [("星星听", "心心听", 2), ("只写了四个字", "写了四个字", 1), ("离发工资", "泥发工资了", 2)],
)
def test_each_syllable_that_is_wrong_missing_or_too_much_counts(said: str, written: str, wrong: int) -> None:
    assert errors(syllables(said, tones=False), syllables(written, tones=False)) == wrong


def test_tones_count_where_they_are_asked_for() -> None:
    assert syllables("连麦", tones=True) == ["lian2", "mai4"]
    assert errors(syllables("连麦", tones=True), syllables("连卖", tones=True)) == 0
    assert errors(syllables("连麦", tones=True), syllables("连买", tones=True)) == 1
