"""Her own text2speech network beside the open encoder that taught it, on sentences that training never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.core.events import TextSegment
from services.places import VOICE
from services.speech.model.text2speech import utterances
from services.speech.model.text2speech.encoder import OwnEncoder
from services.speech.model.vocoder.texts import LANGUAGES, reading, unseen_sentences
from services.speech.natural.encoder import PAD, Encoder, Features, Floats
from services.speech.natural.files import ENCODER, VOICES
from services.speech.natural.loading import load
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Styles

VOICED_HZ = 40.0


@pytest.fixture(scope="module")
def tables() -> dict[str, Floats]:
    with np.load(VOICE / VOICES) as voices:
        return {name: voices[name] for name in voices.files}


@pytest.fixture(scope="module", params=LANGUAGES)
def pairs(request: pytest.FixtureRequest, tables: dict[str, Floats]) -> list[tuple[Features, Features]]:
    """What the open encoder and her own network say of the same sentences."""
    read, open_one, own = reading(VOICE), Encoder(VOICE / ENCODER), OwnEncoder()
    styles = Styles(HER_VOICES["lydia"], tables)
    found = []
    for text in unseen_sentences(request.param, 8):
        tokens = [PAD, *read(text, request.param), PAD]
        style = styles(request.param, len(tokens) - 2)
        found.append((open_one(tokens, style, 1.0), own(tokens, style, 1.0)))
    return found


def test_sentences_last_as_long_and_so_do_their_sounds(pairs: list[tuple[Features, Features]]) -> None:
    for taught, own in pairs:
        assert abs(own.durations.sum() / taught.durations.sum() - 1) < 0.12
    apart = np.concatenate([np.abs(own.durations - taught.durations)[1:-1] for taught, own in pairs])
    assert apart.mean() < 0.7, "frames of 25 ms"


def test_sounds_are_those_of_the_open_encoder(pairs: list[tuple[Features, Features]]) -> None:
    taught, own = (np.concatenate([_by_symbol(pair[which])[1:-1] for pair in pairs]) for which in (0, 1))
    unexplained = np.square(own - taught).mean() / np.square(taught - taught.mean(0)).mean()
    assert unexplained < 0.35


def test_the_melody_follows_the_same_line(pairs: list[tuple[Features, Features]]) -> None:
    """Symbol by symbol, because the lengths differ a little."""
    taught, own = (np.concatenate([_pitch_by_symbol(pair[which]) for pair in pairs]) for which in (0, 1))
    both = ~np.isnan(taught) & ~np.isnan(own)
    assert (np.isnan(taught) == np.isnan(own)).mean() > 0.9
    assert np.corrcoef(taught[both], own[both])[0, 1] > 0.8


def test_a_slower_voice_takes_longer(tables: dict[str, Floats]) -> None:
    own, style = OwnEncoder(), Styles(HER_VOICES["lydia"], tables)("zh", 20)
    tokens = [PAD, *reading(VOICE)("今天的天气很不错，我们去公园。", "zh"), PAD]
    slow, fast = (own(tokens, style, speed).durations.sum() for speed in (0.85, 1.2))
    assert slow / fast == pytest.approx(1.2 / 0.85, rel=0.05)


def test_she_speaks_by_networks_that_are_all_her_own() -> None:
    speaker = load(VOICE, "lydia", own=True)
    segment = TextSegment(turn_id="t", room_id="r", epoch=1, text="你好，我是李星澜。Nice to meet you!", last=True)
    pieces = list(speaker.speak(segment))
    sound = np.concatenate([piece.sound for piece in pieces])
    assert 2.5 < len(sound) / 24_000 < 7
    assert 0.03 < np.sqrt(np.square(sound).mean()) < 0.3
    assert np.abs(sound).max() <= 1
    assert [sounding.ipa for piece in pieces for sounding in piece.phonemes if sounding.ipa][:2] == ["n", "i"]


def test_the_same_seed_makes_the_same_utterances_to_the_byte(tmp_path: Path, tables: dict[str, Floats]) -> None:
    encoder, read = Encoder(VOICE / ENCODER), reading(VOICE)
    for folder in ("one", "two"):
        utterances.make(tmp_path / folder, 3, 5, encoder, tables, read)
    for index in range(3):
        one, two = (utterances.path_of(tmp_path / folder, index).read_bytes() for folder in ("one", "two"))
        assert one == two


def _by_symbol(features: Features) -> Floats:
    first = np.cumsum(features.durations) - features.durations
    return np.ascontiguousarray(features.inner[:, first].T)


def _pitch_by_symbol(features: Features) -> Floats:
    """[n] Mean pitch of a symbol in semitones; NaN for one that is mostly without voice."""
    ends = 2 * np.cumsum(features.durations)
    parts = np.split(features.f0, ends[:-1])
    found = np.full(len(parts), np.nan, np.float32)
    for index, part in enumerate(parts):
        voiced = part[part > VOICED_HZ]
        if 2 * len(voiced) > len(part):
            found[index] = 12 * np.log2(voiced.mean())
    return found
