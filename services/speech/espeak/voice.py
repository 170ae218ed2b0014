"""How espeak-ng speaks as Lydia: one person in both languages, in every mood."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.core.events import Emotion
from services.speech.mandarin import Syllable
from services.speech.moods import mood
from services.speech.text import Language


@dataclass(frozen=True, slots=True)
class Voice:
    """A file in `voices/`, and the units of `protocol.Request`."""

    name: str
    rate: int
    pitch: int
    pitch_range: int
    gain: float
    """Brings speech to -18 LUFS."""


VOICES: dict[Language, Voice] = {
    "zh": Voice("lydia-zh", 180, 50, 60, 1.64),
    "en": Voice("lydia-en", 168, 50, 50, 2.24),
}

UNREADABLE = {
    "jiong": "tS;jong",
    "qiong": "tS;hjong",
    "xiong": "S;jong",
    "m": "mu",
    "n": "@n",
    "ng": "@N",
    "hm": "X@m",
    "hng": "X@N",
    "ê": "ei",
}
"""Syllables that the pinyin voice would read as English letters, in its phoneme names."""


def in_mood(language: Language, emotion: Emotion, intensity: float) -> Voice:
    """The voice as it sounds in a mood."""
    voice, now = VOICES[language], mood(emotion, intensity)
    return Voice(
        voice.name,
        round(voice.rate * (1 + now.rate)),
        round(voice.pitch + now.pitch),
        round(voice.pitch_range + now.pitch_range),
        voice.gain,
    )


def mandarin(words: list[list[Syllable]]) -> str:
    """The words as the pinyin voice reads them: numbered syllables, those of a word joined."""
    return " ".join(_word(word) for word in words)


def _word(word: list[Syllable]) -> str:
    parts = []
    for syllable in word:
        if syllable.base in UNREADABLE:
            tone = ("55", "35", "214", "51", "11")[syllable.tone - 1]
            parts.append(f" [[{UNREADABLE[syllable.base]}{tone}]] ")
        else:
            parts.append(f"{syllable.base}{syllable.tone}")
    return "".join(parts).strip()


def english(words: str) -> str:
    """Words as the English voice reads them: it takes the letter A among other letters for the article."""
    return re.sub(r"\bA(?= [A-Z]\b)|(?<=\b[A-Z] )A\b", "ay", words)
