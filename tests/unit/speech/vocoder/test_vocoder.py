"""Features become sound: whole or in pieces the same, soft at its ends, never too loud, silent in silence."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from services.speech.model.vocoder import vocoder as module
from services.speech.model.vocoder.excitation import EDGE, FRAME
from services.speech.model.vocoder.vocoder import FIRST, Vocoder
from services.speech.natural.encoder import Features
from services.speech.sound import CEILING, QUIET, SAMPLE_RATE, Samples
from tests.unit.speech.vocoder.clause import clause


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    return Vocoder()


@pytest.fixture(scope="module")
def features() -> Features:
    return clause().features


def whole(vocoder: Vocoder, features: Features) -> Samples:
    return np.concatenate(list(vocoder.stream(features)))


def level(sound: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def log_spectra(sound: Samples) -> Samples:
    """Decibels of windows of 21 ms, [windows, bins]."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, 512)[::256] * np.hanning(512).astype(np.float32)
    return (20 * np.log10(np.abs(np.fft.rfft(windows)) + 0.03)).astype(np.float32)


def test_every_frame_becomes_its_samples(vocoder: Vocoder, features: Features) -> None:
    sound = whole(vocoder, features)
    assert sound.dtype == np.float32
    assert len(sound) == FRAME * features.inner.shape[1]


def test_it_sounds_like_the_teacher(vocoder: Vocoder, features: Features) -> None:
    teacher, own = log_spectra(clause().sound), log_spectra(whole(vocoder, features))
    other_clause = log_spectra(whole(vocoder, replace(features, inner=features.inner[:, ::-1].copy())))
    assert np.abs(own - teacher).mean() < 6
    assert np.abs(own - teacher).mean() < 0.7 * np.abs(other_clause - teacher).mean()


@pytest.mark.parametrize(("first", "longest"), [(1, 1), (2, 3), (4, 40), (7, 11)])
def test_pieces_are_the_whole(
    vocoder: Vocoder, features: Features, monkeypatch: pytest.MonkeyPatch, first: int, longest: int
) -> None:
    monkeypatch.setattr(module, "FIRST", 10_000)
    expected = whole(vocoder, features)
    monkeypatch.setattr(module, "FIRST", first)
    monkeypatch.setattr(module, "LONGEST", longest)
    pieces = list(vocoder.stream(features))
    assert len(pieces) > 2
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=2e-5)


def test_the_first_piece_is_short(vocoder: Vocoder, features: Features) -> None:
    first = next(iter(vocoder.stream(features)))
    assert 0 < len(first) <= FIRST * FRAME


def test_a_part_is_what_the_whole_has_there(vocoder: Vocoder, features: Features) -> None:
    part = np.concatenate(list(vocoder.stream(features, 20, 50)))
    inside = slice(2 * EDGE, len(part) - 2 * EDGE)
    assert len(part) == 30 * FRAME
    np.testing.assert_allclose(part[inside], whole(vocoder, features)[20 * FRAME : 50 * FRAME][inside], atol=2e-5)


def test_a_part_begins_and_ends_softly_even_amid_a_vowel(vocoder: Vocoder, features: Features) -> None:
    voiced = [frame for frame in range(10, 60) if features.f0[2 * frame] > 100 and features.f0[2 * frame + 1] > 100]
    sound = whole(vocoder, features)
    loud = max(voiced, key=lambda frame: level(sound[FRAME * frame : FRAME * (frame + 1)]))
    part = np.concatenate(list(vocoder.stream(features, loud, loud + 4)))
    steps = np.abs(np.diff(np.concatenate(([0], part, [0])))).astype(np.float32)
    assert max(steps[0], steps[-1]) < 0.5 * steps.max()


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 4), (0, 100_000)])
def test_frames_outside_the_clause_are_refused(vocoder: Vocoder, features: Features, start: int, end: int) -> None:
    with pytest.raises(ValueError, match="not within a clause"):
        vocoder.stream(features, start, end)


def test_silence_stays_silent(vocoder: Vocoder, features: Features) -> None:
    silent = features.f0[:4].max()
    assert silent < 45, "the clause begins with silence"
    for frames in (4, 200):
        at = np.zeros(frames, dtype=np.int64)
        silence = Features(
            features.inner[:, at],
            features.f0[np.zeros(2 * frames, dtype=np.int64)],
            features.energy[np.zeros(2 * frames, dtype=np.int64)],
            features.style,
            features.durations,
        )
        assert np.abs(whole(vocoder, silence)).max() < 2 * QUIET


def test_nothing_is_louder_than_the_ceiling(vocoder: Vocoder, features: Features) -> None:
    shouted = replace(features, energy=features.energy + 12, inner=features.inner * 3)
    for loud in (features, shouted):
        assert np.abs(whole(vocoder, loud)).max() <= CEILING


def test_the_limiter_is_hardly_needed(vocoder: Vocoder, features: Features) -> None:
    assert np.abs(whole(vocoder, features)).max() < 1.25 * np.abs(clause().sound).max()


def test_a_sudden_voice_makes_no_click(vocoder: Vocoder, features: Features) -> None:
    """A pitch that creeps up from nothing gave lone, high pulses once."""
    sound = whole(vocoder, features)
    creeping = replace(features, f0=np.maximum(features.f0, np.linspace(5, 60, len(features.f0), dtype=np.float32)))
    quiet = sound[: 4 * FRAME]
    assert np.abs(whole(vocoder, creeping)[: 4 * FRAME]).max() < np.abs(quiet).max() + QUIET


def test_the_same_features_sound_the_same(vocoder: Vocoder, features: Features) -> None:
    np.testing.assert_array_equal(whole(vocoder, features), whole(Vocoder(), features))


def test_the_cost_is_told(vocoder: Vocoder, features: Features, capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.process_time()
    next(iter(vocoder.stream(features)))
    first = time.process_time() - begun
    begun = time.process_time()
    seconds = len(whole(vocoder, features)) / SAMPLE_RATE
    with capsys.disabled():
        cost = (time.process_time() - begun) / seconds
        print(f"\nvocoder: first piece {1000 * first:.1f} ms, then {cost:.4f} CPU s a second")  # noqa: T201
