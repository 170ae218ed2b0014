"""Who speaks for the network to learn from: the natural voice as many people, and espeak-ng at many rates and pitches.

Both know exactly when each phoneme sounds. Everything is drawn from the given generator, so a clip is the same again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.core.events import Emotion, Phoneme, TextSegment
from services.speech.espeak.client import EspeakClient
from services.speech.espeak.voice import Voice as FastVoice
from services.speech.espeak.voice import in_mood
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.vocoder.vocoder import Vocoder
from services.speech.natural.encoder import Encoder
from services.speech.natural.english import English
from services.speech.natural.files import ENCODER, ENGLISH, SYMBOLS, VOICES
from services.speech.natural.reading import Reader
from services.speech.natural.speaker import Speaker
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Manner, Melody, Mix, Styles, Voice
from services.speech.sound import Samples, from_s16le
from services.speech.text import Language

Random = np.random.Generator

TRAINED: dict[Language, tuple[str, ...]] = {
    "zh": ("zf_xiaobei", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunyang"),
    "en": (
        *("af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river"),
        *("am_michael", "bf_alice", "bf_isabella"),
    ),
}
UNSEEN: dict[Language, tuple[str, ...]] = {
    "zh": ("zm_yunxia", "zm_yunxi"),
    "en": ("af_sky", "af_sarah", "bf_emma", "bf_lily"),
}
"""Never trained on: for testing."""
HER_SHARE = 0.25
"""Of the natural voice's clips in Lydia's own voices."""
PACES, PITCHES = (0.85, 1.2), (0.85, 1.2)
RATES = (110, 260)
"""Words a minute of espeak-ng."""
HIGHEST, WIDEST = 90, 90
"""Units of espeak-ng's pitch and its range."""
UNSEEN_PITCH, UNSEEN_RATE, UNSEEN_RANGE = 20, 215, 25
"""espeak-ng as it never speaks in training: a voice of a person much larger, see `stretched`."""


@dataclass(frozen=True, slots=True)
class Said:
    """Sound at 24 kHz, and its phonemes, counted from its first sample."""

    sound: Samples
    phonemes: tuple[Phoneme, ...]


class NaturalSpeakers:
    """The natural voice as anybody."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the natural voice's files; they have been checked."""
        with np.load(folder / VOICES) as tables:
            self._tables: dict[str, NDArray[np.float32]] = {
                name: tables[name].reshape(-1, tables[name].shape[-1]) for name in tables.files
            }
        self._encoder, self._vocoder = Encoder(folder / ENCODER), Vocoder()
        self._reader = Reader(
            English(json.loads((folder / ENGLISH).read_text(encoding="utf-8"))),
            json.loads((folder / SYMBOLS).read_text(encoding="utf-8")),
        )

    def say(self, text: str, voice: Voice, emotion: Emotion, intensity: float) -> Said:
        """What this voice says."""
        styles = Styles(voice, self._tables)
        speaker = Speaker(self._encoder, self._vocoder, self._reader, voice, styles)
        segment = TextSegment(text=text, emotion=emotion, intensity=intensity, last=True)
        sounds: list[Samples] = []
        phonemes: list[Phoneme] = []
        at = 0
        for piece in speaker.speak(segment):
            phonemes += [
                Phoneme(ipa=p.ipa, start_sample=at + p.start, end_sample=at + p.end, stress=p.stress)
                for p in piece.phonemes
            ]
            sounds.append(piece.sound)
            at += len(piece.sound)
        return Said(np.concatenate(sounds), tuple(phonemes))


async def say_fast(client: EspeakClient, text: str, voice: FastVoice) -> Said:
    """What espeak-ng says at this rate and pitch, in either language's voice. Raises ModelFailed."""
    model = EspeakSpeech(
        client,
        lambda language, emotion, intensity: replace(
            in_mood(language, emotion, intensity), rate=voice.rate, pitch=voice.pitch, pitch_range=voice.pitch_range
        ),
    )
    pieces = [piece async for piece in model.stream(TextSegment(text=text, last=True))]
    phonemes = tuple(phoneme for piece in pieces for phoneme in piece.phonemes)
    return Said(np.concatenate([from_s16le(piece.pcm_s16le) for piece in pieces]), phonemes)


def draw_voice(language: Language, random: Random) -> Voice:
    """One of hers, or a person mixed of those trained on: how she sounds from up to three of any language, how she
    speaks from one or two who grew up with this one.
    """
    if random.random() < HER_SHARE:
        return HER_VOICES[str(random.choice(sorted(HER_VOICES)))]
    everybody = TRAINED["zh"] + TRAINED["en"]
    timbre = _mix(everybody if random.random() < 0.5 else TRAINED[language], int(random.integers(1, 4)), random)
    melody = _mix(TRAINED[language], int(random.integers(1, 3)), random)
    pitch, pace = (1.0 if random.random() < 0.3 else float(random.uniform(*span)) for span in (PITCHES, PACES))
    return person(timbre, melody, pitch=pitch, pace=pace)


def person(timbre: Mix, melody: Mix, *, pitch: float = 1.0, pace: float = 1.0) -> Voice:
    """Somebody who speaks all languages alike."""
    manners: dict[Melody, Manner] = {name: Manner(melody, pitch, pace, 1.3) for name in ("zh", "en", "mixed")}
    return Voice(timbre, manners)


def draw_fast_voice(random: Random) -> FastVoice:
    """espeak-ng at some rate and pitch."""
    rate, pitch, wide = int(random.integers(*RATES)), int(random.integers(5, HIGHEST)), int(random.integers(5, WIDEST))
    return FastVoice("", rate, pitch, wide, 1.0)


def _mix(names: tuple[str, ...], count: int, random: Random) -> Mix:
    chosen = [str(name) for name in random.choice(names, min(count, len(names)), replace=False)]
    shares = random.dirichlet(np.full(len(chosen), 2.0))
    return {name: float(share) for name, share in zip(chosen, shares, strict=True)}
