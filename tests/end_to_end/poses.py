"""Poses for stills, taken out of performances that the motion rules have made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.core import events
from services.core.events import Emotion, Gesture, Phoneme, VoiceChunk
from services.motion.compose import compose
from services.motion.frames import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE, Frames, of_chunk
from services.motion.gestures import GESTURES
from services.motion.idle import idle
from services.motion.model.rules import Rules

ROOM = 3
"""Seed of the idle layer."""
QUIET_S = 2.0
"""When, in that room, she looks into the camera with open eyes."""
SOUNDS = ("", "a", "e", "i", "o", "u", "y", "m", "f", "s", "ʃ", "θ", "l", "ʂ")
"""Fourteen mouth shapes: rest, six vowels, seven consonants."""
MOODS = (
    events.EMOTION_JOY,
    events.EMOTION_GRATEFUL,
    events.EMOTION_PLAYFUL,
    events.EMOTION_SHY,
    events.EMOTION_SURPRISED,
    events.EMOTION_SAD,
    events.EMOTION_SERIOUS,
    events.EMOTION_THINKING,
)
ACTS = (
    events.GESTURE_WAVE,
    events.GESTURE_HEART,
    events.GESTURE_BOW,
    events.GESTURE_CLAP,
    events.GESTURE_SHY,
    events.GESTURE_LAUGH,
    events.GESTURE_THINK,
    events.GESTURE_POINT,
    events.GESTURE_DANCE,
    events.GESTURE_NOD,
)


def resting() -> Frames:
    """She stands and looks into the camera."""
    return _performed(VoiceChunk(), 0.0)


def mood(emotion: Emotion) -> Frames:
    """The mood at its height, without a word."""
    return _performed(VoiceChunk(emotion=emotion, intensity=1.0), 1.2)


def sound(ipa: str, emotion: Emotion = events.EMOTION_NEUTRAL) -> Frames:
    """The middle of one long sound; "" is silence."""
    middle, half = 0.8, 0.15
    heard = Phoneme(
        ipa=ipa,
        start_sample=int((middle - half) * SAMPLE_RATE),
        end_sample=int((middle + half) * SAMPLE_RATE),
    )
    return _performed(VoiceChunk(phonemes=[heard], emotion=emotion, intensity=1.0), middle)


def gesture(which: Gesture) -> list[Frames]:
    """Three moments of a gesture: on its way, at its height, and as it goes."""
    parts = GESTURES[which]
    first, last = parts[0], parts[-1]
    goes = last.after + last.attack + last.stay
    moments = (0.55 * first.attack, first.attack + 0.4 * first.stay, goes + 0.4 * last.release)
    return [_performed(VoiceChunk(gesture=which), moment) for moment in moments]


def row(frames: Frames, gesture: Gesture = events.GESTURE_UNSPECIFIED) -> dict[str, Sequence[float] | int]:
    """The one frame as a page takes it, and what raised hands show."""
    return {
        "face": frames.face[0].astype(float).tolist(),
        "joints": frames.joints[0].astype(float).ravel().tolist(),
        "gesture": int(gesture),
    }


def _performed(said: VoiceChunk, at: float) -> Frames:
    """The frame `at` seconds into a silent turn, over the idle layer."""
    length = int((at + 0.5) * FRAME_RATE) * FRAME_SAMPLES
    chunk = VoiceChunk(
        room_id="studio",
        turn_id="still",
        epoch=1,
        sample_rate=SAMPLE_RATE,
        pcm_s16le=np.zeros(length, "<i2").tobytes(),
    )
    chunk.MergeFrom(said)
    performed = of_chunk(Rules().answer(chunk))
    frame = round(at * FRAME_RATE)
    lived = idle(ROOM, int(QUIET_S * SAMPLE_RATE), 1)
    return compose(lived, Frames(performed.face[frame : frame + 1], performed.joints[frame : frame + 1]))
