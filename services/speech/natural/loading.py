"""Brings up a natural voice from its files. ONNX Runtime is loaded with this file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from services.speech.model.text2speech.encoder import OwnEncoder
from services.speech.model.vocoder.vocoder import Vocoder as OwnVocoder
from services.speech.natural.encoder import Encoder
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
from services.speech.natural.speaker import Speaker
from services.speech.natural.teacher import TeacherVocoder
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Styles


def load(folder: Path, voice: str, *, own: bool = False, teacher: bool = False, gpu: int | None = None) -> Speaker:
    """Reads the files: about a second. `own`: with Lydia's own text2speech network instead of the open one's encoder.
    `teacher`: with the open network's vocoder instead of ours. `gpu`: the one that the networks run on, by its number;
    the CPU by default.

    Raises FilesUnavailable when a file is missing or broken.
    """
    names = (*(() if own else (ENCODER,)), VOICES, SYMBOLS, ENGLISH, *((SOURCE, DECODER) if teacher else ()))
    check(folder, *names)
    with np.load(folder / VOICES) as tables:
        styles = Styles(HER_VOICES[voice], tables)
    reader = Reader(
        json.loads((folder / ENGLISH).read_text(encoding="utf-8")),
        json.loads((folder / SYMBOLS).read_text(encoding="utf-8")),
    )
    try:
        # Our own networks are checked in, so they are as they should be.
        encoder = OwnEncoder(gpu=gpu) if own else Encoder(folder / ENCODER, gpu=gpu)
        vocoder = TeacherVocoder(folder, gpu=gpu) if teacher else OwnVocoder(gpu=gpu)
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise FilesUnavailable(f"the natural voice does not load: {error}") from None
    return Speaker(encoder, vocoder, reader, HER_VOICES[voice], styles)
