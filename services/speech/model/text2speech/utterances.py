"""What the open network's encoder says, to learn from: utterances made by seeded generators.

Utterance number i depends on the seed and i alone, so making can be stopped, resumed and shared out among processes,
and the same seed makes the same files to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from services.speech.model.vocoder.dataset import SPEEDS, draw_voice
from services.speech.model.vocoder.texts import LANGUAGES, Symbols, mixed_text, training_text
from services.speech.natural.encoder import PAD, Encoder, Features, Floats
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Melody, Styles
from services.training.arrays import save_arrays

HER_SHARE = 0.6
"""Share of utterances in Lydia's own voices."""
MIXED_SHARE = 0.15
"""Share of utterances with words of the other language among them."""
SHORT_SHARE = 0.5
"""Share of utterances that are one phrase: a turn's first sound is made of one."""
MOST = 220
"""Symbols of an utterance."""

_PHRASE_END = re.compile(r"(?<=[，。！？；：,.!?;:])\s*")


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text as symbols, how it is to be said, and how the encoder says it."""

    tokens: NDArray[np.int64]
    """[n] with PAD at both ends."""
    style: Floats
    """[256]"""
    speed: float
    inner: NDArray[np.float16]
    """[n, 512]: of a symbol, the same in all its frames."""
    durations: NDArray[np.int64]
    """[n] frames of 25 ms."""
    f0: Floats
    """[2T] Hz, T being the sum of the durations; about 0 where there is no voice."""
    energy: Floats
    """[2T]"""


def make_utterance(
    index: int, seed: int, encoder: Encoder, tables: Mapping[str, Floats], symbols: Symbols
) -> Utterance:
    """Utterance number `index`: language, text, voice and speed are drawn from its own generator."""
    random = np.random.default_rng((seed, index))
    language = LANGUAGES[index % 2]
    melody: Melody = "en" if language == "en" else "zh"
    text = training_text(language, random)
    if random.random() < MIXED_SHARE:
        text, melody = mixed_text(text, language, random), "mixed"
    if random.random() < SHORT_SHARE:
        text = str(random.choice([part for part in _PHRASE_END.split(text) if len(part) > 1] or [text]))
    tokens = list(symbols(text, language))[:MOST]
    if random.random() < HER_SHARE:
        her = HER_VOICES[str(random.choice(sorted(HER_VOICES)))]
        style = Styles(her, tables)(melody, len(tokens))
    else:
        style = _mixed(draw_voice(language, random), tables, len(tokens))
    speed = 1.0 if random.random() < 0.4 else float(random.uniform(*SPEEDS))
    return utterance_of(encoder([PAD, *tokens, PAD], style, speed), [PAD, *tokens, PAD], speed)


def utterance_of(features: Features, tokens: list[int], speed: float) -> Utterance:
    """What was made of `tokens`."""
    first = np.cumsum(features.durations) - features.durations
    return Utterance(
        np.array(tokens, np.int64),
        features.style,
        speed,
        np.ascontiguousarray(features.inner[:, first].T, np.float16),
        features.durations,
        features.f0.astype(np.float32),
        features.energy.astype(np.float32),
    )


def _mixed(weights: Mapping[str, float], tables: Mapping[str, Floats], symbols: int) -> Floats:
    rows = [np.float32(weight) * _row(tables[name], symbols) for name, weight in weights.items()]
    mixed: Floats = np.sum(rows, axis=0) / np.float32(sum(weights.values()))
    return mixed.astype(np.float32)


def _row(table: Floats, symbols: int) -> Floats:
    rows = table.reshape(-1, 256)
    row: Floats = rows[min(max(symbols, 1), len(rows)) - 1]
    return row


def path_of(folder: Path, index: int) -> Path:
    """Where an utterance lies."""
    return folder / f"{index:06d}.npz"


def save(path: Path, utterance: Utterance) -> None:
    """Writes an utterance so that a half-written one is never taken for whole."""
    save_arrays(
        path,
        tokens=utterance.tokens.astype(np.int16),
        style=utterance.style,
        speed=np.float32(utterance.speed),
        inner=utterance.inner,
        durations=utterance.durations.astype(np.int16),
        f0=utterance.f0,
        energy=utterance.energy,
    )


def load(path: Path) -> Utterance:
    """Reads an utterance."""
    with np.load(path) as data:
        return Utterance(
            data["tokens"].astype(np.int64),
            data["style"],
            float(data["speed"]),
            data["inner"],
            data["durations"].astype(np.int64),
            data["f0"],
            data["energy"],
        )


def make(
    folder: Path,
    count: int,
    seed: int,
    encoder: Encoder,
    tables: Mapping[str, Floats],
    symbols: Symbols,
    part: tuple[int, int] = (0, 1),
) -> None:
    """Makes the utterances that are missing. `part`: which of how many processes this one is."""
    folder.mkdir(parents=True, exist_ok=True)
    mine = range(part[0], count, part[1])
    for index in track(mine, description="utterances", disable=part[0] > 0):
        if not path_of(folder, index).exists():
            save(path_of(folder, index), make_utterance(index, seed, encoder, tables, symbols))
