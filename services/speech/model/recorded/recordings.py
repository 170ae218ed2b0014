"""Recordings of people who agreed to it, as the field keeps them: folders in LJSpeech's and AISHELL-3's format.

| format | sound | text |
|---|---|---|
| LJSpeech | `wavs/ID.wav` | `metadata.csv`: `id|text|text with numbers spelled out` |
| AISHELL-3 | `wav/SPEAKER/ID.wav` | `content.txt`: `ID.wav`, a tab, Hanzi and pinyin in turn; or both in `train/` |
"""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.speech.mandarin import Syllable, words
from services.speech.natural.phones import SPACE, Phone
from services.speech.natural.pinyin import UnknownSyllable, phones, syllable
from services.speech.natural.reading import ENDS, Reader
from services.speech.sound import Samples, from_s16le, resample
from services.speech.text import phrases

ONE = "speaker"
"""The name of the only speaker of an LJSpeech folder is that of the folder; this, when the folder has none."""
_PINYIN = re.compile("([a-zü]+)([1-5])")


class BadFolder(Exception):
    """A folder is no set of recordings; the message says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One sentence that somebody said."""

    path: Path
    """A WAV file of 16 bits."""
    speaker: str
    text: str
    """As it was said; Hanzi where `pinyin` says how."""
    pinyin: tuple[str, ...] = ()
    """With tones in digits; empty when nobody wrote it down."""


def read(folder: Path) -> list[Recording]:
    """What the folder holds, sorted; a line without its sound is left out. Raises BadFolder."""
    if (folder / "metadata.csv").is_file():
        found = list(_of_ljspeech(folder))
    elif (place := next((at for at in (folder, folder / "train") if (at / "content.txt").is_file()), None)) is not None:
        found = list(_of_aishell(place))
    else:
        raise BadFolder(
            f"{folder} has neither metadata.csv nor content.txt. Mend: name a folder of LJSpeech's or AISHELL-3's kind"
        )
    found = sorted((one for one in found if one.path.is_file()), key=lambda one: str(one.path))
    if not found:
        raise BadFolder(f"{folder} has no sound of any line that it lists. Mend: see that its WAV files are there")
    return found


def _of_ljspeech(folder: Path) -> Iterator[Recording]:
    for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, *texts = line.split("|")
        if texts:
            yield Recording(folder / "wavs" / f"{name}.wav", folder.resolve().name or ONE, texts[-1].strip())


def _of_aishell(folder: Path) -> Iterator[Recording]:
    for line in (folder / "content.txt").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition("\t")
        said = rest.split()
        # The first letters of a file's name are its speaker's, SSB0005 of SSB00050001.wav.
        speaker = name[:7]
        yield Recording(folder / "wav" / speaker / name, speaker, "".join(said[::2]), tuple(said[1::2]))


def sound_of(path: Path) -> Samples:
    """The recording at 24 kHz, one channel. Raises BadFolder when it is no WAV file of 16 bits."""
    try:
        with wave.open(str(path)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise BadFolder(f"{path} cannot be read: {error}") from None
    if width != 2:
        raise BadFolder(f"{path} has {8 * width} bits. Mend: bring the recordings to 16")
    sound = from_s16le(data).reshape(-1, channels).mean(axis=1)
    return resample(np.ascontiguousarray(sound, np.float32), rate)


def tokens_of(recording: Recording, reader: Reader) -> list[int]:
    """Its symbols' numbers, with pads."""
    if recording.pinyin:
        return reader.tokens([*_of_pinyin(recording.text, recording.pinyin), Phone(ENDS, "")])
    found: list[Phone] = []
    parts = phrases(recording.text)
    for number, phrase in enumerate(parts, 1):
        found += [*reader.phones(phrase, ends=number == len(parts)), SPACE]
    return reader.tokens(found[:-1])


def _of_pinyin(hanzi: str, pinyin: Sequence[str]) -> list[Phone]:
    """The sounds that were written down, in the words that the text consists of."""
    said = [one for one in map(_syllable, pinyin) if one is not None]
    grouped: list[list[Syllable]] = []
    rest = list(said)
    for word in words(hanzi):
        grouped.append(rest[: len(word)])
        rest = rest[len(word) :]
    if rest or any(not word for word in grouped):  # an r that was written as a part of its syllable, a letter
        grouped = [[one] for one in said]
    return phones(grouped)


def _syllable(written: str) -> Syllable | None:
    match = _PINYIN.fullmatch(written.lower())
    if match is None:
        return None
    base, tone = match[1].replace("ü", "v"), int(match[2])
    for known in (base, base.removesuffix("r")):
        try:
            syllable(known, tone, 0)
        except UnknownSyllable:
            continue
        return Syllable(known, tone, focus=False)
    return None
