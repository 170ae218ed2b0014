"""What the vocoder learns from: distances that see what is to be heard."""

from __future__ import annotations

import math

import pytest
import torch

from services.speech.model.vocoder.losses import low_distance

SECONDS = torch.arange(24_000) / 24_000


def tone(hertz: float, *, phase: float = 0.0, size: float = 0.3) -> torch.Tensor:
    return size * torch.sin(2 * math.pi * hertz * SECONDS + phase)[None]


def test_the_same_sound_is_at_no_distance() -> None:
    assert low_distance(tone(220), tone(220)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("other", [tone(220, phase=0.5), tone(220, size=0.2)], ids=["later", "softer"])
def test_a_low_harmonic_with_another_phase_or_size_is_noticed(other: torch.Tensor) -> None:
    assert low_distance(tone(220), other) > 0.2


def test_what_is_high_counts_for_nothing() -> None:
    assert low_distance(tone(220), tone(220) + tone(4_000)) < 0.02
