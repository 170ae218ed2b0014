"""What lips, jaw and tongue do for a sound, from its IPA symbol.

The table covers the symbols of Mandarin and English, in the usual notation and in espeak-ng's (`s.` for ʂ, `i.` and
`i̪` for the vowels of 是 and 四, `o-` for ɤ, `tɕh` for aspirates); a symbol of several sounds (`iou`, `ɔːɹ`, `əl`, `ph`)
is taken apart. Any other letter stands for the plain one in its Unicode name (ʙ is a small capital B).
Values follow the usual viseme sets, tuned for lips that neither flap nor freeze.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

ARTICULATORS = ("jaw", "pucker", "funnel", "spread", "upper", "lower", "tongue")
"""Columns of a target: jaw opening, lips protruded, rounded, drawn wide, upper lip raised, lower lip lowered, tongue
between the teeth; each from 0 to 1."""


class Kind(Enum):
    """What a sound asks of the mouth beyond its target."""

    VOWEL = auto()
    CLOSURE = auto()
    """Lips meet: p b m."""
    TOUCH = auto()
    """Lower lip meets the upper teeth: f v."""
    HISS = auto()
    """Teeth nearly meet: s z ʃ ʒ ɕ ʂ and their affricates."""
    FREE = auto()
    PAUSE = auto()


@dataclass(frozen=True, slots=True)
class Viseme:
    """`target` in the order of ARTICULATORS; `strength` is how much jaw, lip shape, lip height and tongue insist on it
    against the neighbouring sounds.
    """

    kind: Kind
    target: tuple[float, ...]
    strength: tuple[float, float, float, float]


# Strengths.
_VOWEL = (1.0, 1.0, 0.8, 0.4)
_SCHWA = (0.6, 0.35, 0.4, 0.4)
_LIPS = (0.8, 0.12, 0.3, 0.8)
_TONGUE = (0.45, 0.05, 0.15, 0.8)
_BREATH = (0.15, 0.03, 0.1, 0.4)

_TABLE = (
    # symbols, kind, (jaw, pucker, funnel, spread, upper, lower, tongue), strength
    ("a ɐ ä ᴀ", Kind.VOWEL, (0.55, 0, 0, 0.10, 0.06, 0.14, 0), _VOWEL),
    ("ɑ", Kind.VOWEL, (0.56, 0, 0.04, 0, 0.04, 0.12, 0), _VOWEL),
    ("æ", Kind.VOWEL, (0.48, 0, 0, 0.30, 0.10, 0.16, 0), _VOWEL),
    ("ʌ", Kind.VOWEL, (0.42, 0, 0, 0.05, 0.04, 0.10, 0), _VOWEL),
    ("ɛ", Kind.VOWEL, (0.38, 0, 0, 0.30, 0.08, 0.12, 0), _VOWEL),
    ("e", Kind.VOWEL, (0.30, 0, 0, 0.36, 0.08, 0.10, 0), _VOWEL),
    ("ə ɘ ɵ ᵻ", Kind.VOWEL, (0.26, 0, 0, 0.05, 0.03, 0.08, 0), _SCHWA),
    ("ɚ ɝ ɜ", Kind.VOWEL, (0.26, 0.22, 0.20, 0, 0.04, 0.10, 0), _VOWEL),
    ("ɤ o-", Kind.VOWEL, (0.30, 0, 0, 0.14, 0.04, 0.10, 0), _VOWEL),
    ("ɪ", Kind.VOWEL, (0.20, 0, 0, 0.32, 0.08, 0.10, 0), _VOWEL),
    ("i", Kind.VOWEL, (0.14, 0, 0, 0.50, 0.14, 0.14, 0), _VOWEL),
    ("ɨ ɯ ɿ i̪ z̩", Kind.VOWEL, (0.08, 0, 0, 0.30, 0.18, 0.24, 0), _VOWEL),
    ("ʅ i. ʐ̩ ɻ̩", Kind.VOWEL, (0.10, 0.10, 0.25, 0, 0.14, 0.16, 0), _VOWEL),
    ("y ʏ ʉ", Kind.VOWEL, (0.10, 0.80, 0.30, 0, 0, 0.04, 0), _VOWEL),
    ("ø œ", Kind.VOWEL, (0.28, 0.50, 0.40, 0, 0, 0.08, 0), _VOWEL),
    ("u", Kind.VOWEL, (0.11, 0.82, 0.45, 0, 0, 0.04, 0), _VOWEL),
    ("ʊ", Kind.VOWEL, (0.18, 0.50, 0.34, 0, 0.02, 0.06, 0), _VOWEL),
    ("o", Kind.VOWEL, (0.32, 0.46, 0.60, 0, 0.02, 0.08, 0), _VOWEL),
    ("ɔ", Kind.VOWEL, (0.42, 0.28, 0.56, 0, 0.04, 0.10, 0), _VOWEL),
    ("ɒ", Kind.VOWEL, (0.48, 0.14, 0.42, 0, 0.04, 0.12, 0), _VOWEL),
    ("p b m ɓ ʙ", Kind.CLOSURE, (0.05, 0, 0, 0, 0, 0, 0), _LIPS),
    ("f v ɱ ʋ ⱱ", Kind.TOUCH, (0.07, 0, 0, 0, 0.20, 0, 0), (1.0, 0.20, 0.3, 0.8)),
    ("w ʍ ɸ β", Kind.FREE, (0.10, 0.85, 0.42, 0, 0, 0.03, 0), (0.9, 1.3, 0.8, 0.8)),
    ("ɥ", Kind.FREE, (0.09, 0.80, 0.30, 0, 0, 0.03, 0), (0.9, 1.3, 0.8, 0.8)),
    ("j ʝ ʎ", Kind.FREE, (0.13, 0, 0, 0.36, 0.08, 0.10, 0), (0.8, 0.45, 0.5, 0.5)),
    ("θ ð", Kind.FREE, (0.12, 0, 0, 0.05, 0.12, 0.14, 0.34), (0.7, 0.20, 0.8, 1.2)),
    ("s z ts dz", Kind.HISS, (0.06, 0, 0, 0.25, 0.20, 0.25, 0), (1.3, 0.35, 1.0, 1.0)),
    ("ɕ ʑ tɕ dʑ ç", Kind.HISS, (0.08, 0, 0, 0.28, 0.16, 0.18, 0), (1.3, 0.35, 0.9, 1.0)),
    ("ʃ ʒ tʃ dʒ", Kind.HISS, (0.10, 0.34, 0.55, 0, 0.14, 0.16, 0), (1.3, 1.0, 0.9, 1.0)),
    ("ʂ ʐ tʂ dʐ ʈʂ ɖʐ s. z. ts. dz.", Kind.HISS, (0.10, 0.16, 0.40, 0, 0.14, 0.16, 0), (1.3, 0.7, 0.9, 1.0)),
    ("ɹ r ɻ ʁ", Kind.FREE, (0.14, 0.36, 0.32, 0, 0.06, 0.08, 0), (0.6, 0.55, 0.5, 0.8)),
    ("t d n ɾ ʈ ɖ ɳ", Kind.FREE, (0.14, 0, 0, 0, 0.06, 0.08, 0), _TONGUE),
    ("l ɫ ɭ ɬ ɮ", Kind.FREE, (0.20, 0, 0, 0, 0.06, 0.08, 0.06), _TONGUE),
    ("k g ɡ ŋ ŋ- ɲ x ɣ q c ɟ", Kind.FREE, (0.18, 0, 0, 0, 0.04, 0.08, 0), _TONGUE),
    ("h ɦ χ ħ ʔ ʕ ʰ", Kind.FREE, (0.20, 0, 0, 0, 0.03, 0.05, 0), _BREATH),
)

VISEMES: dict[str, Viseme] = {
    unicodedata.normalize("NFD", symbol): Viseme(kind, target, strength)
    for symbols, kind, target, strength in _TABLE
    for symbol in symbols.split()
}
PAUSE = Viseme(Kind.PAUSE, (0.0,) * len(ARTICULATORS), (0.8, 0.6, 0.8, 1.0))
"""Lips at rest."""

_LONGEST = max(map(len, VISEMES))
_PLAIN_LETTER = re.compile(
    r"LETTER (?:(?:SMALL CAPITAL|TURNED|REVERSED|OPEN|CLOSED|DOTLESS|INVERTED|STRETCHED) )*([A-Z])\b"
)


@lru_cache(maxsize=1024)
def visemes(ipa: str) -> tuple[tuple[Viseme, float], ...]:
    """The sounds of a symbol in order, each with its share of the symbol's time; the shares sum to 1.

    An empty symbol is a pause; one in which nothing can be read is a schwa.
    """
    if not ipa:
        return ((PAUSE, 1.0),)
    text = unicodedata.normalize("NFD", ipa).replace("͡", "")
    found: list[Viseme] = []
    while text:
        for length in range(min(_LONGEST, len(text)), 0, -1):
            if text[:length] in VISEMES:
                found.append(VISEMES[text[:length]])
                text = text[length:]
                break
        else:
            plain = _PLAIN_LETTER.search(unicodedata.name(text[0], ""))
            if plain and plain[1].lower() in VISEMES:
                found.append(VISEMES[plain[1].lower()])
            text = text[1:]
    found = found or [VISEMES["ə"]]
    weights = [_weight(viseme) for viseme in found]
    return tuple((viseme, weight / sum(weights)) for viseme, weight in zip(found, weights, strict=True))


def _weight(viseme: Viseme) -> float:
    """Relative duration within a symbol: open vowels last, glides and consonants are short."""
    return 0.6 + 0.8 * viseme.target[0] if viseme.kind is Kind.VOWEL else 0.5
