"""Finds what a viewer means: which of the persona's intents, or honestly none.

Kernel ridge regression on the persona's examples, one-hot targets: the kernel is the squared cosine of two sentences'
meanings (negative ones count as 0) plus a little of the cosine of their letters and syllables, for slips and
homophones; all of it is less between a sentence about "you" and one that is not, likewise with "I". Each of these is
positive definite, and so is their product. What nothing of hers answers is a class like the intents, with examples of
its own. It reads shared phrases ("what's your favourite …") for what they are, where the nearest example would be
fooled.
https://web.stanford.edu/~hastie/ElemStatLearn/ §5.8

The numbers below are chosen by cross-validation on the examples (half learnt from, half asked; FITS, MARGIN and GRAVE
by leaving one out), on the two sets of paraphrases in tests/unit/chat and on the development questions beside her
network. The optimum is flat: LETTERS from 0.1 to 0.35 and RIDGE from 0.04 to 0.16 change the share of right first
places by less than 0.01.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.chat.grams import Grams
from services.chat.meaning import KEPT, Meaning, unpacked
from services.chat.person import KINDS, person
from services.chat.persona import Language, Persona
from services.core import folding
from services.core.folding import plain
from services.speech.tables import SLANG_EN, SLANG_ZH

Floats = NDArray[np.float32]
Numbers = NDArray[np.uint8]

LETTERS = 0.2
"""Share of spelling and sound in the kernel."""
RIDGE = 0.06
OTHER_PERSON = 0.8
"""Two sentences of which only one speaks of her are by so much less alike; likewise of the speaker."""
FITS, MARGIN = 0.15, 0.04
"""She answers when the best intent reaches FITS and is better than the next one by MARGIN."""
GRAVE = 0.05
"""A cry for help wins also against what is better by less than this: it is worse to miss than to see wrongly."""
UNANSWERABLE = "fallback"
"""Stands in for an intent where the examples of what nothing answers come first."""
_SAME_PERSON: Floats = np.array(
    [[OTHER_PERSON ** (one ^ other).bit_count() for other in range(KINDS)] for one in range(KINDS)], np.float32
)
_ADDRESS = re.compile(r"^(?:@\S+|主播|lydia|澜澜|星澜|小姐姐|姐姐|宝宝)[\s，,:：!！~]*(?=\S{2})", re.IGNORECASE)
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_HAN = re.compile(r"[\u3400-\u9fff]")
_NAMES = re.compile(r"@\S+|澜澜|星澜")
_INITIALS = "|".join(sorted(SLANG_ZH.keys() - SLANG_EN.keys() - {"wow", "bb", "xs"}))
_CHINESE_INITIALS = re.compile(rf"(?<![a-z])(?:h{{2,}}|e+m{{2,}}|{_INITIALS})+(?![a-z])", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*", re.IGNORECASE)
_ASKS_IN_ENGLISH = re.compile(
    r"\W*(?:who|what|where|when|why|how|do|does|did|are|is|can|could|will|tell|say|have|i|my|you)\b"
    r"(?!.*[吗呢吧了是你我他她不在么谁哪怎有的])",
    re.IGNORECASE,
)


def language(text: str) -> Language:
    """The language to answer in: that of most words, where each Hanzi counts as one; English also where only what is
    asked about is Chinese: who is 林教授.
    """
    text = _CHINESE_INITIALS.sub("", _NAMES.sub("", text))
    words = len(_WORD.findall(text))
    return "en" if words > len(_HAN.findall(text)) or (words and _ASKS_IN_ENGLISH.match(text)) else "zh"


def has_words(text: str) -> bool:
    """Whether it tells a language at all: figures, marks and pictures do not."""
    return bool(_WORD.search(text) or _HAN.search(text))


@dataclass(frozen=True, slots=True)
class Match:
    """The best intent for a text, or UNANSWERABLE. `score` and `margin` (over the next) are roughly 0 to 1."""

    intent: str
    score: float
    margin: float

    @property
    def fits(self) -> bool:
        """Whether she may answer with it."""
        return self.intent != UNANSWERABLE and self.score >= FITS and self.margin >= MARGIN


@dataclass(frozen=True, slots=True)
class _Fit:
    """What is known of the examples: who speaks of whom, their centred meanings, what was taken off them by language,
    their grams, and what each says for each intent, [examples, intents].
    """

    persons: Numbers
    vectors: Floats
    means: Floats
    grams: Grams
    coefficients: Floats


class Retrieval:
    """The persona's examples, ready to be searched. Safe to use from several threads."""

    def __init__(self, persona: Persona, meaning: Meaning, fitted: Path | None = None) -> None:
        """`fitted` is a folder that keeps what was fitted; fitting takes about a minute."""
        self._meaning = meaning
        self._intents = [*sorted(persona.intents), UNANSWERABLE]
        self._grave = {intent.name for intent in persona.intents.values() if intent.grave}
        self._fit = self._kept(persona, fitted)

    def __len__(self) -> int:
        return len(self._intents) - 1

    def find(self, text: str) -> Match:
        """The best intent; about 20 ms on one core, so not for an event loop's thread."""
        text, fit = normal(text), self._fit
        meaning = np.maximum(fit.vectors @ _unit(self._meaning.of_one(text) - fit.means[_tongue(text)]), 0)
        alike = (meaning**2 + LETTERS * fit.grams.similar(text)) * _SAME_PERSON[person(text)][fit.persons]
        scores = alike @ fit.coefficients
        first, second = sorted(np.argpartition(scores, -2)[-2:], key=lambda intent: -scores[intent])
        found, margin = self._intents[first], float(scores[first] - scores[second])
        if margin < GRAVE and (grave := self._grave.intersection((found, self._intents[second]))):
            found, margin = min(grave), max(margin, MARGIN)
        return Match(found, float(scores[first]), margin)

    def _kept(self, persona: Persona, folder: Path | None) -> _Fit:
        """What the same code fitted to the same persona before, or a new fit."""
        if folder is None:
            return self._fitted(persona)
        path = folder / f"intents-{_version(persona)}.npz"
        try:
            with np.load(path) as kept:
                vectors, means = _centred(unpacked(kept["meanings"]), kept["tongues"])
                coefficients = kept["coefficients"].astype(np.float32)
                return _Fit(kept["persons"], vectors, means, Grams.kept(kept), coefficients)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            fit = self._fitted(persona)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("intents-*"):
            old.unlink()
        partial = path.with_suffix(".partial.npz")
        texts = example_texts(persona)
        arrays = {"meanings": self._meaning.packed(texts), "tongues": _tongues(texts), **fit.grams.arrays()}
        arrays |= {"persons": fit.persons, "coefficients": fit.coefficients.astype(np.float16)}
        np.savez(partial, **arrays)  # type: ignore[arg-type]
        partial.replace(path)
        return fit

    def _fitted(self, persona: Persona) -> _Fit:
        from scipy.linalg import cho_factor, cho_solve  # of the build's packages: set-up fits, a start finds it done

        numbers = {name: number for number, name in enumerate(self._intents)}
        owner = np.array([numbers[name] for name, _ in _examples(persona)])
        texts = example_texts(persona)
        persons = np.array([person(text) for text in texts], np.uint8)
        vectors, means = _centred(unpacked(self._meaning.packed(texts)), _tongues(texts))
        grams = Grams.of(texts)
        kernel = vectors @ vectors.T  # more than a gigabyte: what follows happens in its place
        np.maximum(kernel, 0, out=kernel)
        np.square(kernel, out=kernel)
        for rows, columns, products in grams.among_examples():
            kernel[np.ix_(rows, columns)] += LETTERS * products
        for row, one in zip(kernel, persons, strict=True):
            row *= _SAME_PERSON[one][persons]
        kernel[np.diag_indices_from(kernel)] += RIDGE
        targets = np.zeros((len(owner), len(self._intents)), np.float32)
        targets[np.arange(len(owner)), owner] = 1
        factor = cho_factor(kernel.T, lower=True, overwrite_a=True, check_finite=False)
        fitted = cho_solve(factor, targets, overwrite_b=True, check_finite=False)
        return _Fit(persons, vectors, means, grams, fitted.astype(np.float32))


