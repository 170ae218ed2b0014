"""Pulses follow the pitch, with the same power whatever it is, and come in softly."""

from __future__ import annotations

import numpy as np
import pytest

from services.speech.model.vocoder.excitation import EDGE, FRAME, HOP, RATE, STEP, TOP_HZ, Pulses, overlapped, spectra


@pytest.mark.parametrize("hertz", [80, 120, 200, 333, 480])
def test_a_steady_pitch_gives_even_harmonics_and_nothing_between(hertz: int) -> None:
    sound = Pulses(np.full(160, hertz, dtype=np.float32))(0, 160 * STEP)[STEP:-STEP]
    assert np.sqrt(np.mean(np.square(sound))) == pytest.approx(1, abs=0.05)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    hertz_of = np.fft.rfftfreq(len(sound), 1 / RATE)
    harmonic = np.abs(hertz_of / hertz - np.rint(hertz_of / hertz)) * hertz < 6
    below = (hertz_of > hertz / 2) & (hertz_of < 11_000)
    assert spectrum[below & ~harmonic].max() < 0.01 * spectrum[below].max()


def test_pieces_of_a_train_are_the_whole() -> None:
    f0 = np.abs(np.sin(np.arange(80) / 9)).astype(np.float32) * 300
    pulses = Pulses(f0)
    expected = pulses(0, 80 * STEP)
    pieces = [pulses(begin, begin + 1_111) for begin in range(0, 80 * STEP, 1_111)]
    np.testing.assert_allclose(np.concatenate(pieces)[: len(expected)], expected, atol=1e-5)


def test_before_and_after_the_clause_there_is_nothing() -> None:
    pulses = Pulses(np.full(10, 200, dtype=np.float32))
    assert not pulses(-500, 0).any()
    assert not pulses(10 * STEP, 10 * STEP + 500).any()


def test_a_pitch_that_creeps_in_gives_no_lone_pulses() -> None:
    f0 = np.concatenate((np.full(20, 6), np.linspace(6, 44, 20), np.full(20, 250))).astype(np.float32)
    sound = Pulses(f0)(0, 60 * STEP)
    assert not sound[: 39 * STEP].any()
    assert np.abs(sound[39 * STEP : 42 * STEP]).max() < 1.1 * np.abs(sound[45 * STEP :]).max()


def test_harmonics_come_and_go_gradually_as_the_pitch_glides() -> None:
    below, above = (
        Pulses(np.full(8, TOP_HZ / 40 + apart, dtype=np.float32))(0, 8 * STEP) for apart in (-0.0001, 0.0001)
    )
    assert np.abs(above - below).max() < 0.01 * np.abs(below).max()


def test_windows_taken_apart_and_overlapped_are_the_sound_again() -> None:
    hops = 4 * 30
    sound = np.random.default_rng(1).standard_normal(hops * HOP + 2 * EDGE).astype(np.float32)
    inside = slice(FRAME, -FRAME)
    np.testing.assert_allclose(overlapped(spectra(sound))[inside], sound[inside], atol=1e-5)
