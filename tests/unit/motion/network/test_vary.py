"""What the network learns from is heard as from other heads, in other places, without moving in time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from services.motion.model.network import vary
from services.motion.model.network.features import FLOOR, MELS, MIDDLE, SPREAD, WIDTH, Floats, band_edges, hear
from services.speech.sound import SAMPLE_RATE

SHARES = ("WARPED", "COLOURED", "ECHOED", "NOISY")
Only = Callable[[str], None]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Only:
    """Only this happens, and always."""

    def choose(chosen: str) -> None:
        for share in SHARES:
            monkeypatch.setattr(vary, share, float(share == chosen))

    return choose


def power(heard: Floats) -> Floats:
    """[columns, MELS]"""
    found: Floats = (10 ** (heard.reshape(-1, MELS).astype(float) * SPREAD + MIDDLE) - FLOOR).clip(0)
    return found


def beeps() -> Floats:
    """Features of 1 kHz, on for 0.2 s and off for 0.3 s."""
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    return hear((0.3 * np.sin(2 * np.pi * 1_000 * time) * ((time % 0.5) < 0.2)).astype(np.float32))


def loudest_hertz(heard: Floats) -> float:
    return float(band_edges()[1:-1][int(power(heard).sum(0).argmax())])


def test_another_head_moves_formants_by_no_more_than_it_says(only: Only) -> None:
    only("WARPED")
    found = {loudest_hertz(vary.varied(beeps(), np.random.default_rng(seed))) for seed in range(40)}
    assert min(found) == pytest.approx(1_000 * min(vary.WARPS), rel=0.06)
    assert max(found) == pytest.approx(1_000 * max(vary.WARPS), rel=0.06)


def test_another_microphone_colours_all_columns_alike(only: Only) -> None:
    only("COLOURED")
    before = beeps()
    gains = power(vary.varied(before, np.random.default_rng(1))) / np.maximum(power(before), 1e-12)
    loud = power(before) > 1e-4
    for band in np.flatnonzero(loud.any(0)):
        own = gains[loud[:, band], band]
        assert np.ptp(own) < 0.01 * own.mean()


def test_a_room_sounds_on_after_the_voice_and_never_before_it(only: Only) -> None:
    only("ECHOED")
    before, after = power(beeps()), power(vary.varied(beeps(), np.random.default_rng(2)))
    added = (after - before).sum(1)
    silent = before.sum(1) < 1e-7
    first = int(np.flatnonzero(~silent)[0])
    assert np.abs(added[:first]).max(initial=0) < 1e-6
    pause = np.flatnonzero(silent[first:])[:12] + first
    assert (np.diff(added[pause]) < 0).all() and added[pause].min() > 0


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_softer_than_the_voice_by_what_it_says(only: Only, seed: int) -> None:
    only("NOISY")
    widths = band_edges()[2:] - band_edges()[:-2]
    before, after = power(beeps()), power(vary.varied(beeps(), np.random.default_rng(seed)))
    ratio = 10 * np.log10((before @ widths).sum() / ((after - before) @ widths).sum())
    assert vary.LEAST_SNR - 0.2 < ratio < vary.MOST_SNR + 0.2


def test_silence_stays_silent_and_finite() -> None:
    silent = np.full((30, WIDTH), (np.log10(FLOOR) - MIDDLE) / SPREAD, np.float32)
    for seed in range(20):
        found = vary.varied(silent, np.random.default_rng(seed))
        np.testing.assert_allclose(found, silent, atol=1e-4)


def test_the_same_draw_gives_the_same_features() -> None:
    one, again, other = (vary.varied(beeps(), np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
