"""What the vocoder learns, as a task for the training spine: the teacher's clips, and how far she is from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.speech.model.vocoder import dataset
from services.speech.model.vocoder.excitation import EDGE, FRAME, STEP, Pulses
from services.speech.model.vocoder.losses import RESOLUTIONS, energy_distance, low_distance, phase_distance
from services.speech.model.vocoder.network import Network, overlapped, spectra
from services.speech.natural.encoder import PAD
from services.speech.natural.voices import TIMBRE
from services.training.task import Options, drawn, share

FRAMES, SKIP = 40, 4
"""Frames of a crop that make sound (1 s), and frames on each side that are only context."""
PHASE_WEIGHT, LOW_WEIGHT = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Batch:
    """inner [batch, 512, frames], f0 and energy [batch, 2 frames], style [batch, 128], sounds [batch, samples]."""

    inner: Tensor
    f0: Tensor
    energy: Tensor
    style: Tensor
    sound: Tensor
    pulses: Tensor


class Clips:
    """All clips in memory, in half precision: about 7 MB a minute."""

    def __init__(self, paths: Sequence[Path]) -> None:
        clips = [dataset.load(path) for path in paths]
        self._clips = [clip for clip in clips if clip.features.inner.shape[1] >= FRAMES + 2 * SKIP]
        self.seconds = sum(len(clip.sound) for clip in self._clips) / 24_000
        if not self._clips:
            raise ValueError("there are no clips to train on. Mend: make some first, with --clips")
        self._pulses = [
            Pulses(clip.features.f0)(0, STEP * len(clip.features.f0)).astype(np.float16) for clip in self._clips
        ]
        lengths = np.array([len(clip.sound) for clip in self._clips], dtype=np.float64)
        self._share = lengths / lengths.sum()

    def batch(self, size: int, random: np.random.Generator, own: slice) -> Batch:
        """Crops from random clips. `own`: which of them are wanted."""
        return self.crops(self.draw(size, random)[own])

    def draw(self, size: int, random: np.random.Generator) -> list[tuple[int, int]]:
        """Where crops are to be cut out: clip and first frame. Longer clips come more often."""
        indices = [int(index) for index in random.choice(len(self._clips), size, p=self._share)]
        return [(index, int(random.integers(self._frames(index) - FRAMES - 2 * SKIP + 1))) for index in indices]

    def crops(self, places: Sequence[tuple[int, int]]) -> Batch:
        """What is cut out there."""
        rows = [self._crop(*place) for place in places]
        return Batch(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)))

    def said(self, index: int, begin: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The symbols of a clip, PAD at both ends, and the number of each one to which the frames of a crop belong."""
        clip = self._clips[index]
        durations = clip.features.durations
        first = dataset.spoken_from(durations) + begin
        owner = np.repeat(np.arange(len(durations)), durations)[first : first + FRAMES + 2 * SKIP]
        return np.concatenate(([PAD], clip.tokens, [PAD])).astype(np.int64), owner

    def mean_log_spectrum(self) -> Tensor:
        """[BINS] Of what is heard: the log gains to begin with, on noise of power 1."""
        loud = [clip.sound[FRAME * dataset.LEAD : -FRAME * dataset.TAIL] for clip in self._clips[:30]]
        own = spectra(torch.from_numpy(np.concatenate(loud))[None]).abs()
        return torch.log(own / 15 + 1e-5).mean(dim=(0, 1))

    def _frames(self, index: int) -> int:
        return int(self._clips[index].features.inner.shape[1])

    def _crop(self, index: int, begin: int) -> list[np.ndarray[Any, Any]]:
        clip = self._clips[index]
        features, frames = clip.features, FRAMES + 2 * SKIP
        own = slice(begin, begin + frames)
        curves = slice(2 * begin, 2 * (begin + frames))
        heard = slice(FRAME * (begin + SKIP) - EDGE, FRAME * (begin + SKIP + FRAMES) + EDGE)
        row = (features.inner[:, own], features.f0[curves], features.energy[curves], features.style[:TIMBRE])
        return [np.asarray(part, dtype=np.float32) for part in (*row, clip.sound[heard], self._pulses[index][heard])]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network makes of a batch: the same sound with two draws of noise, and the filtered pulses' spectra."""

    own: Tensor
    again: Tensor
    pulses: Tensor


def perform(network: nn.Module, batch: Batch) -> Heard:
    """The network's sound of a batch, without the edges that have no neighbours."""
    pulse, phase, noise = network(batch.inner, batch.f0, batch.energy, batch.style, skip=SKIP)
    filtered = spectra(batch.pulses) * torch.complex(pulse * phase[0], pulse * phase[1])
    voiced = overlapped(filtered)
    sounds = []
    for _ in range(2):
        white = torch.randn_like(batch.sound)
        sounds.append((voiced + overlapped(spectra(white) * noise))[:, 2 * EDGE : -2 * EDGE])
    return Heard(sounds[0], sounds[1], filtered)


@dataclass(frozen=True, slots=True)
class Vocoding:
    """The task."""

    clips: Clips
    options: Options

    def network(self) -> Network:
        """Sounds like the mean of the clips to begin with."""
        network = Network()
        network.start_at(self.clips.mean_log_spectrum())
        return network

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> tuple[Batch, list[int]]:
        """Crops, and two of the four resolutions: as good in the mean, at half the cost."""
        random = drawn(self.options.seed, step, micro)
        crops = self.clips.batch(self.options.batch, random, share(self.options.batch, rank, ranks))
        return crops, [int(length) for length in random.choice(RESOLUTIONS, 2, replace=False)]

    def loss(self, network: nn.Module, batch: tuple[Batch, list[int]]) -> Mapping[str, Tensor]:
        """The energy distance and its parts, how far the phases are off, and the lowest harmonics."""
        crops, resolutions = batch
        return off(crops, perform(network, crops), resolutions)


def off(crops: Batch, heard: Heard, resolutions: Sequence[int]) -> dict[str, Tensor]:
    """How far what is heard is from the teacher: the loss, and its parts."""
    goal = crops.sound[:, 2 * EDGE : -2 * EDGE]
    distance, near, apart = energy_distance(goal, heard.own, heard.again, resolutions)
    phase = phase_distance(spectra(crops.sound), heard.pulses)
    low = low_distance(goal, heard.own)
    loss = distance + PHASE_WEIGHT * phase + LOW_WEIGHT * low
    return {"loss": loss, "distance": distance, "to_teacher": near, "own_spread": apart, "phase": phase, "low": low}
