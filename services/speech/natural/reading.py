"""Phrases as the network's symbols: Mandarin and English, also in one breath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from services.speech.mandarin import Syllable, words
from services.speech.natural.encoder import PAD
from services.speech.natural.english import English
from services.speech.natural.phones import SPACE, Phone
from services.speech.natural.pinyin import phones
from services.speech.text import Language, Phrase, Run

GOES_ON, ENDS = ",", "."
"""The mark of a phrase without one, before another phrase and at the end."""


class Reader:
    """Reads what `services.speech.text.phrases` finds."""

    def __init__(self, english: English, symbols: Mapping[str, int]) -> None:
        """`symbols`: the number of each."""
        self._english = english
        self._symbols = symbols

    def phones(self, phrase: Phrase, *, ends: bool) -> list[Phone]:
        """The phrase's sounds and its mark at the end. `ends`: the turn ends with it.

        Only the mark comes of a phrase of which nothing can be read.
        """
        found: list[Phone] = []
        for language, of in groupby(phrase.runs, key=lambda run: run.language):
            runs = list(of)
            if language == "zh":
                said = phones(*_words(runs, only=any(run.emphasis for run in phrase.runs)))
            else:
                text = " ".join(run.text for run in runs)
                marked = [run.emphasis for run in runs for _ in run.text.split()]
                stand_out = {number for number, one in enumerate(marked) if one}
                said = self._english.phones(text, ends_phrase=runs[-1] is phrase.runs[-1], emphasis=stand_out)
            found += [SPACE, *said] if found and said else said
        return [*found, Phone(phrase.mark or (ENDS if ends else GOES_ON), "")]

    def tokens(self, phones: Sequence[Phone]) -> list[int]:
        """Their numbers, with PAD at both ends. A symbol that the network does not have counts as a space."""
        space = self._symbols[SPACE.symbols]
        return [PAD, *(self._symbols.get(symbol, space) for phone in phones for symbol in phone.symbols), PAD]


def _words(runs: Sequence[Run], *, only: bool) -> tuple[list[list[Syllable]], set[int]]:
    """The words of Hanzi, and the numbers of those that stand out. `only`: nothing else carries the phrase's focus."""
    found: list[list[Syllable]] = []
    stand_out: set[int] = set()
    for run in runs:
        for word in words(run.text):
            if run.emphasis:
                stand_out.add(len(found))
            found.append([replace(one, focus=one.focus and (run.emphasis or not only)) for one in word])
    return found, stand_out


def language(phrase: Phrase) -> Language:
    """The language of most of the phrase: a Hanzi weighs as much as half an English word."""
    weights = {"zh": 0.0, "en": 0.0}
    for run in phrase.runs:
        weights[run.language] += len(run.text) / 2 if run.language == "zh" else run.text.count(" ") + 1
    return "zh" if weights["zh"] >= weights["en"] else "en"
