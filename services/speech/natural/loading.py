"""Brings up a natural voice from its files. ONNX Runtime is loaded with this file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from services.speech.model.letters import words
from services.speech.model.letters.letters import Letters
from services.speech.model.text2speech.encoder import OwnEncoder
from services.speech.model.vocoder.vocoder import Vocoder as OwnVocoder
from services.speech.natural.encoder import Encoder
from services.speech.natural.english import English
from services.speech.natural.files import (
    DECODER,
    ENCODER,
    ENGLISH,
    SOURCE,
    SYMBOLS,
    VOICES,
    FilesUnavailable,
    check,
)
from services.speech.natural.reading import Reader
from services.speech.natural.speaker import Encodes, Speaker, Vocoder
from services.speech.natural.styles import KeptStyles
from services.speech.natural.symbols import NUMBERS
from services.speech.natural.teacher import TeacherVocoder
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Styles


def load(folder: Path, voice: str, *, own: bool = False, teacher: bool = False, gpu: int | None = None) -> Speaker:
    """Reads the files: about a second. `own`: with Lydia's own text2speech network, and nothing that is not in the
    repository. `teacher`: with the open network's vocoder instead of ours. `gpu`: the one that the networks run on, by
    its number; the CPU by default.

    Raises FilesUnavailable when a file is missing or broken.
    """
    if names := needed(own=own, teacher=teacher):
        check(folder, *names)
    try:
        # Our own networks are checked in, so they are as they should be.
        vocoder: Vocoder = TeacherVocoder(folder, gpu=gpu) if teacher else OwnVocoder(gpu=gpu)
        if own:
            return Speaker(OwnEncoder(gpu=gpu), vocoder, own_reader(), HER_VOICES[voice], KeptStyles(voice))
        encoder: Encodes = Encoder(folder / ENCODER, gpu=gpu)
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise FilesUnavailable(f"the natural voice does not load: {error}") from None
    with np.load(folder / VOICES) as tables:
        styles = Styles(HER_VOICES[voice], tables)
    english, numbers = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (ENGLISH, SYMBOLS))
    reader = Reader(English(english, words.by_letters(Letters())), numbers)
    return Speaker(encoder, vocoder, reader, HER_VOICES[voice], styles)


def own_reader() -> Reader:
    """Reads both languages by files of this repository alone. Raises OSError, onnxruntime's errors."""
    return Reader(words.read(), NUMBERS)


def needed(*, own: bool, teacher: bool) -> tuple[str, ...]:
    """The open network's files without which a voice cannot speak."""
    return (*(() if own else (ENCODER, VOICES, SYMBOLS, ENGLISH)), *((SOURCE, DECODER) if teacher else ()))
