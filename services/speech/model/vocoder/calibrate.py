"""How loud the pulses are where noise gives way to them: set after training, from the teacher's mean power.

Between CLEAR_HZ and ROUGH_HZ the network may put little noise into voice, and an energy distance lets whatever cannot
be foretold fade: its vowels come out up to 4 dB too soft there, and sound a little dull.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.speech.model.vocoder.excitation import BINS, EDGE, RATE
from services.speech.model.vocoder.network import CLEAR_HZ, HOPS, ROUGH_HZ, Network, spectra
from services.speech.model.vocoder.train import Batch, perform

Draw = Callable[[int, np.random.Generator], Batch]
"""So many crops, as the network is to hear them."""
BATCHES, BATCH = 40, 8
"""Crops of a second that are listened to in a round."""
ROUNDS = 2
"""The second one hears what the first has changed."""
NEAR = 13
"""Frequencies over which what is found is smoothed, half a kilohertz."""


def calibrate(network: Network, draw: Draw, *, seed: int) -> NDArray[np.float64]:
    """Moves the pulses' gains in place. Returns by how many dB, [BINS]."""
    hertz = np.linspace(0, RATE / 2, BINS)
    inside = (hertz >= CLEAR_HZ) & (hertz <= ROUGH_HZ)
    window = np.hanning(NEAR + 2)[1:-1] / np.hanning(NEAR + 2).sum()
    moved = np.zeros(BINS)
    for number in range(ROUNDS):
        lacking = np.where(inside, _lacking_db(network, draw, np.random.default_rng((seed, number))), 0)
        louder = np.convolve(np.pad(lacking, NEAR // 2, mode="edge"), window, mode="valid")
        with torch.no_grad():
            gains = network.gains.bias.view(HOPS, 2, BINS)
            gains[:, 0] += torch.from_numpy(louder * np.log(10) / 20).to(gains)
        moved += louder
    return moved


def _lacking_db(network: Network, draw: Draw, random: np.random.Generator) -> NDArray[np.float64]:
    """[BINS] By how much the teacher is louder in the mean."""
    own, goal = torch.zeros(BINS, dtype=torch.float64), torch.zeros(BINS, dtype=torch.float64)
    torch.manual_seed(int(random.integers(1 << 31)))
    for _ in range(BATCHES):
        crops = draw(BATCH, random)
        with torch.no_grad():
            heard = perform(network, crops)
        own += _power(heard.own)
        goal += _power(crops.sound[:, 2 * EDGE : -2 * EDGE])
    return np.asarray(10 * torch.log10(goal / own))


def _power(sound: Tensor) -> Tensor:
    return spectra(sound).abs().square().double().sum(dim=(0, 1))
