"""espeak-ng's phoneme events as timed IPA symbols, with boundaries where one hears them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.speech.mandarin import Syllable

PRIMARY, SECONDARY = "'", ","

# fmt: off
IPA = {
    # Mandarin consonants
    "ph": "pʰ", "th": "tʰ", "kh": "kʰ", "tsh": "tsʰ", "ts.": "ʈʂ", "ts.h": "ʈʂʰ", "tS;": "tɕ", "tS;h": "tɕʰ",
    "s.": "ʂ", "S;": "ɕ", "X": "x", "z.": "ʐ", "N-": "ŋ",
    # Mandarin vowels; a diphthong or triphthong is one phoneme, and so is -ong
    "A": "ɑ", "Au": "ɑu", "ai": "ai", "ei": "ei", "ou": "ou", "o": "o", "o-": "ɤ", "@r": "ɚ", "i.": "ʅ", "i[": "ɿ",
    "iA": "iɑ", "iE": "iɛ", "io": "io", "iou": "iou", "y": "y", "y&": "yɛ", "yE": "yɛ", "y@": "yə", "yi": "yi",
    "u@": "uə", "ua": "uɑ", "uai": "uai", "uei": "uei", "uo": "uo", "ong": "ʊŋ",
    # consonants of both languages, and English ones
    "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "f": "f", "v": "v", "s": "s", "z": "z", "h": "h", "x": "x",
    "m": "m", "n": "n", "l": "l", "j": "j", "w": "w", "ts": "ts",
    "g": "ɡ", "N": "ŋ", "T": "θ", "D": "ð", "S": "ʃ", "Z": "ʒ", "tS": "tʃ", "dZ": "dʒ", "r": "ɹ", "r-": "ɹ",
    "t#": "ɾ", "t2": "t", "?": "ʔ", "n-": "n̩", ";": "j",
    # English vowels
    "i": "i", "i:": "iː", "I": "ɪ", "I2": "ɪ", "I#": "ɪ", "E": "ɛ", "a": "æ", "aa": "æ", "a#": "ɐ", "V": "ʌ",
    "A~": "ɑ", "0": "ɑː", "A:": "ɑː", "O2": "ɔ", "O:": "ɔː", "U": "ʊ", "u": "u", "u:": "uː", "@": "ə", "@-": "ə",
    "@2": "ə", "3": "ɚ", "3:": "ɝ", "@L": "əl", "A@": "ɑɹ", "O@": "ɔɹ", "o@": "ɔɹ", "U@": "ʊɹ", "e@": "ɛɹ", "i@": "iə",
    "i@3": "ɪɹ", "aI": "aɪ", "aI3": "aɪɚ", "aI@": "aɪə", "aU": "aʊ", "eI": "eɪ", "OI": "ɔɪ", "oU": "oʊ",
}
# fmt: on
"""IPA of espeak-ng's names in its voices `cmn-latn-pinyin` and `en-us`, as its own tables define them."""

MANDARIN = {"a": "a"}
"""Names that mean something else in Mandarin."""
MANDARIN_VOWELS = frozenset("ɑaeoɤəɚiuyʅɿʊ")
"""What the vowel of a Mandarin syllable begins with."""

CLOSED = frozenset(
    ("p", "t", "k", "b", "d", "ɡ", "pʰ", "tʰ", "kʰ", "ts", "tsʰ", "ʈʂ", "ʈʂʰ", "tɕ", "tɕʰ", "tʃ", "dʒ", "m", "n", "ŋ")
)
"""Sounds that the mouth closes for."""
MAX_CLOSURE_S = 0.07
SILENT = 0.01
"""Amplitude below which a closure is silent, relative to the loudest sample of the run."""


@dataclass(frozen=True, slots=True)
class Sounding:
    """A phoneme, or a pause (`ipa` empty), between two samples of a run."""

    ipa: str
    start: int
    end: int
    stress: int
    """0 none, 1 secondary, 2 primary, as espeak-ng says it of a vowel."""


def timed(
    events: Sequence[tuple[str, int]], sound: NDArray[np.float32], sample_rate: int, *, mandarin: bool
) -> list[Sounding]:
    """The phonemes of a run, in order, without gaps between them, and without the pauses around them.

    espeak-ng counts the silence in which a closure is made to the phoneme before it. One hears it as part of the stop,
    and lips show it, so the boundary is moved to where the sound falls silent.
    """
    closed = np.abs(sound) < SILENT * max(float(np.abs(sound).max(initial=0.0)), 1e-9)
    longest = int(MAX_CLOSURE_S * sample_rate)
    ends = [*(sample for _, sample in events[1:]), len(sound)]
    found: list[Sounding] = []
    for (name, start), end in zip(events, ends, strict=False):
        ipa = _ipa(name, mandarin=mandarin)
        if end <= start or not (ipa or found):
            continue
        stress = {PRIMARY: 2, SECONDARY: 1}.get(name[:1], 0)
        if ipa in CLOSED:
            before = found.pop() if found else Sounding("", 0, start, 0)
            start = _closure_start(closed, before.start, start, longest)
            if found or before.ipa:
                found.append(Sounding(before.ipa, before.start, start, before.stress))
            if found and found[-1].end == found[-1].start:
                found.pop()
        if found and not ipa and not found[-1].ipa:
            found[-1] = Sounding("", found[-1].start, end, 0)
        else:
            found.append(Sounding(ipa, start, end, stress))
    while found and not found[-1].ipa:
        found.pop()
    return found


def _ipa(name: str, *, mandarin: bool) -> str:
    """The symbol of one of espeak-ng's names; empty for its pauses (`_:`) and changes of language (`(en)`)."""
    bare = name.lstrip("',%=")
    if not bare or bare[0] in "_(":
        return ""
    return MANDARIN[bare] if mandarin and bare in MANDARIN else IPA.get(bare, "ə")


def _closure_start(closed: NDArray[np.bool_], earliest: int, event: int, longest: int) -> int:
    """The first sample of the silence that lasts until the event."""
    window = closed[max(earliest, event - longest) : event]
    loud = np.flatnonzero(~window)
    return event - len(window) + (int(loud[-1]) + 1 if loud.size else 0)


def stressed(found: list[Sounding], syllables: Sequence[Syllable]) -> list[Sounding]:
    """Mandarin phonemes with stress on the syllables' vowels: none when the tone is neutral, 2 for the focus."""
    stresses = [2 if syllable.focus else int(syllable.tone < 5) for syllable in syllables]
    vowels = [index for index, sounding in enumerate(found) if sounding.ipa[:1] in MANDARIN_VOWELS]
    if len(vowels) != len(stresses):
        stresses = [1] * len(vowels)
    by_place = dict(zip(vowels, stresses, strict=True))
    return [Sounding(s.ipa, s.start, s.end, by_place.get(index, 0)) for index, s in enumerate(found)]
