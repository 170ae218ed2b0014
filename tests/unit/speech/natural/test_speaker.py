"""A segment becomes clauses with exact phonemes, pauses and moods, whatever encoder and vocoder are behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.events import EMOTION_JOY, EMOTION_NEUTRAL, EMOTION_SAD, Emotion, TextSegment
from services.speech.espeak.phonemes import Sounding
from services.speech.natural.encoder import MAX_SYMBOLS, Encoder, Features, Floats
from services.speech.natural.english import English
from services.speech.natural.reading import Reader
from services.speech.natural.speaker import FRAME, LATER_SYMBOLS, LEAD, TAIL, Piece, Speaker
from services.speech.natural.voices import DEFAULT, VOICES, Styles
from services.speech.sound import CEILING, SAMPLE_RATE, Samples
from services.speech.text import PAUSE_S

SYMBOLS = {symbol: number for number, symbol in enumerate(" ,.?!:…↓→↗↘ˈabdefhijklmnoprstuwxyzɕɤʂɨʨꭧʰəɛŋɪ", 1)}
SILENT = {SYMBOLS[mark] for mark in " ,.?!:…"} | {0}
PAD_FRAMES, MARK_FRAMES, SYMBOL_FRAMES = 12, 10, 4
FRAMES = {0: PAD_FRAMES} | {SYMBOLS[mark]: MARK_FRAMES for mark in ",.?!:…"}
HERTZ = 200.0


class Ruler:
    """An encoder whose symbols last as long as they are told to; marks are silent. It remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []

    def __call__(self, tokens: Sequence[int], style: Floats, speed: float) -> Features:
        self.asked.append((len(tokens) - 2, speed))
        durations = np.array([FRAMES.get(token, SYMBOL_FRAMES) for token in tokens], dtype=np.int64)
        energy = np.repeat([-9.5 if token in SILENT else 8.0 for token in tokens], 2 * durations).astype(np.float32)
        # Up and down around the middle, so that a change of range shows.
        f0 = np.where(energy > 0, HERTZ * 2 ** (0.2 * np.sin(np.arange(len(energy)))), 0).astype(np.float32)
        return Features(np.zeros((512, int(durations.sum())), dtype=np.float32), f0, energy, style, durations)


class Hum:
    """A vocoder that hums at one level for as long as it is asked to. It remembers the features."""

    def __init__(self, level: float = 0.5) -> None:
        self.level = level
        self.features: list[Features] = []
        self.ranges: list[tuple[int, int]] = []

    def stream(self, features: Features, start: int = 0, end: int | None = None) -> Iterator[Samples]:
        assert end is not None
        self.features.append(features)
        self.ranges.append((start, end))
        for frame in range(start, end, 7):
            yield np.full((min(frame + 7, end) - frame) * FRAME, self.level, dtype=np.float32)


def speaker(vocoder: Hum | None = None, encoder: Ruler | None = None) -> Speaker:
    voice = VOICES[DEFAULT]
    names = {name for manner in voice.manners.values() for name in manner.melody} | set(voice.timbre)
    styles = Styles(voice, {name: np.zeros((510, 256), dtype=np.float32) for name in names})
    reader = Reader(English({"hello": "hˈɛl", "yes": "jˈɛs"}), SYMBOLS)
    return Speaker(cast(Encoder, encoder or Ruler()), vocoder or Hum(), reader, voice, styles)


def said(
    text: str, *, last: bool = False, mood: Emotion = EMOTION_NEUTRAL, of: Speaker | None = None
) -> tuple[Samples, list[Sounding], list[Piece]]:
    """Sound, phonemes counted from its first sample, and the pieces."""
    pieces = list((of or speaker()).speak(TextSegment(text=text, last=last, emotion=mood, intensity=1.0)))
    phonemes, at = [], 0
    for piece in pieces:
        phonemes += [Sounding(p.ipa, at + p.start, at + p.end, p.stress) for p in piece.phonemes]
        at += len(piece.sound)
    return np.concatenate([piece.sound for piece in pieces]), phonemes, pieces


@pytest.mark.parametrize("text", ["你好。", "你好，我是你。", "hello yes", "你 hello 好！你是？", "好，好，好，好。"])
def test_phonemes_fill_the_segment_without_gaps(text: str) -> None:
    sound, phonemes, _ = said(text)
    assert phonemes[0].start == 0
    assert phonemes[-1].end == len(sound)
    assert all(a.end == b.start for a, b in pairwise(phonemes))
    assert all(p.end > p.start for p in phonemes)


def test_phonemes_are_heard_before_their_symbols_begin() -> None:
    # n i ↗ x au ↓: the syllable 好 begins after three symbols; one frame is kept before the first sound.
    _, phonemes, _ = said("你好。")
    (x,) = [p for p in phonemes if p.ipa == "x"]
    assert x.start == (LEAD + 3 * SYMBOL_FRAMES) * FRAME - round(0.06 * SAMPLE_RATE)
    assert [p.ipa for p in phonemes] == ["n", "i", "x", "ɑu", ""]


