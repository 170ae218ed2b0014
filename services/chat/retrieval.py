"""Finds what a viewer means: which of the persona's intents, or honestly none.

Three views of the text are compared with every example: its meaning (a multilingual sentence embedding), its characters
(for names and slips), its sound in pinyin (for homophones). An intent is taken when it fits well, and clearly better
than the next one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pypinyin import lazy_pinyin

from services.chat.meaning import Meaning
from services.chat.persona import Language, Persona
from services.core.folding import plain

Floats = NDArray[np.float32]

MEANING, SPELLING, SOUND = 0.62, 0.26, 0.12
"""Shares of the three views in a score."""
FITS, FITS_WELL = 0.36, 0.58
"""A best intent below FITS is no answer; from FITS_WELL on it is one however close the next comes."""
MARGIN = 0.03
"""How much better than the next intent the best one must be in between."""
_ADDRESS = re.compile(r"^(?:@\S+|主播|lydia|澜澜|星澜|小姐姐|姐姐|宝宝)[\s，,:：!！~]*(?=\S{2})", re.IGNORECASE)
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_HAN = re.compile(r"[\u3400-\u9fff]")


def language(text: str) -> Language:
    """The language to answer in: Chinese as soon as a fifth of the letters are Hanzi."""
    han = len(_HAN.findall(text))
    return (
        "zh" if han * 4 >= len(re.findall(r"[a-zA-Z]", text)) and han else "en" if re.search("[a-zA-Z]", text) else "zh"
    )


@dataclass(frozen=True, slots=True)
class Match:
    """The best intent for a text. `score` and `margin` (over the next intent) are roughly 0 to 1."""

    intent: str
    score: float
    margin: float

    @property
    def fits(self) -> bool:
        """Whether she may answer with it."""
        return self.score >= FITS_WELL or (self.score >= FITS and self.margin >= MARGIN)


class Retrieval:
    """The persona's examples, ready to be searched. Safe to use from several threads."""

    def __init__(self, persona: Persona, meaning: Meaning) -> None:
        self._meaning = meaning
        pairs = _examples(persona)
        self._intents = sorted(persona.intents)
        numbers = {name: number for number, name in enumerate(self._intents)}
        self._owner = np.array([numbers[name] for name, _ in pairs])
        texts = [normal(example) for _, example in pairs]
        vectors = meaning.of_examples(texts)
        self._mean = vectors.mean(0)
        self._vectors = _unit(vectors - self._mean)
        self._spelling = _Grams([_letters(text) for text in texts])
        self._sound = _Grams([_syllables(text) for text in texts])

    def find(self, text: str) -> Match:
        """The best intent; about 20 ms on one core, so not for an event loop's thread."""
        text = normal(text)
        meaning = self._vectors @ _unit(self._meaning.of([text])[0] - self._mean)
        scores = MEANING * meaning + SPELLING * self._spelling.similar(_letters(text))
        scores += SOUND * self._sound.similar(_syllables(text))
        best = np.full(len(self._intents), -1.0)
        np.maximum.at(best, self._owner, scores)
        first, second = np.argsort(-best)[:2]
        return Match(self._intents[first], float(best[first]), float(best[first] - best[second]))


def example_texts(persona: Persona) -> list[str]:
    """All examples, as they are compared."""
    return [normal(example) for _, example in _examples(persona)]


def _examples(persona: Persona) -> list[tuple[str, str]]:
    """Intent and example."""
    return [
        (intent.name, example)
        for intent in persona.intents.values()
        for examples in intent.examples.values()
        for example in examples
    ]


def normal(text: str) -> str:
    """A text as it is compared: without address, drawn-out signs and odd spellings."""
    text = _DRAWN_OUT.sub(r"\1\1", " ".join(plain(text).split()))
    return _ADDRESS.sub("", text) or text


class _Grams:
    """Weighted n-grams of the examples, as cosine similarities."""

    def __init__(self, documents: Sequence[Counter[str]]) -> None:
        found = Counter(gram for document in documents for gram in document)
        self._place = {gram: place for place, gram in enumerate(found)}
        self._weight = np.log((1 + len(documents)) / (1 + np.array(list(found.values())))).astype(np.float32) + 1
        self._unknown = float(np.log(1 + len(documents))) + 1
        self._rows = np.stack([self._row(document) for document in documents])

    def similar(self, grams: Counter[str]) -> Floats:
        """Cosine of the grams to each document, 0 to 1."""
        similar: Floats = self._rows @ self._row(grams)
        return similar

    def _row(self, grams: Counter[str]) -> Floats:
        row = np.zeros(len(self._place), np.float32)
        stranger = 0.0
        for gram, count in grams.items():
            if gram in self._place:
                row[self._place[gram]] = self._weight[self._place[gram]] * np.sqrt(count)
            else:
                stranger += self._unknown**2 * count
        length = float(np.sqrt(row @ row + stranger))
        return row / length if length else row


def _letters(text: str) -> Counter[str]:
    """Hanzi one by one and in pairs, other words whole and in threes."""
    grams: Counter[str] = Counter()
    for run in re.findall(r"[\u3400-\u9fff]+|[a-z0-9']+", text):
        if _HAN.match(run):
            grams.update(run)
            grams.update(run[i : i + 2] for i in range(len(run) - 1))
        else:
            grams.update([run])
            grams.update(f"·{run}·"[i : i + 3] for i in range(len(run)))
    return grams


def _syllables(text: str) -> Counter[str]:
    """Pinyin syllables without tones in pairs; words of other languages as they are."""
    syllables = [part for part in lazy_pinyin(text) if part.strip()]
    return Counter(_pairs(syllables))


def _pairs(parts: Sequence[str]) -> Iterable[str]:
    if len(parts) < 2:
        return parts
    return [f"{left} {right}" for left, right in pairwise(parts)]


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Floats = vectors / np.maximum(length, 1e-9)
    return unit
