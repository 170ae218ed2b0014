"""What rooms, microphones and lines do to a voice: echoes, noises, narrow bands, coarse samples. NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.speech.sound import SAMPLE_RATE

Floats = NDArray[np.float32]
Random = np.random.Generator

NOISES = ("white", "pink", "speech", "hum", "tones")
MU = 255.0
"""Of the telephone's 8-bit code (ITU-T G.711)."""
QUIET_DB, LOUD_DB = -30.0, -9.0
"""Levels at which voices arrive, root mean square against full scale."""


def spoiled(sound: Floats, random: Random, *, least_snr: float = 6.0) -> Floats:
    """A voice at 24 kHz as it may arrive: each mishap happens by chance. `least_snr`: the loudest noise, in dB."""
    if random.random() < 0.4:
        sound = in_room(sound, random)
    if random.random() < 0.75:
        sound = with_noise(sound, str(random.choice(NOISES)), float(random.uniform(least_snr, 35)), random)
    if random.random() < 0.3:
        sound = narrowed(sound, float(random.choice((50.0, 150.0, 300.0))), float(random.uniform(3_400, 7_000)))
    sound = at_level(sound, float(random.uniform(QUIET_DB, LOUD_DB)))
    if random.random() < 0.2:
        sound = companded(sound)
    return np.clip(sound, -1, 1)


def at_level(sound: Floats, decibels: float) -> Floats:
    """The sound with this root mean square, in dB against full scale."""
    return sound * np.float32(10 ** (decibels / 20) / _rms(sound))


def with_noise(sound: Floats, kind: str, snr: float, random: Random) -> Floats:
    """`snr`: how much louder the voice is than the noise, in dB. `kind`: one of NOISES."""
    noise = _noise(kind, len(sound), random)
    return sound + noise * np.float32(_rms(sound) / _rms(noise) * 10 ** (-snr / 20))


def in_room(sound: Floats, random: Random) -> Floats:
    """With a small room's answer: a few early reflections, and a tail of noise that dies away within 0.1 to 0.5 s
    (60 dB). The direct sound keeps its time.
    """
    dies_s = float(random.uniform(0.1, 0.5))
    length = round(dies_s * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    answer = random.standard_normal(length) * 10 ** (-3 * time / dies_s)
    answer[: SAMPLE_RATE // 500] = 0
    for _ in range(6):
        at = int(random.integers(SAMPLE_RATE // 500, SAMPLE_RATE // 40))
        answer[min(at, length - 1)] += random.uniform(3, 9) * random.choice((-1, 1))
    # How much louder the direct sound is than all that follows.
    answer *= 10 ** (-float(random.uniform(2, 14)) / 20) / np.sqrt((answer**2).sum())
    answer[0] = 1
    return _filtered(sound, np.fft.rfft(answer, _transform(len(sound) + length)))


def narrowed(sound: Floats, low: float, high: float) -> Floats:
    """Only what lies between two frequencies, in Hz, with soft edges: a telephone, a cheap microphone."""
    size = _transform(len(sound))
    hertz = np.arange(size // 2 + 1) * SAMPLE_RATE / size
    pass_high = 1 / (1 + (low / np.maximum(hertz, 1)) ** 4)
    return _filtered(sound, pass_high / (1 + (hertz / high) ** 16))


def companded(sound: Floats) -> Floats:
    """Through the telephone's 8-bit code and back."""
    coded = np.sign(sound) * np.log1p(MU * np.minimum(np.abs(sound), 1)) / np.log1p(MU)
    coarse = np.rint(coded * 127) / 127
    back: Floats = (np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(MU)) / MU).astype(np.float32)
    return back


def stretched(sound: Floats, factor: float) -> Floats:
    """Played `factor` times as slowly: pitch and formants sink by it, as in a larger head. The same band-limited
    resampling as of tapes; the result has round(factor * n) samples.
    """
    size, wanted = len(sound), round(factor * len(sound))
    spectrum = np.fft.rfft(sound)
    kept = np.zeros(wanted // 2 + 1, complex)
    both = min(len(spectrum), len(kept))
    kept[:both] = spectrum[:both]
    return (np.fft.irfft(kept, wanted) * (wanted / size)).astype(np.float32)


def _noise(kind: str, size: int, random: Random) -> Floats:
    time = np.arange(size) / SAMPLE_RATE
    if kind == "hum":
        base = float(random.choice((50.0, 60.0)))
        partials = (np.sin(2 * np.pi * base * n * time + random.uniform(0, 6.3)) / n for n in range(1, 8))
        return np.asarray(sum(partials) + 0.02 * random.standard_normal(size), np.float32)
    if kind == "tones":
        # Something like music: notes that last, three at a time.
        notes = np.zeros(size)
        for _ in range(3):
            steps = random.integers(0, 24, size=size // (SAMPLE_RATE // 4) + 1)
            hertz = 130 * 2 ** (np.repeat(steps, SAMPLE_RATE // 4)[:size] / 12)
            turns = np.cumsum(hertz) / SAMPLE_RATE
            notes += np.sin(2 * np.pi * turns) + 0.4 * np.sin(4 * np.pi * turns) + 0.2 * np.sin(6 * np.pi * turns)
        return notes.astype(np.float32)
    white = random.standard_normal(size).astype(np.float32)
    if kind == "white":
        return white
    transform = _transform(size)
    hertz = np.maximum(np.arange(transform // 2 + 1) * SAMPLE_RATE / transform, 20)
    if kind == "pink":
        return _filtered(white, 1 / np.sqrt(hertz))
    # Many people talking: noise with the long-term spectrum of speech that swells as syllables do.
    murmur = _filtered(white, (hertz / 300) / (1 + (hertz / 500) ** 2))
    swell = sum(np.sin(2 * np.pi * random.uniform(1, 5) * time + random.uniform(0, 6.3)) for _ in range(4))
    return np.asarray(murmur * np.maximum(1 + 0.35 * swell, 0.1), np.float32)


def _filtered(sound: Floats, response: NDArray[Any]) -> Floats:
    """[n] as before."""
    size = 2 * (len(response) - 1)
    return np.fft.irfft(np.fft.rfft(sound, size) * response, size)[: len(sound)].astype(np.float32)


def _transform(size: int) -> int:
    return 1 << max(size - 1, 1).bit_length()


def _rms(sound: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) + 1e-9
