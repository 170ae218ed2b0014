"""At run time: an English word's letters → its sounds. NumPy and ONNX Runtime only.

The network says for each letter up to SLOTS sounds; it is read as in CTC (Graves et al. 2006): repeated sounds are
one, and NOTHING keeps two of the same kind apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from services.speech.natural.encoder import session

WEIGHTS = Path(__file__).parent / "letters.onnx"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""A letter's number is its place, from 1; 0 is no letter."""
SLOTS = 2
"""Sounds of a letter at most."""
NOTHING = 0
_CONSONANTS = "bdfhjklmnpstvwzðŋɡɹɾʃʒʔʤʧθ"
_WEAK = "əᵊᵻ"
_VOWELS = "AIOWYaiuæɑɔɛɜɪʊʌ"
SOUNDS: tuple[str, ...] = ("", *_CONSONANTS, *_WEAK, *(mark + vowel for mark in ("", "ˌ", "ˈ") for vowel in _VOWELS))
"""A sound's number is its place; a stressed vowel is a sound of its own."""
_SOUND = re.compile("[ˈˌ]?.")
_NUMBERS = {sound: number for number, sound in enumerate(SOUNDS)}


class Letters:
    """Says words. May be called by several threads at once."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        """Raises onnxruntime's errors when the file is no such model."""
        self._session = session(path)
        self._said = lru_cache(maxsize=4096)(self._say)

    def __call__(self, word: str) -> str:
        """Sounds, in the notation of services/speech/natural/english.py. `word`: lower-case letters a to z."""
        return self._said(word) if word else ""

    def _say(self, word: str) -> str:
        return self.many([word])[0]

    def many(self, words: Sequence[str]) -> list[str]:
        """The same for words of one length together."""
        (logits,) = self._session.run(None, {"letters": np.array([numbers_of(word) for word in words], np.int64)})
        return [heard(slots) for slots in logits.argmax(axis=-1).tolist()]


def numbers_of(word: str) -> list[int]:
    """Of a word's letters. Raises ValueError for any other sign."""
    return [LETTERS.index(letter) + 1 for letter in word]


def sounds_of(said: str) -> list[int] | None:
    """The numbers of a pronunciation's sounds; None when one of them is none of SOUNDS."""
    found = [_NUMBERS.get(sound) for sound in _SOUND.findall(said)]
    known = [number for number in found if number is not None]
    return known if len(known) == len(found) else None


def heard(slots: Sequence[int]) -> str:
    """What the slots say together."""
    return "".join(SOUNDS[one] for before, one in zip((NOTHING, *slots), slots, strict=False) if one != before)
