"""Hanzi are read with the tones and in the words that people use."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.speech.espeak.voice import UNREADABLE, mandarin
from services.speech.mandarin import words


def said(hanzi: str) -> str:
    return " ".join("".join(f"{s.base}{s.tone}" for s in word) for word in words(hanzi))


@pytest.mark.parametrize(
    ("hanzi", "expected"),
    [
        ("你好", "ni3hao3"),
        ("谢谢", "xie4xie5"),
        ("妈妈", "ma1ma5"),
        ("朋友", "peng2you5"),
        ("漂亮", "piao4liang5"),
        ("什么", "shen2me5"),
        ("我们", "wo3men5"),
        ("一个", "yi2ge4"),
        ("一天", "yi4 tian1"),
        ("一起", "yi4qi3"),
        ("第一名", "di4yi1ming2"),
        ("二零二一", "er4 ling2 er4 yi1"),
        ("一百", "yi4bai3"),
        ("十一", "shi2 yi1"),
        ("看一看", "kan4 yi5 kan4"),
        ("不是", "bu2shi4"),
        ("不好", "bu4hao3"),
        ("银行", "yin2hang2"),
        ("行不行", "xing2 bu5xing2"),
        ("长大", "zhang3da4"),
        ("觉得", "jue2de5"),
        ("睡觉", "shui4jiao4"),
        ("音乐", "yin1yue4"),
        ("快乐", "kuai4le4"),
        ("说得对", "shuo1de5 dui4"),
        ("好了吗", "hao3le5ma5"),
        ("重庆", "chong2qing4"),
        ("绿色", "lv4 se4"),
        ("嗯", "en1"),
        ("〇", "ling2"),
    ],
)
def test_words_tones_and_their_changes(hanzi: str, expected: str) -> None:
    assert said(hanzi) == expected


@pytest.mark.parametrize(
    ("hanzi", "focus"),
    [("我爱你", "ni"), ("太可爱了", "tai"), ("你好吗", "hao"), ("谢谢", "xie")],
)
def test_the_focus_is_on_the_emphatic_word_or_the_last_one_with_a_tone(hanzi: str, focus: str) -> None:
    marked = [syllable for word in words(hanzi) for syllable in word if syllable.focus]
    assert [syllable.base for syllable in marked] == [focus]


@settings(deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF), max_size=40))
def test_any_hanzi_give_syllables_that_the_voice_can_read(hanzi: str) -> None:
    for word in words(hanzi):
        for syllable in word:
            assert re.fullmatch("[a-z]+", syllable.base) or syllable.base in UNREADABLE
            assert 1 <= syllable.tone <= 5


def test_syllables_that_look_english_to_the_voice_are_spelled_in_its_phonemes() -> None:
    assert mandarin(words("熊猫")) == "[[S;jong35]] mao1"
    assert mandarin(words("你好")) == "ni3hao3"
