"""Where a mouth sounds shut."""

from __future__ import annotations

import numpy as np

from services.core.events import Phoneme
from services.speech.evaluate import dips
from services.speech.sound import SAMPLE_RATE, Samples

TENTH = SAMPLE_RATE // 10


def voiced(highest_hz: float, power: float) -> Samples:
    """A tenth of a second of harmonics of 200 Hz."""
    times = np.arange(TENTH) / SAMPLE_RATE
    sound = np.sin(2 * np.pi * np.outer(np.arange(200, highest_hz, 200), times)).sum(axis=0)
    scaled: Samples = (np.sqrt(power) * sound / np.sqrt(np.square(sound).mean())).astype(np.float32)
    return scaled


def test_an_m_that_is_louder_than_the_end_of_the_vowel_after_it_is_found_all_the_same() -> None:
    sound = np.concatenate([voiced(4_000, 0.01), voiced(500, 0.01), voiced(4_000, 0.01), voiced(4_000, 0.002)])
    phonemes = [
        Phoneme(ipa=ipa, start_sample=begin * TENTH, end_sample=end * TENTH)
        for ipa, begin, end in (("ɑ", 0, 1), ("m", 1, 2), ("ɑ", 2, 4))
    ]

    (dip,) = dips(sound, phonemes)

    assert TENTH <= dip.softest < 2 * TENTH


def test_a_p_is_found_where_there_is_silence() -> None:
    sound = np.concatenate([voiced(4_000, 0.01), np.zeros(TENTH, dtype=np.float32), voiced(4_000, 0.01)])
    phonemes = [
        Phoneme(ipa=ipa, start_sample=begin * TENTH, end_sample=(begin + 1) * TENTH)
        for begin, ipa in enumerate(("ɑ", "p", "i"))
    ]

    (dip,) = dips(sound, phonemes)

    assert TENTH <= dip.softest < 2 * TENTH
