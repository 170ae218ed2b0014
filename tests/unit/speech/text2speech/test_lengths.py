"""Symbols get whole frames, and a sentence lasts as long as the network says."""

from __future__ import annotations

import numpy as np
import pytest

from services.speech.model.text2speech.lengths import LONGEST, durations_of, places_of


@pytest.mark.parametrize("speed", [0.85, 1.0, 1.2])
def test_rounding_takes_nothing_from_the_sentence(speed: float) -> None:
    frames = np.random.default_rng(1).uniform(1.6, 8, 200).astype(np.float32)
    durations = durations_of(np.log(frames), speed)
    assert abs(durations.sum() - frames.sum() / speed) <= 1
    assert np.abs(durations - frames / speed).max() < 1.01


def test_no_symbol_is_without_a_frame_and_none_lasts_for_ever() -> None:
    durations = durations_of(np.array([-9.0, 1.0, 50.0], np.float32), 1.0)
    assert durations.tolist()[0] == 1
    assert durations[2] == LONGEST


def test_half_frames_know_their_symbol_and_their_place_in_it() -> None:
    owner, places = places_of(np.array([1, 2]))
    assert owner.tolist() == [0, 0, 1, 1, 1, 1]
    assert places[:, 0].tolist() == [0.25, 0.75, 0.125, 0.375, 0.625, 0.875]
    assert np.allclose(places[:, 0] + places[:, 1], 1)
    assert np.allclose(places[:, 2], [0.1, 0.1, 0.2, 0.2, 0.2, 0.2])
