"""Symbols of speech become what mouths do."""

from __future__ import annotations

import pytest

from services.motion.visemes import ARTICULATORS, VISEMES, Kind, visemes

JAW, PUCKER, FUNNEL, SPREAD = range(4)


@pytest.mark.parametrize(
    ("kind", "symbols"),
    [
        (Kind.CLOSURE, "p b m pʰ ph m̩"),
        (Kind.TOUCH, "f v"),
        (Kind.HISS, "s z ts tsʰ tsh ʂ ʐ ʈʂ ʈʂʰ s. ts. ts.h ɕ tɕ tɕʰ tɕh ʃ ʒ tʃ dʒ t͡s"),
        (Kind.FREE, "t d n l ɾ k ɡ g ŋ h x χ tʰ kʰ w j ɥ ɹ θ ð ʔ ŋ-"),
        (Kind.VOWEL, "a ɑ æ ə ɛ e i iː ɪ y u uː o ɔ ɤ o- ɚ ɿ ʅ i. i̪ ai ɑu iou uei aɪ oʊ ʊŋ yɛ əl"),
        (Kind.PAUSE, [""]),
    ],
)
def test_every_symbol_begins_as_its_kind(kind: Kind, symbols: str | list[str]) -> None:
    for symbol in symbols.split() if isinstance(symbols, str) else symbols:
        assert visemes(symbol)[0][0].kind is kind, symbol


def test_the_parts_of_a_symbol_share_its_time() -> None:
    for symbol in [*VISEMES, "iou", "aɪɚ", "ʈʂʰ", "ʊŋ", "?!", ""]:
        parts = visemes(symbol)
        assert sum(share for _, share in parts) == pytest.approx(1)
        assert all(share > 0 for _, share in parts)


def test_a_diphthong_goes_from_open_to_round() -> None:
    (first, _), (second, _) = visemes("ɑu")
    assert first.target[JAW] > second.target[JAW] + 0.3
    assert second.target[PUCKER] > 0.5


def test_an_aspirate_opens_after_its_closure() -> None:
    assert [part.kind for part, _ in visemes("pʰ")] == [Kind.CLOSURE, Kind.FREE]


def test_rounded_and_spread_vowels_differ() -> None:
    for symbol in "u y o w":
        if symbol != " ":
            assert visemes(symbol)[0][0].target[PUCKER] > 0.4
    for symbol in "i e ɛ":
        if symbol != " ":
            assert visemes(symbol)[0][0].target[SPREAD] > 0.25


def test_letters_outside_the_table_stand_for_the_plain_ones_in_their_names() -> None:
    assert visemes("ʛ") == visemes("g")
    assert visemes("ḿ")[0][0].kind is Kind.CLOSURE
    assert visemes("ᵬ")[0][0].kind is Kind.CLOSURE


def test_what_cannot_be_read_is_a_weak_vowel() -> None:
    assert visemes("☃") == visemes("ə")


def test_targets_are_within_range_and_strengths_above_zero() -> None:
    for symbol, viseme in VISEMES.items():
        assert len(viseme.target) == len(ARTICULATORS)
        assert all(0 <= value <= 1 for value in viseme.target), symbol
        assert all(value > 0 for value in viseme.strength), symbol
