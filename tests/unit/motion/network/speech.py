"""Something like speech, without a voice."""

from __future__ import annotations

import numpy as np

from services.speech.sound import SAMPLE_RATE, Samples


def babble(seconds: float) -> Samples:
    """Vowels of a buzz, a few a second, with moments of near silence between them."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 160 * n * time) / n for n in range(1, 30))
    size = 1 << (len(time) - 1).bit_length()
    hertz = np.arange(size // 2 + 1) * SAMPLE_RATE / size
    formants = sum(np.exp(-(((hertz - middle) / 120) ** 2)) for middle in (750, 1_250, 2_600))
    vowel = np.fft.irfft(np.fft.rfft(buzz, size) * formants, size)[: len(time)]
    opens = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1)
    return np.asarray(0.3 * vowel / np.abs(vowel).max() * opens, np.float32)
