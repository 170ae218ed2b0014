"""How far a sound is from the teacher's.

The network's sound is partly random, so plain distance would teach it to be less random than the teacher: noise would
turn into a buzz. The energy distance 2 d(teacher, own) - d(own, own again) is smallest only when both are alike as
distributions (Gritsenko et al., "A spectral energy distance for parallel speech synthesis", 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from services.speech.model.vocoder.excitation import RATE

RESOLUTIONS = (2048, 1024, 512, 256)
"""Window lengths; hops are a quarter. Long ones hear pitch, short ones hear when something happens."""
LOW_HZ = 1_500.0
"""Below this, what listeners and judges of sound miss lies: the lowest harmonics, where there is no chance at work."""
LOW_RESOLUTIONS = (2048, 1024, 512)
FLOOR = 1e-4
"""Magnitude below which differences are not heard: -80 dB."""


def energy_distance(
    teacher: Tensor, own: Tensor, again: Tensor, resolutions: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, and its two parts d(teacher, own) and d(own, again). All sounds are [batch, samples]."""
    near, apart = teacher.new_zeros(()), teacher.new_zeros(())
    for length in resolutions:
        with torch.no_grad():
            goal = _heard(teacher, length)
            level = goal[0].mean()
        first, second = _heard(own, length), _heard(again, length)
        near = near + (_distance(goal, first, level) + _distance(goal, second, level)) / 2
        apart = apart + _distance(first, second, level)
    return (2 * near - apart) / len(resolutions), near / len(resolutions), apart / len(resolutions)


def phase_distance(teacher: Tensor, pulses: Tensor) -> Tensor:
    """How much the phases of two spectra [batch, hops, BINS] differ where both are loud. 0 … 2."""
    both = teacher.abs() * pulses.abs()
    weight = torch.sqrt(both).detach()
    alike = (teacher * pulses.conj()).real / (both + 1e-6)
    return ((1 - alike) * weight).sum() / (weight.sum() + 1e-6)


def low_distance(teacher: Tensor, own: Tensor) -> Tensor:
    """How far complex spectra are apart below LOW_HZ, size and phase alike. 0: equal.

    Both sounds are [batch, samples]. Differences count by the root of what is there: soft harmonics matter too.
    """
    total = teacher.new_zeros(())
    for length in LOW_RESOLUTIONS:
        bins = int(LOW_HZ * length / RATE) + 1
        goal, found = (_complex(sound, length)[:, 1:bins] for sound in (teacher, own))
        size = torch.sqrt(goal.abs() + 1e-3)
        total = total + ((goal - found).abs() / size).sum() / size.sum()
    return total / len(LOW_RESOLUTIONS)


def _distance(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], level: Tensor) -> Tensor:
    by_bin = (a[1] - b[1]).abs().mean(dim=(0, 2))
    return (by_bin * _weights(len(by_bin)).to(by_bin.device)).mean() + 0.5 * (a[0] - b[0]).abs().mean() / level


def _heard(sound: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Magnitudes, and their logarithms."""
    magnitudes = _magnitudes(sound, length)
    return magnitudes, torch.log(magnitudes + FLOOR)


def _magnitudes(sound: Tensor, length: int) -> Tensor:
    """[batch, bins, windows] scaled so that white noise of power 1 has magnitudes around 1."""
    spectra = _complex(sound, length)
    return torch.sqrt(spectra.real.square() + spectra.imag.square() + 1e-12)


def _complex(sound: Tensor, length: int) -> Tensor:
    window = _window(length).to(sound.device)
    spectra = torch.stft(sound, length, length // 4, window=window, center=False, return_complex=True)
    return spectra / window.square().sum().sqrt()


@lru_cache(maxsize=8)
def _window(length: int) -> Tensor:
    return torch.hann_window(length)


@lru_cache(maxsize=8)
def _weights(bins: int) -> Tensor:
    """A quarter even, the rest by how finely the ear resolves a frequency. Mean 1."""
    fine = 1 / (700 + torch.linspace(0, RATE / 2, bins))
    return 0.25 + 0.75 * fine / fine.mean()
