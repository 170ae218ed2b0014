"""Folders of recordings are read as the field keeps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.speech.model.recorded.recordings import BadFolder, Recording, read, sound_of, tokens_of
from services.speech.natural.english import English
from services.speech.natural.reading import Reader
from services.speech.natural.symbols import NUMBERS
from tests.unit.speech.recorded.folders import TEXTS, aishell, hum, ljspeech, write

SYMBOLS = {number: symbol for symbol, number in NUMBERS.items()}


def said(text: str, *pinyin: str) -> str:
    reader = Reader(English({"soap": "sˈOp", "is": "ɪz"}), NUMBERS)
    tokens = tokens_of(Recording(Path("x.wav"), "somebody", text, pinyin), reader)
    assert tokens[0] == tokens[-1] == 0
    return "".join(SYMBOLS[token] for token in tokens[1:-1])


def test_a_folder_like_ljspeech_has_one_speaker_and_the_text_in_words(tmp_path: Path) -> None:
    found = read(ljspeech(tmp_path / "reader"))
    assert [recording.text for recording in found] == list(TEXTS)
    assert {recording.speaker for recording in found} == {"reader"}


def test_a_folder_like_aishell_3_has_many_and_says_how_each_hanzi_is_read(tmp_path: Path) -> None:
    found = read(aishell(tmp_path))
    assert {recording.speaker for recording in found} == {"SSB0001", "SSB0002"}
    assert len(found) == 6
    assert all(len(recording.text) == len(recording.pinyin) == 10 for recording in found)


def test_a_line_without_its_sound_is_left_out(tmp_path: Path) -> None:
    folder = ljspeech(tmp_path)
    (folder / "wavs" / "LJ002.wav").unlink()
    assert len(read(folder)) == len(TEXTS) - 1


def test_any_other_folder_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(BadFolder, match=r"metadata\.csv nor content\.txt"):
        read(tmp_path)
    (tmp_path / "metadata.csv").write_text("a|b|c\n")
    with pytest.raises(BadFolder, match="no sound"):
        read(tmp_path)


def test_sound_comes_at_her_rate_in_one_channel(tmp_path: Path) -> None:
    write(tmp_path / "one.wav", hum("a", 44_100, 200), 44_100)
    sound = sound_of(tmp_path / "one.wav")
    assert len(sound) == pytest.approx((0.4 + 0.11) * 24_000, abs=10)
    assert sound.dtype == np.float32
    (tmp_path / "two.wav").write_bytes(b"RIFF")
    with pytest.raises(BadFolder, match="cannot be read"):
        sound_of(tmp_path / "two.wav")


@pytest.mark.parametrize(
    ("text", "pinyin", "symbols"),
    [
        ("女人", ("nv3", "ren2"), "ny↓ ɻə↗n."),
        ("长大", ("zhang3", "da4"), "ꭧa↓ŋ ta↘."),
        ("花儿", ("huar1",), "xwa→."),
        ("行", ("hang2",), "xa↗ŋ."),
    ],
)
def test_the_written_pinyin_is_what_is_learned(text: str, pinyin: tuple[str, ...], symbols: str) -> None:
    assert said(text, *pinyin).replace(" ", "") == symbols.replace(" ", "")


def test_a_text_without_pinyin_is_read_as_she_reads() -> None:
    assert said("Soap is soap, soap!") == "sˈOp ɪz sˈOp, sˈOp!"
