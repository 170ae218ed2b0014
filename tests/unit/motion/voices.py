"""Voice chunks made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from services.core.events import EMOTION_UNSPECIFIED, GESTURE_UNSPECIFIED, Emotion, Gesture, Phoneme, VoiceChunk
from services.motion.frames import SAMPLE_RATE, Frames, of_chunk
from services.motion.model.rules import Rules

MS = SAMPLE_RATE // 1000
SIZES = (2_400, 4_800, 9_600, 19_200, 24_000)
"""Samples of a turn's chunks."""


def phonemes(*sounds: tuple[str, int] | tuple[str, int, int], start_ms: int = 0) -> list[Phoneme]:
    """Phonemes one after another from (ipa, milliseconds[, stress])."""
    made = []
    for ipa, lasts_ms, *stress in sounds:
        made.append(
            Phoneme(
                ipa=ipa,
                start_sample=start_ms * MS,
                end_sample=(start_ms + lasts_ms) * MS,
                stress=stress[0] if stress else 0,
            )
        )
        start_ms += lasts_ms
    return made


def hum(samples: int, hertz: float = 200.0, loud: float = 0.3) -> bytes:
    """A tone."""
    tone = loud * np.sin(2 * np.pi * hertz * np.arange(samples) / SAMPLE_RATE)
    return (32_767 * tone).astype("<i2").tobytes()


def cut(
    sound: Callable[[int, int], bytes],
    segments: Sequence[tuple[int, int]],
    *,
    sizes: Sequence[int] = SIZES,
    turn_id: str = "turn",
    emotion: Emotion = EMOTION_UNSPECIFIED,
    intensity: float = 0.0,
    gestures: Sequence[Gesture] = (),
) -> list[VoiceChunk]:
    """A turn, cut to these sizes (the last one again and again). `sound`: first sample and how many → PCM; `segments`:
    samples at which each begins and ends.
    """
    chunks: list[VoiceChunk] = []
    for number, (start, end) in enumerate(segments):
        at = start
        while at < end:
            size = min(sizes[min(len(chunks), len(sizes) - 1)], end - at)
            chunks.append(
                VoiceChunk(
                    room_id="room",
                    turn_id=turn_id,
                    epoch=1,
                    sequence=len(chunks),
                    segment=number,
                    sample_rate=SAMPLE_RATE,
                    start_sample=at,
                    pcm_s16le=sound(at, size),
                    emotion=emotion,
                    intensity=intensity,
                    gesture=gestures[number] if number < len(gestures) else GESTURE_UNSPECIFIED,
                    last_of_segment=at + size == end,
                    segment_start_sample=start,
                )
            )
            at += size
    chunks[-1].last = True
    return chunks


def voice(
    segments: Sequence[Sequence[Phoneme]],
    *,
    sizes: Sequence[int] = SIZES,
    turn_id: str = "turn",
    emotion: Emotion = EMOTION_UNSPECIFIED,
    intensity: float = 0.0,
    gestures: Sequence[Gesture] = (),
    known: bool = True,
    text: str = "",
) -> list[VoiceChunk]:
    """A turn that hums these phonemes, cut to these sizes."""
    chunks = cut(
        lambda _, size: hum(size),
        [(segment[0].start_sample, segment[-1].end_sample) for segment in segments],
        sizes=sizes,
        turn_id=turn_id,
        emotion=emotion,
        intensity=intensity,
        gestures=gestures,
    )
    for chunk in chunks:
        chunk.text = text
        if known:
            chunk.phonemes.extend(segments[chunk.segment])
    return chunks


def performed(chunks: Sequence[VoiceChunk]) -> Frames:
    """All frames that the rules make of a turn."""
    rules = Rules()
    parts = [of_chunk(rules.answer(chunk)) for chunk in chunks]
    return Frames(np.concatenate([part.face for part in parts]), np.concatenate([part.joints for part in parts]))


def frame(ms: float) -> int:
    """The frame that is shown at this time."""
    return round(ms * 60 / 1000)
