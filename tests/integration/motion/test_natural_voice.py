"""A hundred sentences of the natural voice, as the rules perform them: lips that fit what one hears.

The sentences were written after the rules were tuned, on others.
"""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

import pytest

from services.core.events import MotionChunk, VoiceChunk
from services.motion.evaluate import Closure, against_the_sound, fit_of, perform
from services.motion.metrics import total
from services.motion.model.rules import Rules
from services.speech.model.natural import natural_voice

Turn = tuple[list[VoiceChunk], list[MotionChunk]]

SENTENCES = Path(__file__).parents[2] / "unit/motion/sentences.txt"


@pytest.fixture(scope="module")
def turns() -> list[Turn]:
    """Fifty sentences of each language."""
    sentences = [line for line in SENTENCES.read_text(encoding="utf-8").split("\n") if line]
    both = [[text for text in sentences if text.isascii() is english][:50] for english in (False, True)]
    assert [len(chosen) for chosen in both] == [50, 50]

    async def say() -> list[Turn]:
        async with natural_voice() as voice:
            rules = Rules()
            return [await perform([sentence], voice, rules) for chosen in both for sentence in chosen]

    return asyncio.run(say())


@pytest.fixture(scope="module")
def closures(turns: list[Turn]) -> list[Closure]:
    return [closure for turn in turns for closure in against_the_sound(*turn)]


def test_lips_fit_the_sounds(turns: list[Turn]) -> None:
    fit = total(fit_of(*turn) for turn in turns)
    assert fit.bilabial_closure.all > 200
    assert fit.bilabial_closure.rate >= 0.98
    assert fit.false_closure.rate <= 0.02
    assert abs(fit.lag_frames) <= 1


def test_lips_are_shut_when_the_sound_says_so(closures: list[Closure]) -> None:
    assert len(closures) > 100
    assert sum(closure.met for closure in closures) / len(closures) >= 0.95


def test_lips_shut_neither_before_nor_after_the_sound(closures: list[Closure]) -> None:
    """Re-measures the voice's timing: an offset of the phonemes against the sound would show here."""
    assert abs(statistics.median(closure.late_frames for closure in closures)) <= 1
