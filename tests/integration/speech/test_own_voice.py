"""With her own network she speaks by files of this repository alone, and no worse than with those of others."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from services import doctor
from services.building import speech as building
from services.core.events import TextSegment
from services.core.settings import Settings
from services.places import ROOT, VOICE
from services.speech.evaluate import joined
from services.speech.model import natural
from services.speech.model.letters import words
from services.speech.model.letters.evaluate import wrong
from services.speech.model.letters.letters import WEIGHTS as LETTERS
from services.speech.model.letters.letters import Letters
from services.speech.model.text2speech.encoder import FRAME_WEIGHTS, SYMBOL_WEIGHTS, OwnEncoder
from services.speech.model.vocoder.texts import LANGUAGES, reading, unseen_sentences
from services.speech.model.vocoder.vocoder import WEIGHTS as VOCODER
from services.speech.natural.encoder import PAD
from services.speech.natural.english import English, Entry
from services.speech.natural.files import ENGLISH, SYMBOLS, VOICES
from services.speech.natural.letters import pronounce
from services.speech.natural.loading import own_reader
from services.speech.natural.reading import Reader
from services.speech.natural.styles import KEPT, KeptStyles
from services.speech.natural.symbols import NUMBERS
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Melody, Styles
from services.speech.service import NATURAL
from services.speech.text import phrases


@pytest.fixture(scope="module")
def lexicon() -> dict[str, Entry]:
    found: dict[str, Entry] = json.loads((VOICE / ENGLISH).read_text(encoding="utf-8"))
    return found


async def test_she_speaks_where_no_file_of_others_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "VOICE", tmp_path)
    settings = Settings.model_validate({"speech": {"own_network": True}})
    voice = building.natural_voices(settings)[NATURAL]
    voice.start()
    try:
        await voice.loaded()
        text = "你好，我是李星澜。Nice to meet you, Gwendolyn!"
        segment = TextSegment(turn_id="t", room_id="r", epoch=1, text=text, last=True)
        chunks = [chunk async for chunk in voice.stream(segment)]
    finally:
        await voice.close()
    sound, _ = joined(chunks)
    assert 3 < len(sound) / 24_000 < 7
    assert 0.03 < np.sqrt(np.square(sound).mean()) < 0.3
    said = "".join(phoneme.ipa for chunk in chunks for phoneme in chunk.phonemes)
    assert said.startswith("ni")
    assert "ɡwɛn" in said


def test_all_that_she_then_speaks_by_is_in_the_repository_and_small() -> None:
    parts = (SYMBOL_WEIGHTS, FRAME_WEIGHTS, VOCODER, LETTERS, words.WORDS, words.KNOWN, KEPT)
    assert all(part.is_relative_to(ROOT) and not part.is_relative_to(VOICE) for part in parts)
    assert sum(part.stat().st_size for part in parts) <= 15e6
    assert sum(part.stat().st_size for part in (LETTERS, words.WORDS, words.KNOWN)) <= words.ROOM


async def test_the_doctor_misses_nothing_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natural, "VOICE", tmp_path)
    for own in (True, False):
        settings = Settings.model_validate({"speech": {"own_network": own}})
        assert (await doctor._part("natural voice", doctor._natural_voice, settings)).well is own


def test_the_finest_voice_needs_files_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(building, "VOICE", tmp_path)
    with caplog.at_level(logging.WARNING):
        assert list(
            building.natural_voices(Settings.model_validate({"speech": {"own_network": True, "finest": True}}))
        ) == [NATURAL]
    assert "her own vocoder speaks" in caplog.text


def test_symbols_have_the_numbers_of_the_network_that_taught_hers() -> None:
    taught = json.loads((VOICE / SYMBOLS).read_text(encoding="utf-8"))
    assert {symbol: taught[symbol] for symbol in NUMBERS} == NUMBERS


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_read_as_with_the_open_lexicon(language: str, lexicon: dict[str, Entry]) -> None:
    own, right = own_reader(), Reader(English(lexicon), NUMBERS)
    for text in unseen_sentences(language, 100):
        for phrase in phrases(text):
            found = own.phones(phrase, ends=True)
            assert found == right.phones(phrase, ends=True)
            assert all(symbol in NUMBERS for phone in found for symbol in phone.symbols)


def test_words_that_training_never_saw_are_said_better_than_by_rules(lexicon: dict[str, Entry]) -> None:
    spelling = pytest.importorskip("services.speech.model.letters.spelling", exc_type=ImportError)
    unseen = {word: said for word, said in spelling.words_of(lexicon).items() if spelling.held_out(word)}
    some = dict(sorted(unseen.items())[::20])
    own, rules = wrong(some, Letters()), wrong(some, pronounce)
    assert own.sounds < 0.10
    assert own.sounds < 0.4 * rules.sounds


@pytest.mark.parametrize("voice", sorted(HER_VOICES))
@pytest.mark.parametrize("language", LANGUAGES)
def test_kept_styles_sound_like_those_of_the_open_networks_voices(voice: str, language: str) -> None:
    """Through her encoder: lengths, melody and energy."""
    with np.load(VOICE / VOICES) as tables:
        right = Styles(HER_VOICES[voice], tables)
    kept, encoder, read = KeptStyles(voice), OwnEncoder(), reading(VOICE)
    melody: Melody = "en" if language == "en" else "zh"
    off, lengths = [], []
    for text in unseen_sentences(language, 8):
        tokens = [PAD, *read(text, language), PAD]
        first, second = (encoder(tokens, styles(melody, len(tokens) - 2), 1.0) for styles in (right, kept))
        lengths.append(second.durations.sum() / first.durations.sum())
        if np.array_equal(first.durations, second.durations):
            both = (first.f0 > 40) & (second.f0 > 40)
            off.append(np.abs(12 * np.log2(second.f0[both] / first.f0[both])).mean())
    assert np.abs(np.array(lengths) - 1).max() < 0.01
    assert off
    assert max(off) < 0.1, "semitones"
