"""Syllables of pinyin as the network's symbols.

The table is that of the phoneme set on which the network's Mandarin voices were trained: IPA with one letter for each
affricate, and an arrow after the vowel for the tone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from services.speech.mandarin import Syllable
from services.speech.natural.phones import SPACE, Phone

TONES = {1: "→", 2: "↗", 3: "↓", 4: "↘", 5: ""}
TONE_HERE = "0"

# fmt: off
INITIALS = {
    "b": ("p", "p"), "p": ("pʰ", "pʰ"), "m": ("m", "m"), "f": ("f", "f"), "d": ("t", "t"), "t": ("tʰ", "tʰ"),
    "n": ("n", "n"), "l": ("l", "l"), "g": ("k", "k"), "k": ("kʰ", "kʰ"), "h": ("x", "x"), "j": ("ʨ", "tɕ"),
    "q": ("ʨʰ", "tɕʰ"), "x": ("ɕ", "ɕ"), "zh": ("ꭧ", "ʈʂ"), "ch": ("ꭧʰ", "ʈʂʰ"), "sh": ("ʂ", "ʂ"), "r": ("ɻ", "ʐ"),
    "z": ("ʦ", "ts"), "c": ("ʦʰ", "tsʰ"), "s": ("s", "s"),
}
"""Symbols and IPA of each consonant that begins a syllable."""

FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0 n", "ang": "a0 ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0 n",
    "eng": "ə0 ŋ", "i": "i0", "ia": "j a0", "ian": "j ɛ0 n", "iang": "j a0 ŋ", "iao": "j au0", "ie": "j e0",
    "in": "i0 n", "ing": "i0 ŋ", "iong": "j ʊ0 ŋ", "iu": "j ou0", "iou": "j ou0", "o": "w o0", "ong": "ʊ0 ŋ",
    "ou": "ou0", "u": "u0", "ua": "w a0", "uai": "w ai0", "uan": "w a0 n", "uang": "w a0 ŋ", "ui": "w ei0",
    "uei": "w ei0", "un": "w ə0 n", "uen": "w ə0 n", "ueng": "w ə0 ŋ", "uo": "w o0", "v": "y0", "ve": "ɥ e0",
    "van": "ɥ ɛ0 n", "vn": "y0 n",
}
BUZZED = "ɨ0"
"""The vowel of 是 and 四."""
WHOLE = {
    "er": "ɚ0", "o": "ɔ0", "ê": "ɛ0", "yo": "w o0", "m": "m0", "n": "n0", "ng": "ŋ0", "hm": "h m0", "hng": "h ŋ0",
    "wong": "ʊ0 ŋ",
}
"""Syllables that no rule makes."""
IPA = {"ai": "ai", "au": "ɑu", "a": "ɑ", "e": "ɛ"}
"""Of symbols whose sound has another letter."""
# fmt: on
_SYLLABLE = re.compile(f"({'|'.join(sorted(INITIALS, key=len, reverse=True))})?(.*)")


class UnknownSyllable(ValueError):
    """Not a syllable of Mandarin."""


def syllable(base: str, tone: int, stress: int) -> list[Phone]:
    """The sounds of a syllable. `base`: pinyin without its tone, v for ü; `tone`: 1 to 5; `stress`: of its vowel.

    Raises UnknownSyllable.
    """
    found = []
    for symbols, ipa in _table(base):
        voiced = TONE_HERE in symbols
        found.append(Phone(symbols.replace(TONE_HERE, TONES[tone]), ipa, stress if voiced else 0))
    return found


def phones(words: Sequence[Sequence[Syllable]], emphasis: Collection[int] = ()) -> list[Phone]:
    """A phrase's words, with spaces between. A syllable that nobody knows is left out. `emphasis`: the numbers of words
    that stand out.
    """
    found: list[Phone] = []
    for number, word in enumerate(sandhi(words)):
        if found:
            found.append(SPACE)
        for one in word:
            try:
                said = syllable(one.base, one.tone, 2 if one.focus else int(one.tone < 5))
            except UnknownSyllable:
                continue
            found += [replace(phone, emphasis=True) for phone in said] if number in emphasis else said
    return found


def sandhi(words: Sequence[Sequence[Syllable]]) -> list[list[Syllable]]:
    """A third tone before another third tone becomes a second one: first inside words, then from word to word."""
    changed = [_raised(list(word)) for word in words]
    for word, following in pairwise(changed):
        if word and following and word[-1].tone == following[0].tone == 3:
            word[-1] = Syllable(word[-1].base, 2, word[-1].focus)
    return changed


def _raised(word: list[Syllable]) -> list[Syllable]:
    return [
        Syllable(one.base, 2, one.focus) if following is not None and one.tone == following.tone == 3 else one
        for one, following in zip(word, [*word[1:], None], strict=True)
    ]


@lru_cache(maxsize=512)
def _table(base: str) -> tuple[tuple[str, str], ...]:
    """The parts of a syllable: symbols, with TONE_HERE where the tone goes, and IPA."""
    if base in WHOLE:
        return tuple(_part(part, "", "") for part in WHOLE[base].split())
    match = _SYLLABLE.fullmatch(_spelled_out(base))
    assert match is not None  # every part of it is optional
    initial, final = match[1] or "", match[2]
    if initial in ("zh", "ch", "sh", "r", "z", "c", "s") and final == "i":
        parts = [BUZZED]
    elif final in FINALS and (final[0] != "v" or initial in ("", "n", "l", "j", "q", "x")):
        parts = FINALS[final].split()
    else:
        raise UnknownSyllable(base)
    head = [INITIALS[initial]] if initial else []
    return (*head, *(_part(part, initial, parts[-1]) for part in parts))


def _spelled_out(base: str) -> str:
    """Without the letters y and w, and with ü where it is meant."""
    if base[:1] in ("j", "q", "x") and base[1:2] == "u":
        return base[0] + "v" + base[2:]
    if base.startswith("yu"):
        return "v" + base[2:]
    if base.startswith("y"):
        return base[1:] if base[1:2] == "i" else "i" + base[1:]
    if base.startswith("w"):
        return base[1:] if base[1:2] == "u" else "u" + base[1:]
    return base


def _part(symbols: str, initial: str, last: str) -> tuple[str, str]:
    bare = symbols.replace(TONE_HERE, "")
    if bare == "ɨ":
        return symbols, "ɿ" if initial in ("z", "c", "s") else "ʅ"
    if bare == "a" and last == "n":
        return symbols, "a"
    return symbols, IPA.get(bare, bare)
