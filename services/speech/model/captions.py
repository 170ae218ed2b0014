"""The rung `captions`: no sound, but the time that speaking would take, so that a room without a voice stays alive."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from itertools import chain

from services.core.events import Phoneme, TextSegment, VoiceChunk
from services.speech.mandarin import Syllable, words
from services.speech.sound import SAMPLE_RATE, silence, to_s16le
from services.speech.text import PAUSE_S, Phrase, Run, phrases

RUNG = "captions"
SYLLABLE_S = 0.25
"""Of Mandarin: four a second."""
CONSONANT_S = 0.08
LETTER_S = 0.075
"""Of English, where a letter is taken for a sound: about 2.6 words a second."""

# fmt: off
INITIALS = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "tɕ", "q": "tɕʰ", "x": "ɕ", "zh": "ʈʂ", "ch": "ʈʂʰ", "sh": "ʂ", "r": "ʐ", "z": "ts", "c": "tsʰ", "s": "s",
    "y": "j", "w": "w",
}
FINALS = {
    "a": "ɑ", "o": "o", "e": "ɤ", "i": "i", "u": "u", "v": "y", "ai": "ai", "ei": "ei", "ao": "ɑu", "ou": "ou",
    "an": "an", "en": "ən", "ang": "ɑŋ", "eng": "əŋ", "ong": "ʊŋ", "er": "ɚ", "ia": "iɑ", "ie": "iɛ", "iao": "iɑu",
    "iu": "iou", "ian": "iɛn", "in": "in", "iang": "iɑŋ", "ing": "iŋ", "iong": "iʊŋ", "ua": "uɑ", "uo": "uo",
    "uai": "uai", "ui": "uei", "uan": "uɑn", "un": "uən", "uang": "uɑŋ", "ve": "yɛ", "ue": "yɛ",
}
LETTERS = {
    "a": "æ", "b": "b", "c": "k", "d": "d", "e": "ɛ", "f": "f", "g": "ɡ", "h": "h", "i": "ɪ", "j": "dʒ", "k": "k",
    "l": "l", "m": "m", "n": "n", "o": "ɑː", "p": "p", "q": "k", "r": "ɹ", "s": "s", "t": "t", "u": "ʌ", "v": "v",
    "w": "w", "x": "s", "y": "j", "z": "z",
}
# fmt: on
_SYLLABLE = re.compile(f"({'|'.join(sorted(INITIALS, key=len, reverse=True))})?([aeiouv].*)?")


class CaptionsSpeech:
    """TextSegment → one VoiceChunk of silence, with estimated phonemes. Never fails."""

    async def ready(self) -> bool:
        return True

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        phonemes: list[Phoneme] = []
        at = 0.0
        for ipa, seconds, stress in _sounds(phrases(request.text, language=request.language)):
            start, at = at, at + seconds
            phonemes.append(
                Phoneme(
                    ipa=ipa, start_sample=round(start * SAMPLE_RATE), end_sample=round(at * SAMPLE_RATE), stress=stress
                )
            )
        if phonemes:
            yield VoiceChunk(sample_rate=SAMPLE_RATE, pcm_s16le=to_s16le(silence(at)), phonemes=phonemes, rung=RUNG)


def _sounds(found: list[Phrase]) -> Iterator[tuple[str, float, int]]:
    """IPA, seconds and stress, phoneme by phoneme."""
    for phrase in found:
        for run in phrase.runs:
            yield from _run(run)
        yield "", PAUSE_S[phrase.mark], 0


def _run(run: Run) -> Iterator[tuple[str, float, int]]:
    if run.language == "zh":
        for syllable in chain.from_iterable(words(run.text)):
            yield from _syllable(syllable)
        return
    for letter in run.text.lower():
        if letter in LETTERS:
            yield LETTERS[letter], LETTER_S, int(letter in "aeiou")


def _syllable(syllable: Syllable) -> Iterator[tuple[str, float, int]]:
    match = _SYLLABLE.match(syllable.base)
    initial, final = match.groups() if match else (None, None)
    stress = 2 if syllable.focus else int(syllable.tone < 5)
    if initial:
        yield INITIALS[initial], CONSONANT_S, 0
    yield FINALS.get(final or "e", "ə"), SYLLABLE_S - (CONSONANT_S if initial else 0), stress
