"""The teacher's speech, to learn from: clips of features and sound, made by seeded generators.

Clip number i depends on the seed and i alone, so making can be stopped, resumed and shared out among processes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from rich.progress import track

from services.speech.model.vocoder.texts import Symbols, training_text
from services.speech.natural.encoder import Encoder, Features, Floats, Ints, session
from services.speech.natural.files import DECODER, ENCODER, ENERGY, F0, FEATURES, HARMONICS, SOURCE, VOICES
from services.speech.natural.voices import TIMBRE, Styles
from services.speech.natural.voices import VOICES as HER_VOICES
from services.training.arrays import save_arrays

TRAINED = {
    "zh": ("zf_xiaoxiao", "zf_xiaoyi", "zf_xiaobei"),
    "en": (
        *("af_heart", "af_bella", "af_nicole", "af_nova", "af_alloy", "af_aoede", "af_jessica", "af_kore", "af_river"),
        *("bf_alice", "bf_emma", "bf_isabella", "bf_lily"),
    ),
}
MEN = {"zh": ("zm_yunyang", "zm_yunjian"), "en": ("am_michael",)}
"""A few clips, so that low pitch is known too."""
UNSEEN = {"zh": ("zm_yunxia", "zm_yunxi"), "en": ("af_sky", "af_sarah")}
"""Never trained on: for testing."""
HER_SHARE = 0.35
"""Share of clips in Lydia's own voices, whose timbre and melody come from different voices."""
SPEEDS = (0.85, 1.2)
PITCHES = (0.9, 1.12)
"""Factors on the pitch: moods raise and lower it."""
MOVED_SHARE = 0.4
"""Share of clips whose timbre is moved off the voices' own, in any direction: the few voices that are trained span a
small part of the space of styles, and two thirds of what sets another voice apart lie outside it.
"""
MOVES = (0.4, 1.2)
"""By how much: 1 is how far the trained voices lie apart."""
LEAD, TAIL = 10, 14
"""Frames of silence that stay before and after the speech."""
ROW = 60
"""The text length, in symbols, at which the voices' styles are compared."""
FRAME = 600
"""Samples per frame."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Features and the sound that the teacher makes of them: [600 T] samples at 24 kHz."""

    features: Features
    sound: Floats
    tokens: Ints


class Teacher:
    """The open network with its own, heavy vocoder."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the natural voice's files."""
        self.encoder = Encoder(folder / ENCODER)
        self._source, self._decoder = session(folder / SOURCE), session(folder / DECODER)
        with np.load(folder / VOICES) as voices:
            self.voices = {name: voices[name].reshape(-1, 256) for name in voices.files}
        trained = [name for names in (*TRAINED.values(), *MEN.values()) for name in names]
        self.spread: Floats = np.stack([self.voices[name][ROW, :TIMBRE] for name in trained]).std(0)
        """[TIMBRE] How far the trained voices lie apart."""

    def style(self, weights: dict[str, float], symbols: int) -> Floats:
        """[256] The mixed style of voices for a text of so many symbols."""
        row = min(max(symbols - 1, 0), 509)
        mixed: Floats = sum(
            (np.float32(weight) * self.voices[name][row] for name, weight in weights.items()),
            np.zeros(256, dtype=np.float32),
        )
        return mixed / np.float32(sum(weights.values()))

    def decode(self, features: Features) -> Floats:
        """The sound of features. [600 T]"""
        f0 = features.f0.reshape(1, -1)
        (harmonics,) = self._source.run(None, {F0: f0})
        given = {
            FEATURES: features.inner[None],
            F0: f0,
            ENERGY: features.energy.reshape(1, -1),
            HARMONICS: harmonics,
            "style": features.style.reshape(1, -1),
        }
        sound: Floats = self._decoder.run(None, given)[0].reshape(-1)
        return sound


def cut(features: Features, begin: int, end: int) -> Features:
    """The frames begin … end. Durations stay those of the whole."""
    return Features(
        features.inner[:, begin:end],
        features.f0[2 * begin : 2 * end],
        features.energy[2 * begin : 2 * end],
        features.style,
        features.durations,
    )


