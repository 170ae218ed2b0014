"""Mandarin is written in the symbols that the network's voices learned, with tones as people say them."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.motion.visemes import VISEMES, visemes
from services.speech.mandarin import words
from services.speech.natural.pinyin import TONES, UnknownSyllable, phones, syllable

TABLE = [line.split() for line in (Path(__file__).parent / "misaki_zh.txt").read_text().splitlines() if line[0] != "#"]


def written(hanzi: str) -> str:
    return "".join(phone.symbols for phone in phones(words(hanzi)))


@pytest.mark.parametrize("tone", TONES)
def test_every_syllable_is_written_as_the_voices_learned_it(tone: int) -> None:
    assert len(TABLE) > 420
    assert [
        (base, said)
        for base, symbols in TABLE
        if (said := "".join(phone.symbols for phone in syllable(base, tone, 1))) != symbols.replace("0", TONES[tone])
    ] == []


def test_every_sound_is_known_to_the_lips() -> None:
    for base, _ in TABLE:
        for phone in syllable(base, 1, 1):
            assert phone.ipa, base
            assert set(phone.ipa.replace("ʰ", "")) <= set("".join(VISEMES)), (base, phone)
            assert visemes(phone.ipa), base


@pytest.mark.parametrize(
    ("hanzi", "symbols"),
    [
        ("你好", "ni↗xau↓"),
        ("我很好", "wo↗ xə↗n xau↓"),
        ("展览馆", "ꭧa↗nla↗nkwa↓n"),
        ("一个", "i↗kɤ↘"),
        ("不是", "pu↗ʂɨ↘"),
        ("不好", "pu↘xau↓"),
        ("妈妈", "ma→ma"),
        ("女儿", "ny↓ɚ↗"),
        ("四十是", "sɨ↘ʂɨ↗ ʂɨ↘"),
        ("月亮", "ɥe↘ljaŋ"),
    ],
)
def test_tones_change_as_in_speech(hanzi: str, symbols: str) -> None:
    assert written(hanzi).replace(" ", "") == symbols.replace(" ", "")


def test_stress_follows_tone_and_focus() -> None:
    found = [(phone.ipa, phone.stress) for phone in phones(words("妈妈爱你")) if phone.ipa]
    assert found == [("m", 0), ("ɑ", 1), ("m", 0), ("ɑ", 0), ("ai", 1), ("n", 0), ("i", 2)]


@pytest.mark.parametrize("base", ["", "xyz", "q", "tv", "zhk"])
def test_what_is_no_syllable_is_refused(base: str) -> None:
    with pytest.raises(UnknownSyllable):
        syllable(base, 1, 1)
