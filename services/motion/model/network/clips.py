"""Clips to learn from: what the network hears of a voice, clean and spoiled, and what the rules do with its phonemes.

Clip number i depends on the seed and i alone, so making can be stopped, resumed and shared out among processes, and
gives the same bytes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from services.core.events import EMOTION_UNSPECIFIED, Phoneme
from services.motion.model.network.controls import controls
from services.motion.model.network.features import hear
from services.motion.model.network.speakers import (
    NaturalSpeakers,
    Said,
    draw_fast_voice,
    draw_voice,
    say_fast,
)
from services.motion.model.network.spoil import QUIET_DB, at_level, spoiled, stretched
from services.motion.performance import MOODS
from services.speech.espeak.client import EspeakClient, espeak_client
from services.speech.model.vocoder.texts import training_text
from services.speech.sound import SAMPLE_RATE, Samples, silence
from services.speech.text import Language
from services.training.arrays import save_arrays

Floats = NDArray[np.float32]
Random = np.random.Generator

FAST_SHARE = 0.35
"""Of clips spoken by espeak-ng."""
STRETCHED_SHARE, FACTORS = 0.5, (0.84, 1.22)
"""Of clips that are played slower or faster, for smaller and larger people; by how much."""
RANDOM_SHARE = 0.4
"""Of clips that say random words: of sentences there are few, and the network would know what comes next by heart."""
MIXED_SHARE = 0.1
"""Of clips in both languages."""
VARIANTS = 4
"""Of each clip: as it was spoken at some level, and spoiled in different ways."""
TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Clip:
    """n frames."""

    heard: Floats
    """[VARIANTS, n, features.WIDTH]"""
    wanted: Floats
    """[n, controls.SIZE]"""


async def make_clip(index: int, seed: int, natural: NaturalSpeakers, fast: EspeakClient) -> Clip:
    """Clip number `index`: voice, text and mishaps are drawn from its own generator."""
    random = np.random.default_rng((seed, index))
    language: Language = "en" if index % 2 else "zh"
    text = training_text(language, random, random_share=RANDOM_SHARE)
    if random.random() < MIXED_SHARE:
        text += training_text("zh" if language == "en" else "en", random, random_share=RANDOM_SHARE)
    if random.random() < FAST_SHARE:
        said = await say_fast(fast, text, draw_fast_voice(random))
    else:
        voice = draw_voice(language, random)
        emotion = random.choice([EMOTION_UNSPECIFIED, *MOODS])
        said = natural.say(text, voice, emotion, float(random.uniform(0.2, 1)))
    if random.random() < STRETCHED_SHARE:
        said = slowed(said, float(random.uniform(*FACTORS)))
    said = within_silence(said, float(random.uniform(0.1, 0.9)), float(random.uniform(0.1, 0.9)))
    return clip_of(said.sound, said.phonemes, random)


def clip_of(sound: Samples, phonemes: Sequence[Phoneme], random: Random) -> Clip:
    """A voice at 24 kHz and its phonemes, as a clip."""
    variants = [at_level(sound, float(random.uniform(QUIET_DB, -12)))]
    variants += [spoiled(sound, random) for _ in range(VARIANTS - 1)]
    return Clip(np.stack([hear(variant) for variant in variants]), controls(sound, phonemes))


def slowed(said: Said, factor: float) -> Said:
    """Played `factor` times as slowly, see `stretched`."""
    moved = tuple(
        Phoneme(
            ipa=p.ipa,
            start_sample=round(p.start_sample * factor),
            end_sample=round(p.end_sample * factor),
            stress=p.stress,
        )
        for p in said.phonemes
    )
    return Said(stretched(said.sound, factor), moved)


def within_silence(said: Said, before_s: float, after_s: float) -> Said:
    """With silence around it."""
    lead = round(before_s * SAMPLE_RATE)
    moved = tuple(
        Phoneme(ipa=p.ipa, start_sample=p.start_sample + lead, end_sample=p.end_sample + lead, stress=p.stress)
        for p in said.phonemes
    )
    return Said(np.concatenate([silence(before_s), said.sound, silence(after_s)]), moved)


def path_of(folder: Path, index: int) -> Path:
    """Where a clip lies."""
    return folder / f"{index:05d}.npz"


def save(path: Path, clip: Clip) -> None:
    """Writes a clip so that a half-written one is never taken for whole."""
    save_arrays(path, heard=clip.heard.astype(np.float16), wanted=clip.wanted.astype(np.float16))


def load(path: Path) -> Clip:
    """Reads a clip; its arrays are in half precision."""
    with np.load(path) as data:
        return Clip(data["heard"], data["wanted"])


def make(folder: Path, count: int, seed: int, voice: Path, part: tuple[int, int] = (0, 1)) -> None:
    """Makes the clips that are missing. `voice`: the natural voice's files. `part`: which of how many processes this
    one is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [index for index in range(part[0], count, part[1]) if not path_of(folder, index).exists()]
    if missing:
        asyncio.run(_make(folder, missing, seed, voice, shows=part[0] == 0))


async def _make(folder: Path, missing: Sequence[int], seed: int, voice: Path, *, shows: bool) -> None:
    natural = NaturalSpeakers(voice)
    async with espeak_client(timeout_s=TIMEOUT_S) as fast:
        for index in track(missing, description="voices and mouths", disable=not shows):
            save(path_of(folder, index), await make_clip(index, seed, natural, fast))
