"""What the fast voice says is heard where its phonemes say it is, at one level, as one person, without holes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest

from services.core.events import (
    EMOTION_JOY,
    EMOTION_NEUTRAL,
    EMOTION_SAD,
    Emotion,
    TextSegment,
    VoiceChunk,
)
from services.core.inference import ModelFailed
from services.speech.espeak.client import espeak_client
from services.speech.evaluate import BILABIALS, SENTENCES, VOWELS, dips, joined, longest_pause, loudness, pitch
from services.speech.model.espeak import EspeakSpeech
from services.speech.sound import SAMPLE_RATE, Samples, from_s16le
from services.speech.speak import speak

LANGUAGES = ("zh", "en")


@pytest.fixture
async def voice() -> AsyncIterator[EspeakSpeech]:
    async with espeak_client(timeout_s=20) as client:
        yield EspeakSpeech(client)


async def said(voice: EspeakSpeech, text: str) -> Samples:
    return joined(await speak(text, model=voice))[0]


async def test_figures_alone_are_said_in_the_language_that_she_speaks(voice: EspeakSpeech) -> None:
    heard = []
    for language in LANGUAGES:
        pieces = [piece async for piece in voice.stream(TextSegment(text="42", language=language))]
        heard.append([phoneme.ipa for piece in pieces for phoneme in piece.phonemes])
    assert heard[0] != heard[1]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_lips_close_where_the_sound_is_softest(voice: EspeakSpeech, language: str) -> None:
    found = [dip for text in SENTENCES[language] for dip in dips(*joined(await speak(text, model=voice)))]
    assert len(found) >= 20
    assert [dip for dip in found if not dip.start <= dip.softest < dip.end] == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_vowels_are_louder_than_the_closures_before_them(voice: EspeakSpeech, language: str) -> None:
    def level(part: Samples) -> float:
        return float(np.sqrt(np.square(part).mean()))

    for text in SENTENCES[language]:
        sound, phonemes = joined(await speak(text, model=voice))
        for a, b in pairwise(phonemes):
            if a.ipa in BILABIALS and b.ipa[:1] in VOWELS:
                closure = sound[a.start_sample : (a.start_sample + a.end_sample) // 2]
                assert level(sound[b.start_sample : b.end_sample]) > 1.5 * level(closure), (text, a, b)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_pauses_are_silent_and_phonemes_are_not(voice: EspeakSpeech, language: str) -> None:
    for text in SENTENCES[language]:
        sound, phonemes = joined(await speak(text, model=voice))
        for phoneme in phonemes:
            heard = np.abs(sound[phoneme.start_sample : phoneme.end_sample]).max()
            assert (heard > 0.01) == bool(phoneme.ipa) or phoneme.end_sample - phoneme.start_sample < 480, phoneme


@pytest.mark.parametrize("language", LANGUAGES)
async def test_phonemes_fill_the_segment_without_gaps(voice: EspeakSpeech, language: str) -> None:
    for text in SENTENCES[language]:
        sound, phonemes = joined(await speak(text, model=voice))
        assert phonemes[0].start_sample == 0
        assert all(a.end_sample == b.start_sample for a, b in pairwise(phonemes))
        assert 0 <= len(sound) - phonemes[-1].end_sample < 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("爸爸妈妈", "p ɑ p ɑ m ɑ m ɑ"),
        ("泡泡", "pʰ ɑu pʰ ɑu"),
        ("熊猫", "ɕ j ʊŋ m ɑu"),
        ("知识", "ʈʂ ʅ ʂ ʅ"),
        ("四次", "s ɿ tsʰ ɿ"),
        ("女儿", "n y ɚ"),
        ("big map", "b ɪ ɡ m æ p"),
        ("vision", "v ɪ ʒ ə n"),
        ("church", "tʃ ɝ tʃ"),
        ("think this", "θ ɪ ŋ k ð ɪ s"),
    ],
)
async def test_phonemes_are_plain_ipa(voice: EspeakSpeech, text: str, expected: str) -> None:
    _, phonemes = joined(await speak(text, model=voice))
    assert " ".join(p.ipa for p in phonemes if p.ipa) == expected


async def test_a_hanzi_has_stress_on_its_vowel_by_its_tone_and_the_focus(voice: EspeakSpeech) -> None:
    _, phonemes = joined(await speak("妈妈爱你", model=voice))
    assert [(p.ipa, p.stress) for p in phonemes if p.ipa] == [
        ("m", 0), ("ɑ", 1), ("m", 0), ("ɑ", 0), ("ai", 1), ("n", 0), ("i", 2),
    ]  # fmt: skip


async def test_both_languages_are_equally_loud_and_never_clip(voice: EspeakSpeech) -> None:
    for language in LANGUAGES:
        sounds = [await said(voice, text) for text in SENTENCES[language]]
        assert loudness(np.concatenate(sounds)) == pytest.approx(-18, abs=0.7)
        assert all(loudness(sound) == pytest.approx(-18, abs=2.5) for sound in sounds)
        assert max(np.abs(sound).max() for sound in sounds) < 10 ** (-1 / 20)


async def test_both_languages_sound_like_one_woman(voice: EspeakSpeech) -> None:
    middle = {
        language: np.median(np.concatenate([pitch(await said(voice, text)) for text in SENTENCES[language]]))
        for language in LANGUAGES
    }
    assert all(180 < hertz < 250 for hertz in middle.values())
    assert middle["zh"] == pytest.approx(middle["en"], rel=0.08)


@pytest.mark.parametrize(
    "text", ["我是 Lydia，你好", "我爱 Python 和 music 还有你", "This is 你好 in Chinese", "看 video 吧"]
)
async def test_a_change_of_language_leaves_no_hole(voice: EspeakSpeech, text: str) -> None:
    sound = await said(voice, text.replace("，", " "))
    assert longest_pause(sound) <= 0.12


async def test_punctuation_is_a_pause_of_its_own_length(voice: EspeakSpeech) -> None:
    pauses = [longest_pause(await said(voice, f"你好{mark}我们来了")) for mark in ("", "，", "。", "……")]
    assert pauses == sorted(pauses)
    assert 0.14 < pauses[1] < 0.26
    assert 0.3 < pauses[2] < 0.42


async def test_a_turn_begins_and_ends_without_dead_air(voice: EspeakSpeech) -> None:
    for text in (*SENTENCES["zh"], *SENTENCES["en"]):
        loud = np.flatnonzero(np.abs(sound := await said(voice, text)) > 0.01)
        assert loud[0] < 0.08 * SAMPLE_RATE
        assert len(sound) - loud[-1] < 0.25 * SAMPLE_RATE


async def test_moods_change_melody_and_pace(voice: EspeakSpeech) -> None:
    async def speaks(mood: Emotion) -> tuple[float, float]:
        segment = TextSegment(text="今天我见到你了", emotion=mood, intensity=1.0)
        pieces = [piece async for piece in voice.stream(segment)]
        sound = from_s16le(b"".join(piece.pcm_s16le for piece in pieces))
        return float(np.median(pitch(sound))), len(sound) / SAMPLE_RATE

    (sad, sad_s), (plain, plain_s), (joy, joy_s) = [
        await speaks(mood) for mood in (EMOTION_SAD, EMOTION_NEUTRAL, EMOTION_JOY)
    ]
    assert sad < plain < joy
    assert sad_s > plain_s > joy_s


@pytest.mark.parametrize("text", ["", "   ", "🤪", "مرحبا", "\0", "\u202e\u200b", "。。。", "[[", "()"])
async def test_nothing_comes_of_what_cannot_be_said(voice: EspeakSpeech, text: str) -> None:
    assert [piece async for piece in voice.stream(TextSegment(text=text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "\0你好\0",
        "<speak>你好</speak>",
        "[[X]]你好",
        "&lt;你好&gt;",
        "'''你好'''",
        "你\u202e好",
        "a" * 300,
        "你好" + "🤪" * 500,
    ],
)
async def test_odd_text_is_said_as_far_as_it_can_be(voice: EspeakSpeech, text: str) -> None:
    sound = await said(voice, text)
    assert 0.3 < len(sound) / SAMPLE_RATE < 12


async def test_five_thousand_characters_come_piece_by_piece(voice: EspeakSpeech) -> None:
    text = "今天的天气很不错，我们一起去公园散步吧。" * 250
    assert len(text) == 5_000
    pieces: list[VoiceChunk] = []
    async for piece in voice.stream(TextSegment(text=text)):
        pieces.append(piece)
        if len(pieces) == 10:
            break
    ends = np.cumsum([len(piece.pcm_s16le) // 2 for piece in pieces])
    assert [piece.start_sample for piece in pieces[1:]] == list(ends[:-1])
    assert all(len(piece.phonemes) < 400 for piece in pieces)
    assert len(pieces[0].pcm_s16le) / 2 / SAMPLE_RATE < 30
    for piece in pieces:
        assert piece.phonemes[0].start_sample == piece.start_sample


async def test_the_same_text_is_the_same_sound(voice: EspeakSpeech) -> None:
    first, _, second = [await speak(text, model=voice) for text in ("我是 Lydia。", "别的", "我是 Lydia。")]
    assert first == second


async def test_two_rooms_speak_at_once_and_each_hears_its_own(voice: EspeakSpeech) -> None:
    texts = [text for language in LANGUAGES for text in SENTENCES[language]]
    alone = [await speak(text, model=voice) for text in texts]
    assert await asyncio.gather(*(speak(text, model=voice) for text in texts)) == alone


async def test_without_espeak_it_is_not_ready_and_says_so() -> None:
    async with espeak_client(timeout_s=0.2, command=("/no/such/program",)) as client:
        model = EspeakSpeech(client)
        assert not await model.ready()
        with pytest.raises(ModelFailed):
            await speak("你好", model=model)
