"""A phrase of both languages is one row of symbols, which ends with its mark."""

from __future__ import annotations

import pytest

from services.speech.natural.english import English, Entry
from services.speech.natural.reading import Reader, language
from services.speech.text import Phrase, Run, phrases

LEXICON: dict[str, Entry] = {"Lydia": "lˈɪdiə", "Tom": "tˈɑm"}
SYMBOLS = {symbol: number for number, symbol in enumerate(" ,.?!:…wo↓ʂɨ↘lˈɪdiətɑm", 1)}


def read(text: str, *, ends: bool = True) -> str:
    (phrase,) = phrases(text)
    return "".join(phone.symbols for phone in Reader(English(LEXICON), SYMBOLS).phones(phrase, ends=ends))


@pytest.mark.parametrize(
    ("text", "symbols"), [("我是 Lydia。", "wo↓ ʂɨ↘ lˈɪdiə."), ("Lydia是?", "lˈɪdiə ʂɨ↘?"), ("是！", "ʂɨ↘!")]
)
def test_languages_follow_one_another_with_a_space(text: str, symbols: str) -> None:
    assert read(text) == symbols


def test_a_phrase_without_a_mark_goes_on_or_ends() -> None:
    assert read("是", ends=True) == "ʂɨ↘."
    assert read("是", ends=False) == "ʂɨ↘,"


def test_symbols_become_numbers_between_pads() -> None:
    reader = Reader(English(LEXICON), SYMBOLS)
    phones = reader.phones(Phrase((Run("zh", "我"),), "."), ends=True)
    assert reader.tokens(phones) == [0, SYMBOLS["w"], SYMBOLS["o"], SYMBOLS["↓"], SYMBOLS["."], 0]


def test_a_symbol_that_the_network_lacks_is_a_space() -> None:
    reader = Reader(English({}), SYMBOLS)
    phones = reader.phones(Phrase((Run("zh", "八"),), ""), ends=True)
    assert set(reader.tokens(phones)) <= {0, *SYMBOLS.values()}


@pytest.mark.parametrize(
    ("text", "expected"), [("我是 Lydia 呀", "zh"), ("my friend 你好", "en"), ("你好", "zh"), ("hello", "en")]
)
def test_the_phrase_has_the_language_of_most_of_it(text: str, expected: str) -> None:
    assert language(phrases(text)[0]) == expected


def test_all_sounds_of_a_word_that_stands_out_do_and_no_others() -> None:
    (phrase,) = phrases("我是 Lydia Tom", [(1, 2), (3, 8)])
    found = Reader(English(LEXICON), SYMBOLS).phones(phrase, ends=True)
    assert "".join(phone.symbols for phone in found) == "wo↓ ʂɨ↘ lˈɪdiə tˈɑm."
    assert "".join(phone.symbols for phone in found if phone.emphasis) == "ʂɨ↘lˈɪdiə"


def test_a_hanzi_that_stands_out_keeps_its_neighbours_tones() -> None:
    """Third tones change before one another across it, too; and it alone carries the phrase's focus."""
    (phrase,) = phrases("我很好", [(1, 2)])
    found = Reader(English({}), SYMBOLS).phones(phrase, ends=True)
    assert "↗" in "".join(phone.symbols for phone in found if phone.emphasis)
    assert {phone.emphasis for phone in found if phone.stress == 2} == {True}
