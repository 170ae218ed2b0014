"""From written text to what is said: phrases of runs, each run in one language, without anything unspeakable."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Run:
    """Words of one language. zh: Hanzi only. en: Latin words, spaces and apostrophes."""

    language: Language
    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is said in one breath, and how it ends."""

    runs: tuple[Run, ...]
    mark: str
    """One of `,` `.` `?` `!` `…`, or empty when the text just ends."""


def phrases(text: str) -> list[Phrase]:
    """The phrases of a text; none when there is nothing to say in it."""
    text = unicodedata.normalize("NFKC", text)
    found = []
    for words, mark in re.findall(r"([^,.?!;:，。？！；：、…\n]*)([,.?!;:，。？！；：、…\n]*)", text):
        runs = tuple(
            Run("zh" if part[0] >= "㐀" else "en", part.strip())
            for part in re.findall(r"[㐀-鿿]+|[A-Za-z][A-Za-z' ]*", words)
        )
        if runs:
            found.append(Phrase(runs, {"，": ",", "。": ".", "？": "?", "！": "!", "、": ","}.get(mark[:1], mark[:1])))
    return found
