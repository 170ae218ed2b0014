"""Ten minutes of the fast voice, as the rules perform them: lips that fit and frames that never drift from the sound.

The sentences were written after the rules were tuned, on others.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.core.events import MotionChunk, VoiceChunk
from services.motion import face
from services.motion.evaluate import TIMEOUT_S, fit_of, perform
from services.motion.frames import FRAME_SAMPLES, SAMPLE_RATE, of_chunk
from services.motion.metrics import Fit, total
from services.motion.model.rules import Rules
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech

Turn = tuple[list[VoiceChunk], list[MotionChunk]]

SENTENCES = Path(__file__).parents[2] / "unit/motion/sentences.txt"
SEGMENTS = 4
"""Sentences a turn."""


def samples(chunk: VoiceChunk) -> int:
    return len(chunk.pcm_s16le) // 2


def end(turn: Turn) -> int:
    return turn[0][-1].start_sample + samples(turn[0][-1])


@pytest.fixture(scope="module")
def show() -> list[Turn]:
    """At least ten minutes; the first turns say each of the 200 sentences once."""
    sentences = [line for line in SENTENCES.read_text(encoding="utf-8").split("\n") if line]
    assert len(sentences) == 200
    return asyncio.run(_show(sentences))


async def _show(sentences: list[str]) -> list[Turn]:
    turns: list[Turn] = []
    async with espeak_client(timeout_s=TIMEOUT_S) as client:
        speech, rules = EspeakSpeech(client), Rules()
        spoken, at = 0, 0
        while at < len(sentences) or spoken < 600 * SAMPLE_RATE:
            said = [sentences[i % len(sentences)] for i in range(at, at + SEGMENTS)]
            turns.append(await perform(said, speech, rules))
            at += SEGMENTS
            spoken += end(turns[-1])
    return turns


@pytest.fixture(scope="module")
def fits(show: list[Turn]) -> list[Fit]:
    return [fit_of(*turn) for turn in show[: 200 // SEGMENTS]]


def test_lips_fit_the_sounds(fits: list[Fit]) -> None:
    all_in_all = total(fits)
    print(all_in_all.table())  # noqa: T201
    assert all_in_all.bilabial_closure.all > 400
    assert all_in_all.false_closure.all > 300
    assert all_in_all.bilabial_closure.rate >= 0.98
    assert all_in_all.false_closure.rate <= 0.02
    assert all_in_all.labiodental_contact.rate >= 0.9
    assert all_in_all.sibilant_cap.rate >= 0.9
    assert all_in_all.rounding >= 0.3


def test_the_jaw_is_in_step_with_the_vowels(fits: list[Fit]) -> None:
    assert abs(total(fits).lag_frames) <= 1
    assert max(abs(fit.lag_frames) for fit in fits) <= 1, "in every single turn"


def test_voice_and_frames_do_not_drift_in_ten_minutes(show: list[Turn]) -> None:
    voice_at = frames_at = 0
    for turn in show:
        for voice, motion in zip(*turn, strict=True):
            assert motion.start_sample == voice.start_sample
            assert (motion.sequence, motion.segment) == (voice.sequence, voice.segment)
            played = -(-samples(voice) // FRAME_SAMPLES)
            voice_at += samples(voice)
            frames_at += FRAME_SAMPLES * (min(motion.frame_count, played) if voice.last else motion.frame_count)
            assert abs(voice_at - frames_at) < 0.010 * SAMPLE_RATE
    assert voice_at >= 600 * SAMPLE_RATE
    assert show[-1][0][-1].last


def test_the_mouth_opens_with_the_sound_at_the_end_as_at_the_beginning(show: list[Turn]) -> None:
    """What one sees against what one hears, without asking the phonemes."""
    for turn in (show[0], show[-1]):
        voice, motion = turn
        pcm = np.concatenate([np.frombuffer(chunk.pcm_s16le, "<i2") for chunk in voice]).astype(float)
        loud = np.sqrt((pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES) ** 2).mean(1))
        gap = face.aperture(np.concatenate([of_chunk(chunk).face for chunk in motion]))[: len(loud)]
        lags = range(-12, 13)
        alike = [np.corrcoef(gap[12 + lag : len(gap) - 12 + lag], loud[12:-12])[0, 1] for lag in lags]
        assert max(alike) > 0.4
        assert abs(lags[int(np.argmax(alike))]) <= 2


def test_every_turn_starts_and_ends_at_rest_and_never_jumps(show: list[Turn]) -> None:
    for _, motion in show:
        parts = [of_chunk(chunk) for chunk in motion]
        faces, joints = (np.concatenate([getattr(part, name) for part in parts]) for name in ("face", "joints"))
        assert np.abs(faces[-1]).max() == 0
        assert np.abs(joints[-1, :, :3]).max() == 0
        assert np.abs(joints[0, :, :3]).max() < 0.001
        assert np.abs(np.diff(faces[:, : face.SHAPES], axis=0)).max() < 0.4
        assert np.abs(np.diff(faces[:, face.HEAD], axis=0)).max() < 0.03
        assert np.abs(np.diff(joints, axis=0)).max() < 0.08