def _version(persona: Persona) -> str:
    """Changes with whatever a fit comes from: the persona, the meanings of its examples, and the code."""
    here = Path(__file__)
    version = hashlib.sha256(persona.version.encode())
    for path in (
        KEPT,
        here,
        here.with_name("grams.py"),
        here.with_name("meaning.py"),
        here.with_name("person.py"),
        Path(folding.__file__),
    ):
        version.update(path.read_bytes())
    return version.hexdigest()[:16]


def example_texts(persona: Persona) -> list[str]:
    """All examples, as they are compared."""
    return [normal(example) for _, example in _examples(persona)]


def _examples(persona: Persona) -> list[tuple[str, str]]:
    """Intent and example."""
    answerable = [
        (intent.name, example)
        for intent in persona.intents.values()
        for examples in intent.examples.values()
        for example in examples
    ]
    return [*answerable, *((UNANSWERABLE, example) for example in persona.unanswerable)]


def normal(text: str) -> str:
    """A text as it is compared: without address, drawn-out signs and odd spellings."""
    text = _DRAWN_OUT.sub(r"\1\1", " ".join(plain(text).split()))
    return _ADDRESS.sub("", text) or text


def _tongue(text: str) -> int:
    return int(language(text) == "en")


def _tongues(texts: Sequence[str]) -> Numbers:
    return np.array([_tongue(text) for text in texts], np.uint8)


def _centred(vectors: Floats, tongues: Numbers) -> tuple[Floats, Floats]:
    """Without the mean of their language, which is also given, [2, 384]: what all its sentences share says nothing, and
    so examples in one language speak for the other as well.
    """
    means = np.stack([vectors[tongues == tongue].mean(0) for tongue in (0, 1)])
    return _unit(vectors - means[tongues]), means


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Floats = vectors / np.maximum(length, 1e-9)
    return unit


def main() -> None:
    """Builds the sentence embedding and fits the persona's examples, so that the next start finds it done."""
    from services.chat.e5.embedding import build
    from services.chat.persona import load
    from services.places import FITTED

    build(FITTED)

    retrieval = Retrieval(load(), Meaning(), FITTED)
    print(f"{len(retrieval)} intents understood")


if __name__ == "__main__":
    main()
