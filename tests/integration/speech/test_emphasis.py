"""A word that is to stand out does: in the sound it is longer, higher and louder. Both networks, both languages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from services.core.events import Emphasis, TextSegment
from services.places import VOICE
from services.speech.model.recorded.measures import energy, pitch
from services.speech.natural.loading import load
from services.speech.natural.speaker import Speaker
from services.speech.sound import SAMPLE_RATE, Samples

SENTENCES = [
    ("I never said that he took the money.", "never"),
    ("You can have three of them today.", "three"),
    ("我们明天去公园玩。", "公园"),
    ("他们明天早上要去北京。", "明天"),
]


@dataclass(frozen=True, slots=True)
class Word:
    """What is heard of one word."""

    seconds: float
    hertz: float
    """Nearly the highest: a low tone of Mandarin is no higher when its word stands out."""
    loudness: float
    """dB"""


@pytest.fixture(scope="module", params=[True, False], ids=["own network", "open encoder"])
def speaker(request: pytest.FixtureRequest) -> Speaker:
    return load(VOICE, "lydia", own=request.param)


def said(speaker: Speaker, text: str, stands_out: str, *, measured: str | None = None) -> Word:
    """The word `measured` when `stands_out` does; "" for no word."""
    begin = text.index(stands_out)
    emphasis = [Emphasis(begin=begin, end=begin + len(stands_out))] if stands_out else []
    segment = TextSegment(turn_id="t", room_id="r", epoch=1, text=text, last=True, emphasis=emphasis)
    sounds: list[Samples] = []
    spans = []
    at = 0
    for piece in speaker.speak(segment):
        spans += [(one.ipa, at + one.start, at + one.end) for one in piece.phonemes if one.ipa]
        sounds.append(piece.sound)
        at += len(piece.sound)
    sound = np.concatenate(sounds)
    first, last = _phonemes(speaker, text, measured or stands_out)
    own = sound[spans[first][1] : spans[last - 1][2]]
    found, loud = pitch(own), energy(own)
    clear = found[(found > 0) & (loud > loud.max() - 5)]
    return Word(len(own) / SAMPLE_RATE, float(np.quantile(clear, 0.9)), 10 * np.log10(float(np.square(own).mean())))


def _phonemes(speaker: Speaker, text: str, word: str) -> tuple[int, int]:
    """The numbers of the word's phonemes among those of the text."""
    from services.speech.text import phrases

    begin = text.index(word)
    (phrase,) = phrases(text, [(begin, begin + len(word))])
    sounding = [phone for phone in speaker._reader.phones(phrase, ends=True) if phone.ipa]
    marked = [number for number, phone in enumerate(sounding) if phone.emphasis]
    return marked[0], marked[-1] + 1


@pytest.mark.parametrize(("text", "word"), SENTENCES)
def test_a_word_that_stands_out_is_longer_higher_and_louder(speaker: Speaker, text: str, word: str) -> None:
    plain, out = said(speaker, text, "", measured=word), said(speaker, text, word)
    assert 1.15 < out.seconds / plain.seconds < 1.5
    assert 1 < 12 * np.log2(out.hertz / plain.hertz) < 6
    assert out.loudness - plain.loudness > 0.7


@pytest.mark.parametrize(("text", "word"), SENTENCES)
def test_the_word_before_it_stays_as_it_was(speaker: Speaker, text: str, word: str) -> None:
    before = text[: text.index(word)].strip().split(" ")[-1]
    plain, out = said(speaker, text, "", measured=before), said(speaker, text, word, measured=before)
    assert out.seconds == pytest.approx(plain.seconds, abs=0.03)
    assert abs(12 * np.log2(out.hertz / plain.hertz)) < 1
