"""What the network is trained to do: say of symbols what the open network's encoder says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from services.speech.model.text2speech.encoder import ENERGY, HERTZ
from services.speech.model.text2speech.lengths import places_of
from services.speech.model.text2speech.network import Network
from services.speech.model.text2speech.utterances import Utterance, load
from services.training.task import drawn, share

VOICED_HZ = 40.0
"""Below this the encoder's pitch means: no voice."""
INNER, LENGTHS, VOICE, PITCH, MOVES, LOUDNESS = 1.0, 1.0, 0.5, 4.0, 4.0, 1.0
"""What errors weigh: of inner values, lengths, voicing, pitch, the pitch's motion, and energy."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Utterances of about the same length, padded."""

    tokens: Tensor
    style: Tensor
    real: Tensor
    owner: Tensor
    places: Tensor
    sounding: Tensor
    inner: Tensor
    long: Tensor
    f0: Tensor
    energy: Tensor


class Speaking:
    """The task (see `services.training.task.Task`)."""

    def __init__(self, paths: Sequence[Path], *, batch: int, seed: int) -> None:
        """All utterances are kept in memory: about 60 kB each. Raises ValueError when there are too few."""
        if len(paths) < batch:
            raise ValueError(f"there are {len(paths)} utterances for batches of {batch}. Mend: make more")
        self._utterances = sorted((load(path) for path in paths), key=lambda each: int(each.durations.sum()))
        self.seconds = float(sum(int(each.durations.sum()) for each in self._utterances)) * 0.025
        self._batch, self._seed = batch, seed
        some = np.concatenate([each.inner[1:-1] for each in self._utterances[:: max(len(self._utterances) // 300, 1)]])
        self._middle = torch.from_numpy(some.astype(np.float32).mean(0))
        self._spread = torch.from_numpy(some.astype(np.float32).std(0).clip(min=0.05))

    def network(self) -> nn.Module:
        network = Network()
        network.symbols.middle.copy_(self._middle)
        network.symbols.spread.copy_(self._spread)
        return network

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Batch:
        random = drawn(self._seed, step, micro)
        first = int(random.integers(len(self._utterances) - self._batch + 1))
        chosen = self._utterances[first : first + self._batch][share(self._batch, rank, ranks)]
        return batch_of(chosen)

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        made = network(batch.tokens, batch.style, batch.real, batch.owner, batch.places, batch.sounding)
        return self.off(made, batch)

    def off(self, made: tuple[Tensor, Tensor, Tensor], batch: Batch) -> dict[str, Tensor]:
        """How far what the network makes of a batch is from the encoder: the loss, and its parts."""
        inner, long, said = made
        real, sounding = batch.real[..., 0], batch.sounding[..., 0]
        spread = self._spread.to(inner.device)
        off = mean((((inner.float() - batch.inner) / spread).square()).mean(-1), real)
        lengths = mean((long.float() - batch.long).abs(), real)
        said_of = melody(said, batch.f0, batch.energy, sounding)
        whole = INNER * off + LENGTHS * lengths + weighed(said_of)
        return {"loss": whole, "inner": off, "lengths": lengths, **said_of}


def melody(said: Tensor, f0: Tensor, energy: Tensor, sounding: Tensor) -> dict[str, Tensor]:
    """How far what is said of half frames, [batch, m, 3], is from how it was. The others are [batch, m]."""
    voiced = (f0 > VOICED_HZ).float()
    pitch_off = said[..., 1].float() - f0 / HERTZ
    together = voiced[:, 1:] * voiced[:, :-1] * sounding[:, 1:]
    return {
        "voice": mean(binary_cross_entropy_with_logits(said[..., 0].float(), voiced, reduction="none"), sounding),
        "pitch": mean(pitch_off.abs(), sounding * voiced),
        "moves": mean((pitch_off[:, 1:] - pitch_off[:, :-1]).abs(), together),
        "energy": mean((said[..., 2].float() - energy / ENERGY).abs(), sounding),
    }


def weighed(off: Mapping[str, Tensor]) -> Tensor:
    """The sum of `melody`'s errors by what they weigh."""
    return VOICE * off["voice"] + PITCH * off["pitch"] + MOVES * off["moves"] + LOUDNESS * off["energy"]


def batch_of(utterances: Sequence[Utterance]) -> Batch:
    """Pads them to one length."""
    most = max(len(each.tokens) for each in utterances)
    longest = max(2 * int(each.durations.sum()) for each in utterances)

    placed = [places_of(each.durations) for each in utterances]
    return Batch(
        tokens=padded([each.tokens for each in utterances], most),
        style=torch.from_numpy(np.stack([each.style for each in utterances])),
        real=padded([np.ones((len(each.tokens), 1), np.float32) for each in utterances], most),
        owner=padded([owner for owner, _ in placed], longest),
        places=padded([places for _, places in placed], longest),
        sounding=padded([np.ones((len(owner), 1), np.float32) for owner, _ in placed], longest),
        inner=padded([each.inner for each in utterances], most),
        long=padded([np.log(each.durations * each.speed).astype(np.float32) for each in utterances], most),
        f0=padded([each.f0 for each in utterances], longest),
        energy=padded([each.energy for each in utterances], longest),
    )


def padded(rows: Sequence[NDArray[Any]], length: int) -> Tensor:
    """[batch, length, …] The rows with zeros after them, as int64 or as the floats that they are."""
    first = rows[0]
    made = np.zeros((len(rows), length, *first.shape[1:]), np.int64 if first.dtype.kind == "i" else first.dtype)
    for index, row in enumerate(rows):
        made[index, : len(row)] = row
    return torch.from_numpy(made)


def mean(values: Tensor, weights: Tensor) -> Tensor:
    """By weights."""
    return (values * weights).sum() / weights.sum().clamp(min=1)
