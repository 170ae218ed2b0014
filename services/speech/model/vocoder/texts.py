"""What the teacher says for training and testing: natural sentences of the persona, and random words.

One sentence in eight is kept for testing, chosen by its hash, so the choice stays when sentences are added.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from services.places import ROOT
from services.speech.model.letters.words import WORDS
from services.speech.natural.english import English
from services.speech.natural.files import ENGLISH, SYMBOLS
from services.speech.natural.phones import SPACE, Phone
from services.speech.natural.reading import Reader
from services.speech.text import phrases

Symbols = Callable[[str, str], Sequence[int]]
"""A text and its language → numbers of the network's symbols, without the pads."""
Words = NDArray[np.str_]
"""An array: to draw from a list makes one of it each time, of all its words."""

PERSONA = ROOT / "services" / "chat" / "persona"
LANGUAGES = ("zh", "en")
TEST_SHARE = 8
"""One sentence in so many is for testing."""
MIXED_SENTENCES = 0.4
"""Share of mixed texts whose other part is a whole sentence."""
LONG = {"zh": 26, "en": 75}
"""Characters from which a text is long enough: silence at its ends costs the teacher as much as speech."""
RANDOM_SHARE = 0.25
"""Share of texts that are random words: rare sounds come from them."""
ANY_SHARE = 0.5
"""Share of these whose words are any of the language's, and not of her sentences: all sounds come from them."""

_HANZI = re.compile(r"[\u4e00-\u9fff]")
_FOREIGN = {"zh": re.compile(r"[A-Za-z0-9{}]"), "en": re.compile(r"[^\x20-\x7e’]|[0-9{}<>@#^*_]")}


def reading(folder: Path) -> Symbols:
    """Reads texts. `folder`: the natural voice's files."""
    lexicon, numbers = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (ENGLISH, SYMBOLS))
    reader = Reader(English(lexicon), numbers)

    def symbols(text: str, language: str) -> Sequence[int]:  # noqa: ARG001 (the reader knows by the letters)
        found: list[Phone] = []
        parts = phrases(text)
        for number, phrase in enumerate(parts, 1):
            found += [*reader.phones(phrase, ends=number == len(parts)), SPACE]
        return reader.tokens(found[:-1])[1:-1]

    return symbols


def held_out(text: str) -> bool:
    """Whether a sentence is for testing only."""
    return hashlib.sha256(text.encode()).digest()[0] % TEST_SHARE == 0


@lru_cache(maxsize=2)
def sentences(language: str) -> tuple[str, ...]:
    """Every text of the persona in one language and without digits, names to fill in or foreign letters; sorted."""
    found: set[str] = set()
    for file in sorted(PERSONA.glob("*/*.yaml")):
        _collect(yaml.safe_load(file.read_text(encoding="utf-8")), language, found)
    return tuple(sorted(text for text in found if len(text) > 2 and not _FOREIGN[language].search(text)))


def unseen_sentences(language: str, count: int) -> list[str]:
    """`count` sentences that training never sees, of a spoken answer's length; the same ones every time."""
    least, most = (10, 40) if language == "zh" else (35, 110)
    fit = [text for text in sentences(language) if held_out(text) and least <= len(text) <= most]
    return sorted(fit, key=lambda text: hashlib.sha256(text.encode()).hexdigest())[:count]


def training_text(language: str, random: np.random.Generator, *, random_share: float = RANDOM_SHARE) -> str:
    """One text of some seconds: sentences one after another, or random words, so often."""
    seen = _seen(language)
    chosen: list[str] = []
    join = "" if language == "zh" else " "
    if random.random() < random_share:
        words = _any_words(language) if random.random() < ANY_SHARE else _words(language)
        comma, stop = ("，", "。") if language == "zh" else (", ", ".")
        parts = [join.join(random.choice(words, 4)) for _ in range(4)]
        return comma.join(parts) + stop
    while sum(map(len, chosen)) < LONG[language]:
        text = seen[random.integers(len(seen))]
        chosen.append(text if text[-1] in "。！？.!?" else text + ("。" if language == "zh" else "."))
    return join.join(chosen)


def mixed_text(text: str, language: str, random: np.random.Generator) -> str:
    """The text with some words of the other language in it, or a sentence of it behind."""
    other = "en" if language == "zh" else "zh"
    if random.random() < MIXED_SENTENCES:
        seen = _seen(other)
        return f"{text} {seen[random.integers(len(seen))]}"
    words = _words(other)
    for _ in range(int(random.integers(1, 3))):
        places = [place for place, sign in enumerate(text) if sign == " " or _HANZI.match(sign)]
        if places:
            at = int(random.choice(places))
            text = f"{text[:at]} {random.choice(words)} {text[at:]}"
    return text


@lru_cache(maxsize=2)
def _seen(language: str) -> tuple[str, ...]:
    return tuple(text for text in sentences(language) if not held_out(text))


@lru_cache(maxsize=2)
def _words(language: str) -> Words:
    """Words of the training sentences, each once. Mandarin: pairs of neighbouring characters."""
    texts = _seen(language)
    if language == "en":
        return np.array(sorted({word for text in texts for word in re.findall(r"[a-z']{2,}", text.lower())}))
    return np.array(sorted({a + b for text in texts for a, b in pairwise(text) if _both_hanzi(a, b)}))


@lru_cache(maxsize=2)
def _any_words(language: str) -> Words:
    """Words of the language, each once. Mandarin: single characters, the 3,755 of GB 2312's first level, whose rows lie
    by pinyin; four in a row are a word that nobody ever said.
    """
    if language == "en":
        listed = json.loads(WORDS.read_text(encoding="utf-8"))
        return np.array(sorted({word for word in listed if re.fullmatch(r"[a-z]{2,12}", word)}))
    rows = (bytes((row, place)) for row in range(0xB0, 0xD8) for place in range(0xA1, 0xFF))
    return np.array([sign for sign in (code.decode("gb2312", errors="ignore") for code in rows) if sign])


def _both_hanzi(a: str, b: str) -> bool:
    return bool(_HANZI.match(a) and _HANZI.match(b))


def _collect(node: Any, language: str, found: set[str]) -> None:
    """Adds the strings below every key that is the language's name."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == language:
                found.update(text for text in _strings(value))
            else:
                _collect(value, language, found)
    elif isinstance(node, list):
        for value in node:
            _collect(value, language, found)


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node.strip()
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)
