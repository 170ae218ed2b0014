"""Her own reading of English words: a short list, and their letters for all the others."""

from __future__ import annotations

import numpy as np
import pytest

from services.speech.model.letters.evaluate import wrong
from services.speech.model.letters.letters import NOTHING, SOUNDS, heard, sounds_of
from services.speech.model.letters.words import Known, OwnWords, english, exceptions, known_of, packed
from services.speech.natural.english import English, Entry

LEXICON: dict[str, Entry] = {
    "A": "ˈA", "cat": "kˈæt", "dog": "dˈɔɡ", "cow": "kˈW", "live": {"DEFAULT": "lˈIv", "VERB": "lˈɪv"},
    "don't": "dˈOnt", "two words": "tˈu",
}  # fmt: skip
BY_LETTERS = {"cat": "kˈæt", "dog": "dˈɑɡ", "cow": "kˈO", "zorp": "zˈɔɹp"}


def letters(word: str) -> str:
    return BY_LETTERS.get(word, "")


def own(*known: str, listed: dict[str, Entry] | None = None) -> English:
    return english(letters, listed or {}, Known.of(known))


def read(text: str, reader: English) -> str:
    return "".join(phone.symbols for phone in reader.phones(text))


def listed(common: list[str], room: int) -> dict[str, Entry]:
    return exceptions(LEXICON, letters, known_of(LEXICON), common, room)


def test_repeated_slots_are_one_sound_and_nothing_keeps_two_apart() -> None:
    k, s = SOUNDS.index("k"), SOUNDS.index("s")
    assert heard([k, k, NOTHING, s, NOTHING, s, s]) == "kss"


def test_a_stressed_vowel_is_a_sound_of_its_own() -> None:
    assert [SOUNDS[number] for number in sounds_of("həlˈO") or []] == ["h", "ə", "l", "ˈO"]
    assert sounds_of("h€") is None


def test_the_list_wins_over_the_letters() -> None:
    assert read("cat dog zorp", own("cat", "dog", listed={"dog": "dˈɔɡ"})) == "kˈæt dˈɔɡ zˈɔɹp"


@pytest.mark.parametrize(("word", "said"), [("zorp's", "zˈɔɹps"), ("Zorped", "zˈɔɹpt"), ("catzorps", "kˈætzˌɔɹps")])
def test_endings_and_compounds_are_made_of_known_words(word: str, said: str) -> None:
    assert read(word, own("zorp", "cat")) == said


def test_a_chinese_name_is_read_as_pinyin_and_what_the_letters_say_nothing_of_by_rules() -> None:
    assert read("Xiaoming", own()).startswith("ɕ")
    assert read("mip", own()) == "mˈɪp"


def test_what_is_not_all_letters_is_never_said_by_its_letters() -> None:
    full = Known(np.full(4, 255, np.uint8))  # takes everything for a word
    words = OwnWords({"don't": "dˈOnt"}, full, lambda word: word)
    assert [words.get(word) for word in ("don't", "it's", "é", "", "zorp")] == ["dˈOnt", None, None, None, "zorp"]


def test_it_knows_every_word_and_takes_few_others_for_one() -> None:
    words = [f"word{number}" for number in range(5_000)]
    known = Known.of(words)
    assert all(word in known for word in words)
    assert sum(f"other{number}" in known for number in range(5_000)) < 100
    assert len(known.bits) * 8 <= 10 * len(words) + 8


def test_the_list_has_what_would_be_said_wrongly_and_what_has_several_forms() -> None:
    assert set(listed(["cow"], 10_000)) == {"A", "dog", "cow", "live", "don't"}


def test_where_there_is_little_room_the_commonest_words_come_first() -> None:
    fitting = {word: LEXICON[word] for word in ("A", "live", "cow")}
    room = len(packed(fitting))
    assert listed(["cow", "dog"], room) == fitting
    assert set(listed(["cow", "dog"], room - 1)) == {"A", "live"}


def test_a_wrong_stress_is_a_wrong_sound_and_told_apart() -> None:
    found = wrong({"a": "kˈæt", "b": "dˈɔɡ"}, {"a": "kæt", "b": "dˈɔɡz"}.__getitem__)
    assert found.sounds == pytest.approx(2 / 6)
    assert found.sounds_but_for_stress == pytest.approx(1 / 6)
    assert (found.words, found.words_but_for_stress) == (1, 0.5)
