"""Phonemes begin and end where one hears them, also where espeak-ng says otherwise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.speech.espeak.phonemes import IPA, Sounding, stressed, timed
from services.speech.mandarin import Syllable

RATE = 10_000


def sound(*parts: tuple[int, float]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """So many samples of such a level, one part after another."""
    return np.concatenate([np.full(samples, level, np.float32) for samples, level in parts])


def spans(found: list[Sounding]) -> list[tuple[str, int, int]]:
    return [(sounding.ipa, sounding.start, sounding.end) for sounding in found]


def test_the_silence_before_a_stop_belongs_to_the_stop() -> None:
    heard = sound((1_000, 0.5), (450, 0.0), (300, 0.2), (1_000, 0.5))
    found = timed([("'A:", 0), ("p", 1_450), ("i", 1_750), ("_:", 2_750)], heard, RATE, mandarin=False)
    assert spans(found) == [("ɑː", 0, 1_000), ("p", 1_000, 1_750), ("i", 1_750, 2_750)]


def test_a_voiced_sound_without_silence_before_it_stays_where_it_is() -> None:
    heard = sound((1_000, 0.5), (600, 0.1), (1_000, 0.5))
    found = timed([("A:", 0), ("b", 1_000), ("i", 1_600)], heard, RATE, mandarin=False)
    assert spans(found)[1] == ("b", 1_000, 1_600)


def test_a_closure_takes_only_the_end_of_a_long_pause() -> None:
    heard = sound((1_000, 0.5), (3_000, 0.0), (300, 0.2), (1_000, 0.5))
    found = timed([("A:", 0), ("_:", 1_000), ("p", 4_000), ("i", 4_300)], heard, RATE, mandarin=False)
    assert spans(found) == [("ɑː", 0, 1_000), ("", 1_000, 3_300), ("p", 3_300, 4_300), ("i", 4_300, 5_300)]


def test_a_first_stop_has_its_closure_too() -> None:
    heard = sound((400, 0.0), (300, 0.2), (1_000, 0.5))
    found = timed([("p", 400), ("i", 700)], heard, RATE, mandarin=False)
    assert spans(found) == [("p", 0, 700), ("i", 700, 1_700)]


def test_pauses_around_a_run_are_left_out_and_those_within_are_one() -> None:
    heard = sound((100, 0.0), (500, 0.5), (200, 0.0), (500, 0.5), (900, 0.0))
    events = [("_:", 0), ("i", 100), ("_|", 600), ("_", 700), ("i", 800), ("_:", 1_300), ("_", 2_000)]
    assert spans(timed(events, heard, RATE, mandarin=False)) == [("i", 100, 600), ("", 600, 800), ("i", 800, 1_300)]


def test_marks_of_stress_and_of_language_are_no_sounds() -> None:
    heard = sound((3_000, 0.5))
    events = [("(en)", 0), ("'V", 10), (",i:", 1_000), ("a", 2_000), ("(cmn)", 3_000)]
    found = timed(events, heard, RATE, mandarin=False)
    assert [(s.ipa, s.stress) for s in found] == [("ʌ", 2), ("iː", 1), ("æ", 0)]


def test_a_name_of_both_languages_is_read_in_its_own() -> None:
    heard = sound((100, 0.5))
    assert timed([("a", 0)], heard, RATE, mandarin=True)[0].ipa == "a"
    assert timed([("a", 0)], heard, RATE, mandarin=False)[0].ipa == "æ"


def test_a_sound_with_an_unknown_name_is_still_a_sound() -> None:
    assert timed([("Q^", 0)], sound((100, 0.5)), RATE, mandarin=False)[0].ipa == "ə"


@pytest.mark.parametrize("events", [[], [("_:", 0)], [("", 5)]])
def test_nothing_spoken_has_no_phonemes(events: list[tuple[str, int]]) -> None:
    assert timed(events, sound((100, 0.0)), RATE, mandarin=False) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*IPA, "_:", "_|", "'i"]), st.integers(0, 900), st.sampled_from([0.0, 0.5]))))
def test_whatever_comes_there_are_no_gaps_and_no_empty_phonemes(parts: list[tuple[str, int, float]]) -> None:
    starts = np.cumsum([0, *(samples for _, samples, _ in parts)])
    heard = sound((0, 0.0), *((samples, level) for _, samples, level in parts))
    events = [(name, int(start)) for (name, _, _), start in zip(parts, starts, strict=False)]
    found = timed(events, heard, RATE, mandarin=True)
    assert all(s.start < s.end for s in found)
    assert all(a.end == b.start for a, b in pairwise(found))
    assert not found or (found[0].ipa and found[-1].ipa)


def test_stress_of_mandarin_follows_tone_and_focus() -> None:
    found = [Sounding(ipa, index, index + 1, 2) for index, ipa in enumerate(("m", "ɑ", "m", "ɑ", "x", "ɑu"))]
    syllables = [Syllable("ma", 1, focus=False), Syllable("ma", 5, focus=False), Syllable("hao", 3, focus=True)]
    assert [s.stress for s in stressed(found, syllables)] == [0, 1, 0, 0, 0, 2]


def test_syllables_that_do_not_match_the_sound_leave_every_vowel_plain() -> None:
    found = [Sounding("ɑ", 0, 1, 2), Sounding("ɑ", 1, 2, 0)]
    assert [s.stress for s in stressed(found, [Syllable("ma", 1, focus=True)])] == [1, 1]
