"""What a mood does to a voice, whichever voice it is."""

from __future__ import annotations

from dataclasses import dataclass

from services.core.events import (
    EMOTION_GRATEFUL,
    EMOTION_JOY,
    EMOTION_PLAYFUL,
    EMOTION_SAD,
    EMOTION_SERIOUS,
    EMOTION_SHY,
    EMOTION_SURPRISED,
    EMOTION_THINKING,
    Emotion,
)


@dataclass(frozen=True, slots=True)
class Mood:
    """Changes to a voice that is not moved."""

    pitch: float = 0.0
    """50 is an octave up."""
    pitch_range: float = 0.0
    """60 doubles the range of the melody, -60 would flatten it."""
    rate: float = 0.0
    """Share by which speech is faster."""


MOODS: dict[Emotion, Mood] = {
    EMOTION_JOY: Mood(8, 12, 0.05),
    EMOTION_GRATEFUL: Mood(3, 6, -0.03),
    EMOTION_PLAYFUL: Mood(6, 16, 0.06),
    EMOTION_SHY: Mood(4, -12, -0.08),
    EMOTION_SURPRISED: Mood(11, 18, 0.03),
    EMOTION_SAD: Mood(-8, -18, -0.12),
    EMOTION_SERIOUS: Mood(-6, -12, -0.04),
    EMOTION_THINKING: Mood(-2, -8, -0.1),
}
"""At full intensity; nothing for neutral."""


def mood(emotion: Emotion, intensity: float) -> Mood:
    """`intensity`: 0 to 1; 0 is taken for "not said" and shows half of it."""
    whole = MOODS.get(emotion, Mood())
    share = min(intensity, 1.0) if intensity > 0 else 0.5
    return Mood(share * whole.pitch, share * whole.pitch_range, share * whole.rate)
