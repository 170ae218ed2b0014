"""Sound keeps its pitch, level and place when its rate is changed, and never clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.speech.sound import (
    CEILING,
    KNEE,
    LEAD,
    SAMPLE_RATE,
    Resampler,
    Samples,
    Trimmer,
    faded,
    from_s16le,
    limited,
    resample,
    silence,
    to_s16le,
)


def tone(hertz: float, rate: int, seconds: float = 1.0) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def decibels(sound: Samples) -> float:
    return float(20 * np.log10(max(np.sqrt(np.mean(np.square(sound))), 1e-9)))


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.6, 0.8])
def test_a_tone_stays_the_same_tone_at_another_rate(rate: int, share: float) -> None:
    hertz = share * min(rate, SAMPLE_RATE) / 2
    out = resample(tone(hertz, rate), rate)
    assert len(out) == SAMPLE_RATE
    inner = slice(500, -500)
    error = decibels((out - tone(hertz, SAMPLE_RATE))[inner]) - decibels(out[inner])
    assert error < -55


@pytest.mark.parametrize("hertz", [13_000, 15_000, 20_000])
def test_what_the_lower_rate_cannot_hold_is_gone_and_not_mirrored(hertz: float) -> None:
    assert decibels(resample(tone(hertz, 48_000), 48_000)[500:-500]) < -65


def test_nothing_appears_above_the_band_of_the_lower_rate() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(44_100).astype(np.float32)
    out = resample(noise, 22_050)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out)))) ** 2
    hertz = np.fft.rfftfreq(len(out), 1 / SAMPLE_RATE)
    assert 10 * np.log10(spectrum[hertz > 11_700].mean() / spectrum[hertz < 9_000].mean()) < -60


@settings(deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=8))
def test_a_stream_is_resampled_like_the_whole(sizes: list[int]) -> None:
    sound = tone(440, 22_050)[: sum(sizes)]
    resampler = Resampler(22_050)
    pieces = [resampler.push(part) for part in np.split(sound, np.cumsum(sizes)[:-1])] if sizes else []
    np.testing.assert_allclose(
        np.concatenate([silence(0), *pieces, resampler.finish()]), resample(sound, 22_050), atol=1e-6
    )


@settings(deadline=None)
@given(st.integers(0, 5_000))
def test_the_length_follows_the_ratio_of_rates(samples: int) -> None:
    assert len(resample(np.zeros(samples, np.float32), 22_050)) == -(-samples * 160 // 147)


@settings(deadline=None)
@given(st.binary(max_size=1_000))
def test_sixteen_bits_survive_the_way_through_floats(pcm: bytes) -> None:
    assert to_s16le(from_s16le(pcm)) == pcm[: len(pcm) // 2 * 2]


def test_too_loud_sound_is_bent_below_the_ceiling_and_soft_sound_left_alone() -> None:
    sound = (3 * tone(200, SAMPLE_RATE)).astype(np.float32)
    bent = limited(sound)
    assert np.abs(bent).max() <= CEILING
    quiet = np.abs(sound) <= KNEE
    np.testing.assert_array_equal(bent[quiet], sound[quiet])
    assert np.all(np.sign(bent) == np.sign(sound))


def test_edges_are_softened() -> None:
    sound = faded(np.ones(1_000, np.float32))
    assert sound[0] == 0
    assert sound[-1] == 0
    assert sound[500] == 1
    assert len(faded(np.ones(3, np.float32))) == 3


@settings(deadline=None)
@given(st.lists(st.integers(0, 4_000), max_size=6))
def test_silence_at_both_ends_is_taken_away_however_the_stream_is_cut(sizes: list[int]) -> None:
    sound = np.concatenate(
        [silence(0.4), tone(300, SAMPLE_RATE, 0.2), silence(0.1), tone(300, SAMPLE_RATE, 0.2), silence(1)]
    )
    trimmer = Trimmer(keep_s=0.05)
    parts = np.split(sound, np.minimum(np.cumsum(sizes), len(sound))) if sizes else [sound]
    kept = np.concatenate([*(trimmer.push(part) for part in parts), trimmer.finish()])
    assert len(kept) == pytest.approx(LEAD + 0.55 * SAMPLE_RATE, abs=10)


def test_nothing_but_silence_becomes_nothing() -> None:
    trimmer = Trimmer(keep_s=0.5)
    assert len(trimmer.push(silence(2))) == 0
    assert len(trimmer.finish()) == 0