def test_all_phonemes_of_a_clause_come_with_its_first_piece() -> None:
    _, _, pieces = said("你好，我是你。")
    with_phonemes = [piece for piece in pieces if piece.phonemes]
    assert pieces[0].phonemes
    assert len(with_phonemes) == 2
    assert len(pieces) > 4


@pytest.mark.parametrize("mark", [",", ":", ".", "?", "…"])
def test_a_mark_is_a_pause_of_its_own_length(mark: str) -> None:
    sound, phonemes, _ = said(f"好{mark}好")
    pause = phonemes[[p.ipa for p in phonemes].index("")]
    assert pause.end - pause.start == pytest.approx(PAUSE_S[mark] * SAMPLE_RATE, abs=1)
    middle = sound[pause.start + TAIL * FRAME : pause.end]
    assert not middle.any()


def test_a_turn_ends_soon_after_its_last_sound() -> None:
    (_, within, _), (_, ends, _) = said("好。"), said("好。", last=True)
    assert within[-1].end - within[-1].start == round(0.32 * SAMPLE_RATE)
    assert ends[-1].end - ends[-1].start == round(0.12 * SAMPLE_RATE)


def test_silence_around_a_clause_is_never_made_sound_of() -> None:
    vocoder = Hum()
    said("好，好。", of=speaker(vocoder))
    one = 4 * SYMBOL_FRAMES + LEAD + TAIL
    assert [end - start for start, end in vocoder.ranges] == [one, one]
    assert vocoder.ranges[0][0] == PAD_FRAMES - LEAD


def test_clauses_have_soft_edges() -> None:
    sound, _, _ = said("好。", last=True)
    assert abs(sound[0]) < 0.02
    heard = np.flatnonzero(sound)
    assert abs(sound[heard[-1]]) < 0.02


def test_nothing_is_louder_than_the_ceiling() -> None:
    sound, _, _ = said("你好，好。", of=speaker(Hum(0.95)))
    assert np.abs(sound).max() <= CEILING


def test_the_first_group_is_short_and_later_ones_span_sentences() -> None:
    encoder = Ruler()
    said("你好，" * 30, of=speaker(encoder=encoder))
    sizes = [symbols for symbols, _ in encoder.asked]
    assert sizes[0] <= 40
    assert 100 < max(sizes) <= LATER_SYMBOLS


def test_moods_change_pitch_range_and_pace() -> None:
    def measured(mood: Emotion) -> tuple[float, float, float]:
        vocoder, encoder = Hum(), Ruler()
        said("你好。", mood=mood, of=speaker(vocoder, encoder))
        f0 = vocoder.features[0].f0
        logs = np.log(f0[f0 > 0])
        return float(logs.mean()), float(logs.std()), encoder.asked[0][1]

    joy, plain, sad = measured(EMOTION_JOY), measured(EMOTION_NEUTRAL), measured(EMOTION_SAD)
    assert joy[0] > plain[0] > sad[0]
    assert joy[1] > plain[1] > sad[1]
    assert joy[2] > plain[2] > sad[2]
    assert all(0.85 <= pace <= 1.2 for _, _, pace in (joy, plain, sad))


def test_without_a_voice_the_pitch_stays_as_it_is() -> None:
    vocoder = Hum()
    said("好。", mood=EMOTION_JOY, of=speaker(vocoder))
    f0 = vocoder.features[0].f0
    assert (f0[: 2 * PAD_FRAMES] == 0).all()


@pytest.mark.parametrize("text", ["", "   ", "🤪", "مرحبا", "\0", "。。。", "[["])
def test_nothing_comes_of_what_cannot_be_said(text: str) -> None:
    assert list(speaker().speak(TextSegment(text=text))) == []


def test_figures_alone_are_said_in_the_language_that_she_speaks() -> None:
    chinese, english = (
        [phone.ipa for piece in speaker().speak(TextSegment(text="42", language=each)) for phone in piece.phonemes]
        for each in ("zh", "en")
    )
    assert chinese != english


@settings(deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="abcdxq'的好 ,。", max_size=800))
def test_any_text_can_be_said_as_far_as_the_network_takes_it(text: str) -> None:
    encoder = Ruler()
    for piece in speaker(encoder=encoder).speak(TextSegment(text=text)):
        assert np.isfinite(piece.sound).all()
        assert all(a.end == b.start for a, b in pairwise(piece.phonemes))
    assert all(symbols <= MAX_SYMBOLS for symbols, _ in encoder.asked)


def test_nonsense_without_end_is_cut() -> None:
    encoder = Ruler()
    assert list(speaker(encoder=encoder).speak(TextSegment(text=("zkxvbl" * 4 + " ") * 20)))
    assert max(symbols for symbols, _ in encoder.asked) == MAX_SYMBOLS


def test_silence_where_sound_was_expected_is_left_out() -> None:
    class Mute(Ruler):
        def __call__(self, tokens: Sequence[int], style: Floats, speed: float) -> Features:
            features = super().__call__(tokens, style, speed)
            return Features(features.inner, features.f0, np.full_like(features.energy, -9.5), style, features.durations)

    assert list(speaker(encoder=Mute()).speak(TextSegment(text="你好。"))) == []
