"""Training. `lydia train vocoder` makes the teacher's speech, trains the network on it and exports it.

Every part resumes where it was stopped. Checkpoint, losses and clips lie in one folder.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from services.speech.model.vocoder import dataset
from services.speech.model.vocoder.excitation import EDGE, FRAME, STEP, Pulses
from services.speech.model.vocoder.losses import RESOLUTIONS, energy_distance, phase_distance
from services.speech.model.vocoder.network import STYLE, Network, overlapped, spectra

CHECKPOINT, LOSSES = "checkpoint.pt", "losses.csv"
FRAMES, SKIP = 40, 4
"""Frames of a crop that make sound (1 s), and frames on each side that are only context."""
WARM_UP = 100
REPORT, KEEP = 10, 250
"""Steps between rows of losses, and between checkpoints."""
AVERAGE = 0.998
"""Of the running mean of the weights, which is what is exported."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run depends on besides the clips."""

    steps: int = 6_000
    batch: int = 8
    rate: float = 1e-3
    seed: int = 2112
    phase_weight: float = 0.5
    decay: float = 0.3
    """Share of the steps at the end over which the learning rate falls to nothing."""


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

    def batch(self, size: int, random: np.random.Generator) -> Batch:
        """Crops from random clips, longer clips more often."""
        rows = [self._crop(int(index), random) for index in random.choice(len(self._clips), size, p=self._share)]
        return Batch(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)))

    def mean_log_spectrum(self) -> Tensor:
        """[BINS] Of what is heard: the log gains to begin with, on noise of power 1."""
        loud = [clip.sound[FRAME * dataset.LEAD : -FRAME * dataset.TAIL] for clip in self._clips[:30]]
        own = spectra(torch.from_numpy(np.concatenate(loud))[None]).abs()
        return torch.log(own / 15 + 1e-5).mean(dim=(0, 1))

    def _crop(self, index: int, random: np.random.Generator) -> list[np.ndarray[Any, Any]]:
        clip = self._clips[index]
        features, frames = clip.features, FRAMES + 2 * SKIP
        begin = int(random.integers(features.inner.shape[1] - frames + 1))
        own = slice(begin, begin + frames)
        curves = slice(2 * begin, 2 * (begin + frames))
        heard = slice(FRAME * (begin + SKIP) - EDGE, FRAME * (begin + SKIP + FRAMES) + EDGE)
        row = (features.inner[:, own], features.f0[curves], features.energy[curves], features.style[:STYLE])
        return [np.asarray(part, dtype=np.float32) for part in (*row, clip.sound[heard], self._pulses[index][heard])]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the network makes of a batch: the same sound with two draws of noise, and the filtered pulses' spectra."""

    own: Tensor
    again: Tensor
    pulses: Tensor


def perform(network: Network, batch: Batch, generator: torch.Generator) -> Heard:
    """The network's sound of a batch, without the edges that have no neighbours."""
    pulse, phase, noise = network(batch.inner, batch.f0, batch.energy, batch.style, skip=SKIP)
    filtered = spectra(batch.pulses) * torch.complex(pulse * phase[0], pulse * phase[1])
    voiced = overlapped(filtered)
    sounds = []
    for _ in range(2):
        white = torch.randn(batch.sound.shape, generator=generator)
        sounds.append((voiced + overlapped(spectra(white) * noise))[:, 2 * EDGE : -2 * EDGE])
    return Heard(sounds[0], sounds[1], filtered)


def rate_at(step: int, options: Options) -> float:
    """The learning rate: up at once, long level, then down to nothing."""
    falling = options.steps * options.decay
    left = min(1.0, (options.steps - step) / max(falling, 1))
    return options.rate * min(1.0, (step + 1) / WARM_UP) * (0.5 - 0.5 * math.cos(math.pi * left))


def train(clips: Clips, folder: Path, options: Options, *, threads: int, until: int | None = None) -> Network:
    """Trains from the folder's checkpoint, when there is one, to the end. Returns the averaged network.

    `until`: the step before which to stop, to go on another time.
    """
    end = options.steps if until is None else min(until, options.steps)
    torch.set_num_threads(threads)
    torch.manual_seed(options.seed)
    network, average = Network(), Network()
    network.start_at(clips.mean_log_spectrum())
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01)
    step = _resume(folder / CHECKPOINT, network, average, optimizer)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn()) as progress, (folder / LOSSES).open("a", newline="") as file:
        task, table = progress.add_task("training", total=options.steps, completed=step), csv.writer(file)
        if step == 0:
            table.writerow(("step", "loss", "to_teacher", "own_spread", "phase", "seconds"))
        begun, recent = time.monotonic(), []
        while step < end:
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, options)
            recent.append(_step(network, optimizer, clips, step, options))
            _average(network, average, step)
            step += 1
            progress.update(task, completed=step, description=f"training, loss {recent[-1][0]:.3f}")
            if step % REPORT == 0:
                means = (f"{value:.4f}" for value in np.mean(recent, axis=0))
                table.writerow((step, *means, f"{time.monotonic() - begun:.0f}"))
                file.flush()
                recent = []
            if step % KEEP == 0 or step == end:
                _keep(folder / CHECKPOINT, network, average, optimizer, step, options)
    return average


def _step(
    network: Network, optimizer: torch.optim.Optimizer, clips: Clips, step: int, options: Options
) -> tuple[float, float, float, float]:
    """One step, whose randomness depends on the seed and the step alone."""
    random = np.random.default_rng((options.seed, step))
    batch = clips.batch(options.batch, random)
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    heard = perform(network, batch, generator)
    goal = batch.sound[:, 2 * EDGE : -2 * EDGE]
    # Two of the four resolutions a step: as good in the mean, at half the cost.
    chosen = [int(length) for length in random.choice(RESOLUTIONS, 2, replace=False)]
    loss, near, apart = energy_distance(goal, heard.own, heard.again, chosen)
    phase = phase_distance(spectra(batch.sound), heard.pulses)
    optimizer.zero_grad()
    torch.autograd.backward(loss + options.phase_weight * phase)
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return loss.item(), near.item(), apart.item(), phase.item()


def _average(network: Network, average: Network, step: int) -> None:
    keep = min(AVERAGE, step / (step + 10))
    with torch.no_grad():
        for mean, new in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(new, 1 - keep)


def _resume(path: Path, network: Network, average: Network, optimizer: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    kept = torch.load(path, weights_only=True)
    network.load_state_dict(kept["network"])
    average.load_state_dict(kept["average"])
    optimizer.load_state_dict(kept["optimizer"])
    return int(kept["step"])


def _keep(
    path: Path, network: Network, average: Network, optimizer: torch.optim.Optimizer, step: int, options: Options
) -> None:
    unfinished = path.with_suffix(".part")
    states = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**states, "step": step, "options": asdict(options)}, unfinished)
    unfinished.replace(path)
