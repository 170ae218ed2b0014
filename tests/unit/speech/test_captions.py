"""Without any voice the room stays alive: captions have their time, and her mouth moves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from services.core.events import TextSegment, VoiceChunk
from services.speech.model.captions import CaptionsSpeech


async def spoken(text: str) -> list[VoiceChunk]:
    return [piece async for piece in CaptionsSpeech().stream(TextSegment(text=text))]


async def test_it_is_silent_for_as_long_as_speaking_would_take() -> None:
    (piece,) = await spoken("大家晚上好呀朋友")
    assert not any(piece.pcm_s16le)
    assert len(piece.pcm_s16le) / 2 / 24_000 == pytest.approx(8 / 4, abs=0.1)


async def test_estimated_phonemes_fill_the_time_without_gaps() -> None:
    (piece,) = await spoken("爸爸, I am Lydia。")
    phonemes = piece.phonemes
    assert phonemes[0].start_sample == 0
    assert all(a.end_sample == b.start_sample for a, b in pairwise(phonemes))
    assert phonemes[-1].end_sample == len(piece.pcm_s16le) // 2
    assert [p.ipa for p in phonemes[:5]] == ["p", "ɑ", "p", "ɑ", ""]
    assert [p.stress for p in phonemes[:4]] == [0, 2, 0, 0]


@pytest.mark.parametrize("text", ["", "🤪", "مرحبا", "\0"])
async def test_what_cannot_be_said_has_no_time(text: str) -> None:
    assert await spoken(text) == []


async def test_every_syllable_of_mandarin_has_a_mouth_shape() -> None:
    (piece,) = await spoken("熊去女略嗯儿云月永追双想")
    assert sum(p.stress > 0 for p in piece.phonemes) == 12
    assert all(p.ipa for p in piece.phonemes[:-1])


async def test_figures_alone_are_said_in_the_language_that_she_speaks() -> None:
    (chinese,) = [piece async for piece in CaptionsSpeech().stream(TextSegment(text="42", language="zh"))]
    (english,) = [piece async for piece in CaptionsSpeech().stream(TextSegment(text="42", language="en"))]
    assert sum(p.stress > 0 for p in chinese.phonemes) == 3
    assert [p.ipa for p in english.phonemes] != [p.ipa for p in chinese.phonemes]


async def test_it_is_always_ready() -> None:
    assert await CaptionsSpeech().ready()