def spoken(features: Features) -> tuple[int, int]:
    """First and last frame of the speech with a little silence: what is before and after teaches nothing."""
    total, ends = features.inner.shape[1], features.durations
    begin = spoken_from(ends)
    # The final punctuation's token holds the trailing silence.
    end = min(total, total - int(ends[-1]) - int(ends[-2]) + TAIL)
    return begin, max(end, begin + 1)


def spoken_from(durations: Ints) -> int:
    """The first of them."""
    return max(0, int(durations[0]) - LEAD)


def make_clip(index: int, seed: int, teacher: Teacher, symbols: Symbols) -> Clip:
    """Clip number `index`: language, text, voice and speed are drawn from its own generator."""
    random = np.random.default_rng((seed, index))
    language: Literal["zh", "en"] = "en" if index % 2 else "zh"
    tokens = list(symbols(training_text(language, random), language))[:400]
    if random.random() < HER_SHARE:
        her = HER_VOICES[str(random.choice(sorted(HER_VOICES)))]
        style = Styles(her, teacher.voices)(language, len(tokens))
    else:
        style = teacher.style(draw_voice(language, random), len(tokens))
    speed, pitch = (1.0 if random.random() < 0.4 else float(random.uniform(*span)) for span in (SPEEDS, PITCHES))
    features = teacher.encoder([0, *tokens, 0], style, speed)
    features = replace(features, f0=features.f0 * np.float32(pitch))
    begin, end = spoken(features)
    features = cut(features, begin, end)
    if random.random() < MOVED_SHARE:
        features = replace(features, style=moved(features.style, teacher.spread, random))
    return Clip(features, teacher.decode(features), np.array(tokens))


def moved(style: Floats, spread: Floats, random: np.random.Generator) -> Floats:
    """[256] The style with its timbre moved in a random direction. `spread`: [TIMBRE], of the voices."""
    elsewhere = style.copy()
    elsewhere[:TIMBRE] += random.uniform(*MOVES) * spread * random.standard_normal(TIMBRE).astype(np.float32)
    return elsewhere


def draw_voice(language: str, random: np.random.Generator) -> dict[str, float]:
    """Name → weight: one voice, a mix of two, or now and then a mix across the languages, or a man's."""
    own, other = TRAINED[language], TRAINED["en" if language == "zh" else "zh"]
    kind = random.random()
    if kind < 0.45:
        return {str(random.choice(own)): 1.0}
    if kind < 0.53:
        return {str(random.choice(MEN[language])): 1.0}
    share = float(random.uniform(0.2, 0.8))
    if kind < 0.80:
        first, second = (str(name) for name in random.choice(own, 2, replace=False))
    else:
        first, second, share = str(random.choice(own)), str(random.choice(other)), max(share, 0.4)
    return {first: share, second: 1 - share}


def path_of(folder: Path, index: int) -> Path:
    """Where a clip lies."""
    return folder / f"{index:05d}.npz"


def save(path: Path, clip: Clip) -> None:
    """Writes a clip so that a half-written one is never taken for whole."""
    save_arrays(
        path,
        inner=clip.features.inner.astype(np.float16),
        f0=clip.features.f0,
        energy=clip.features.energy,
        style=clip.features.style,
        durations=clip.features.durations,
        sound=clip.sound.astype(np.float16),
        tokens=clip.tokens,
    )


def load(path: Path) -> Clip:
    """Reads a clip."""
    with np.load(path) as data:
        features = Features(
            data["inner"].astype(np.float32), data["f0"], data["energy"], data["style"], data["durations"]
        )
        return Clip(features, data["sound"].astype(np.float32), data["tokens"])


def make(
    folder: Path, count: int, seed: int, teacher: Teacher, symbols: Symbols, part: tuple[int, int] = (0, 1)
) -> None:
    """Makes the clips that are missing. `part`: which of how many processes this one is."""
    folder.mkdir(parents=True, exist_ok=True)
    mine = range(part[0], count, part[1])
    for index in track(mine, description="teacher's speech", disable=part[0] > 0):
        if not path_of(folder, index).exists():
            save(path_of(folder, index), make_clip(index, seed, teacher, symbols))
