"""English words are read by the lexicon, and sensibly when it does not know them."""

from __future__ import annotations

import pytest

from services.motion.visemes import VISEMES
from services.speech.natural.english import English, Entry
from services.speech.natural.letters import pronounce

LEXICON: dict[str, Entry] = {
    "hello": "həlˈO", "the": "ði", "apple": "ˈæpᵊl", "cat": "kˈæt", "box": "bˈɑks", "wish": "wˈɪʃ", "I": "ˈI",
    "A": "ˈA", "V": "vˈi", "P": "pˈi", "can": {"DEFAULT": "kæn", "None": "kˈæn"}, "to": "tu", "try": "tɹˈI",
    "live": {"DEFAULT": "lˈIv", "VERB": "lˈɪv"}, "read": {"DEFAULT": "ɹˈid", "VBN": "ɹˈɛd"}, "have": "hæv",
    "record": {"DEFAULT": "ɹˈɛkəɹd", "VERB": "ɹəkˈɔɹd"}, "wait": "wˈAt", "bake": "bˈAk", "hug": "hˈʌɡ", "and": "ænd",
    "star": "stˈɑɹ", "light": "lˈIt", "that": {"DEFAULT": "ðæt", "DT": "ðˈæt"}, "a": "A", "room": "ɹˈum",
    "in": "ɪn", "am": "æm", "used": "jˈuzd", "city": "sˈɪɾi", "button": "bˈʌʔᵊn", "Lydia": "lˈɪdiə", "will": "wɪl",
}  # fmt: skip


def read(text: str) -> str:
    return "".join(phone.symbols for phone in English(LEXICON).phones(text))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Hello Lydia", "həlˈO lˈɪdiə"),
        ("the apple", "ði ˈæpᵊl"),
        ("the cat", "ðə kˈæt"),
        ("to cat to apple", "tə kˈæt tʊ ˈæpᵊl"),
        ("I can", "ˌI kˈæn"),
        ("can I", "kæn ˌI"),
        ("a cat", "ɐ kˈæt"),
    ],
)
def test_small_words_give_way(text: str, symbols: str) -> None:
    assert read(text) == symbols


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("to live", "tə lˈɪv"),
        ("a live room", "ɐ lˈIv ɹˈum"),
        ("have read", "hæv ɹˈɛd"),
        ("will record a record", "wɪl ɹəkˈɔɹd ɐ ɹˈɛkəɹd"),
        ("used to read", "jˈust tə ɹˈid"),
    ],
)
def test_the_same_letters_are_read_as_what_they_are(text: str, symbols: str) -> None:
    assert read(text) == symbols


@pytest.mark.parametrize(
    ("word", "symbols"),
    [
        ("cats", "kˈæts"), ("boxes", "bˈɑksᵻz"), ("wishes", "wˈɪʃᵻz"), ("tried", "tɹˈId"), ("waited", "wˈATᵻd"),
        ("waiting", "wˈATɪŋ"), ("baking", "bˈAkɪŋ"), ("hugged", "hˈʌɡd"), ("Lydia's", "lˈɪdiəz"), ("that's", "ðæts"),
        ("starlight", "stˈɑɹlˌIt"), ("that'll", "ðætᵊl"), ("baker", "bˈAkəɹ"),
    ],
)  # fmt: skip
def test_endings_and_compounds_are_understood(word: str, symbols: str) -> None:
    assert read(word) == symbols


def test_spelled_letters_are_one_name_with_its_last_letter_stressed() -> None:
    assert read("A I and V I P") == "ˌAˈI ænd vˌiˌIpˈi"


def test_taps_and_glottal_stops_are_written_as_the_network_knows_them() -> None:
    assert read("city button") == "sˈɪTi bˈʌtᵊn"


@pytest.mark.parametrize(
    ("name", "symbols"),
    [("Xinglan", "ɕi→ŋla→n"), ("Zhangwei", "ꭧa→ŋwei→"), ("Kuaishou", "kʰwai→ʂou→"), ("Jiajia", "ʨja→ʨja→")],
)
def test_a_chinese_name_is_read_as_pinyin_and_not_by_english_letters(name: str, symbols: str) -> None:
    assert read(name) == symbols


def test_a_compound_is_not_cut_inside_a_sound() -> None:
    lexicon: dict[str, Entry] = {"guns": "ɡˈʌnz", "holt": "hˈOlt"}
    said = "".join(phone.symbols for phone in English(lexicon).phones("gunsholt"))
    assert "ʃ" in said


@pytest.mark.parametrize("name", ["Kaelith", "Novak", "Zyra", "Mikaela", "Brzt", "Oyx", "Ng", "Schwarz", "e", "y"])
def test_unknown_names_get_sounds_with_one_stress(name: str) -> None:
    said = read(name)
    assert any(one not in "ˈˌ " for one in said)
    assert said.count("ˈ") <= 1


def test_rules_for_letters() -> None:
    assert [pronounce(word) for word in ("shane", "phix", "zorka", "queel")] == ["ʃˈAn", "fˈɪks", "zˈɔɹkə", "kwˈil"]


def test_every_sound_is_known_to_the_lips() -> None:
    known = set("".join(VISEMES))
    for word in [*LEXICON, "kaelith", "boys", "judge", "vision", "thing", "Xinglan"]:
        for phone in English(LEXICON).phones(word):
            assert set(phone.ipa.replace("ʰ", "")) <= known, (word, phone)


def test_an_empty_text_is_nothing() -> None:
    assert English(LEXICON).phones("") == []


@pytest.mark.parametrize("word", ["'", "''", "s'", "a'b'c", "x" * 24, "I'd've"])
def test_odd_words_do_no_harm(word: str) -> None:
    assert len(English(LEXICON).phones(word)) < 60
