"""A few sentences that training never saw, moved by ear: lips that fit, better than by loudness or by the rules."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from services.core.events import EMOTION_UNSPECIFIED
from services.motion.model.network import clips
from services.motion.model.network.evaluate import Found, Trial, measure
from services.motion.model.network.rung import ByEar, Net
from services.motion.model.network.speakers import UNSEEN, NaturalSpeakers, person
from services.motion.model.network.spoil import with_noise
from services.motion.model.rules import Rules
from services.places import VOICE
from services.speech.espeak.client import espeak_client
from services.speech.model.vocoder.texts import unseen_sentences
from services.speech.natural.voices import VOICES as HER_VOICES


@pytest.fixture(scope="module")
def natural() -> NaturalSpeakers:
    return NaturalSpeakers(VOICE)


@pytest.fixture(scope="module")
def trials(natural: NaturalSpeakers) -> list[Trial]:
    """Her own voice and people never trained on, and every third with noise."""
    found = []
    for language in ("zh", "en"):
        for index, text in enumerate(unseen_sentences(language, 9)):
            name = UNSEEN[language][index % len(UNSEEN[language])]
            voice = HER_VOICES["lydia"] if index % 3 == 0 else person({name: 1.0}, {name: 1.0})
            said = clips.within_silence(natural.say(text, voice, EMOTION_UNSPECIFIED, 0), 0.6, 0.6)
            noisy = with_noise(said.sound, "pink", 12, np.random.default_rng(index))
            found.append(Trial(said, noisy if index % 3 == 2 else said.sound))
    return found


@pytest.fixture(scope="module")
def by_ear(trials: list[Trial]) -> Found:
    net = Net()
    return sum((measure(trial, ByEar(net)) for trial in trials), Found())


def test_lips_fit_what_is_heard(by_ear: Found) -> None:
    fit = by_ear.fit
    print(fit.table(), by_ear.jaw_correlation, by_ear.baseline)  # noqa: T201
    assert fit.bilabial_closure.all > 30
    assert fit.bilabial_closure.rate >= 0.8
    assert fit.false_closure.rate <= 0.03
    assert abs(fit.lag_frames) <= 1
    assert by_ear.jaw_correlation >= by_ear.baseline + 0.10
    assert 0.7 <= by_ear.jerk_ratio <= 1.5
    assert by_ear.silence.mean < 0.01


def test_the_network_hears_more_than_the_rules_do(by_ear: Found, trials: list[Trial]) -> None:
    rules = sum((measure(trial, Rules()) for trial in trials), Found())
    assert by_ear.fit.bilabial_closure.rate > rules.fit.bilabial_closure.rate
    assert by_ear.jaw_correlation > rules.jaw_correlation
    assert by_ear.apart.mean < rules.apart.mean


def test_clips_are_the_same_to_the_byte(natural: NaturalSpeakers, tmp_path: Path) -> None:
    async def make(folder: Path) -> list[bytes]:
        async with espeak_client(timeout_s=clips.TIMEOUT_S) as fast:
            for index in (0, 3):
                clips.save(clips.path_of(folder, index), await clips.make_clip(index, 7, natural, fast))
        return [clips.path_of(folder, index).read_bytes() for index in (0, 3)]

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert asyncio.run(make(tmp_path / "one")) == asyncio.run(make(tmp_path / "two"))
