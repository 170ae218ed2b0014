"""Training without a teacher: the network, a vocoder for it and an aligner, all at once, on recordings alone.

With a teacher, what a symbol sounds like has the teacher's 512 values. Here nobody says what they are: whatever the
first network says of a symbol goes straight into the vocoder, and what is far from the recording in the vocoder's sound
is learned by both. The aligner says meanwhile which frames are which symbol's; lengths, pitch and energy are learned as
with a teacher, from what was measured. Each speaker has a style of its own, learned like a weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn

from services.speech.model.recorded import measures
from services.speech.model.recorded.aligner import Aligner, all_ways, likeliest, straight
from services.speech.model.recorded.recordings import Recording, sound_of, tokens_of
from services.speech.model.text2speech.lengths import places_of
from services.speech.model.text2speech.network import STYLE, Network
from services.speech.model.text2speech.speaking import LENGTHS, mean, melody, padded, weighed
from services.speech.model.vocoder.excitation import EDGE, FRAME, Pulses
from services.speech.model.vocoder.losses import energy_distance
from services.speech.model.vocoder.network import Network as Vocoder
from services.speech.model.vocoder.network import spectra
from services.speech.model.vocoder.train import FRAMES, SKIP, perform
from services.speech.model.vocoder.train import Batch as Crops
from services.speech.natural.encoder import MAX_SYMBOLS
from services.speech.natural.reading import Reader
from services.speech.natural.voices import TIMBRE
from services.speech.sound import SAMPLE_RATE
from services.training.arrays import save_arrays
from services.training.task import drawn, share

LONGEST_S = 16.0
"""Longer recordings are left out: they would fill the memory."""
WINDOW = FRAMES + 2 * SKIP
"""Frames of the piece of a recording that is made sound of."""
RESOLUTIONS = (2048, 1024, 512)
"""Not 256: so short a window sees single pulses, and a recording's come at other moments than ours."""
SOUND, WAYS, SURE = 1.0, 1.0, 0.1
"""What weighs how far the sound is, how unlikely the order of the symbols is, and how unsure the likeliest way."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording as it is learned from."""

    tokens: NDArray[np.int64]
    speaker: int
    heard: NDArray[np.float32]
    f0: NDArray[np.float32]
    energy: NDArray[np.float32]
    sound: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Recordings of about the same length, padded; and a piece of each."""

    tokens: Tensor
    real: Tensor
    symbols: Tensor
    speakers: Tensor
    heard: Tensor
    straight: Tensor
    frames: Tensor
    f0: Tensor
    energy: Tensor
    begins: Tensor
    """The first frame of each piece."""
    crops: Crops
    """Of the pieces; `inner` and `style` are empty, for they are what is learned."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the networks make of a batch."""

    likely: Tensor
    durations: Tensor
    """[batch, n] Of the likeliest way."""
    long: Tensor
    said: Tensor
    own: Tensor
    again: Tensor


class Joint(nn.Module):
    """All that is trained together."""

    def __init__(self, speakers: int) -> None:
        super().__init__()
        self.text2speech = Network()
        self.vocoder = Vocoder()
        self.aligner = Aligner()
        self.styles = nn.Embedding(speakers, STYLE)
        nn.init.normal_(self.styles.weight, std=0.2)

    def forward(self, batch: Batch) -> Said:
        there = torch.arange(batch.heard.shape[1], device=batch.heard.device) < batch.frames[:, None]
        likely = self.aligner(batch.tokens, batch.heard, batch.real, there[..., None].float(), batch.straight)
        durations = _durations(likely, batch.symbols, batch.frames)
        owner, places, sounding = (part.to(likely.device) for part in _placed(durations, batch.f0.shape[1]))
        style = self.styles(batch.speakers)
        inner, long, known = self.text2speech.symbols(batch.tokens, style, batch.real)
        own = known.gather(1, owner[..., None].expand(-1, -1, known.shape[-1]))
        said = self.text2speech.frames(own, places, style, sounding)
        frames = batch.begins[:, None] + torch.arange(WINDOW, device=inner.device)
        whose = owner.gather(1, 2 * frames)
        crops = Crops(
            inner.gather(1, whose[..., None].expand(-1, -1, inner.shape[-1])).transpose(1, 2),
            batch.crops.f0, batch.crops.energy, style[:, :TIMBRE], batch.crops.sound, batch.crops.pulses,
        )  # fmt: skip
        heard = perform(self.vocoder, crops)
        return Said(likely, durations.to(likely.device), long, said, heard.own, heard.again)


class Voice:
    """The task (see `services.training.task.Task`)."""

    def __init__(self, paths: Sequence[Path], speakers: int, *, batch: int, seed: int) -> None:
        """`paths`: what `keep` wrote. Raises ValueError when there are too few."""
        if len(paths) < batch:
            raise ValueError(f"there are {len(paths)} recordings for batches of {batch}. Mend: record more")
        lengths = {path: _frames_of(path) for path in paths}
        self._paths = sorted(paths, key=lambda path: (lengths[path], path))
        self._frames = [lengths[path] for path in self._paths]
        self.seconds = sum(lengths.values()) * FRAME / SAMPLE_RATE
        self._speakers, self._batch, self._seed = speakers, batch, seed

    def network(self) -> nn.Module:
        network = Joint(self._speakers)
        some = np.concatenate([load(path).sound for path in self._paths[:: max(len(self._paths) // 30, 1)]])
        network.vocoder.start_at(torch.log(spectra(torch.from_numpy(some)[None]).abs() / 15 + 1e-5).mean(dim=(0, 1)))
        return network

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> tuple[Batch, list[int]]:
        random = drawn(self._seed, step, micro)
        first = int(random.integers(len(self._paths) - self._batch + 1))
        chosen = range(first, first + self._batch)
        begins = [int(random.integers(self._frames[index] - WINDOW + 1)) for index in chosen]
        resolutions = [int(length) for length in random.choice(RESOLUTIONS, 2, replace=False)]
        own = share(self._batch, rank, ranks)
        return batch_of([load(self._paths[index]) for index in chosen[own]], begins[own]), resolutions

    def loss(self, network: nn.Module, batch: tuple[Batch, list[int]]) -> Mapping[str, Tensor]:
        given, resolutions = batch
        made: Said = network(given)
        goal = given.crops.sound[:, 2 * EDGE : -2 * EDGE]
        distance, _, _ = energy_distance(goal, made.own, made.again, resolutions)
        ways = all_ways(made.likely, given.symbols, given.frames)
        sure = _unsure(made.likely, made.durations, given.frames)
        lengths = mean((made.long.float() - made.durations.clamp(min=1).log()).abs(), given.real[..., 0])
        sounding = (torch.arange(given.f0.shape[1], device=given.f0.device) < 2 * given.frames[:, None]).float()
        off = melody(made.said, given.f0, given.energy, sounding)
        whole = SOUND * distance + WAYS * ways + SURE * sure + LENGTHS * lengths + weighed(off)
        return {"loss": whole, "sound": distance, "ways": ways, "unsure": sure, "lengths": lengths, **off}


def keep(recordings: Sequence[Recording], reader: Reader, folder: Path) -> tuple[list[Path], list[str]]:
    """Writes what is learned from, so far as it is missing, and returns where it lies, with the speakers' names in the
    order of their numbers.

    Left out is what is longer than LONGEST_S, shorter than a piece, or has more symbols than frames. Raises BadFolder
    when a recording cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    speakers = sorted({recording.speaker for recording in recordings})
    found = []
    for index, recording in enumerate(track(recordings, description="recordings")):
        path = folder / f"{index:06d}.npz"
        if not path.exists():
            _save(path, measured(recording, reader, speakers.index(recording.speaker)))
        if _frames_of(path):
            found.append(path)
    return found, speakers


def measured(recording: Recording, reader: Reader, speaker: int) -> Kept:
    """What is learned of it; nothing of one that is to be left out."""
    sound = measures.levelled(sound_of(recording.path))
    tokens = np.array(tokens_of(recording, reader), np.int64)
    frames = len(sound) // FRAME
    fits = len(tokens) <= min(frames, MAX_SYMBOLS) and WINDOW <= frames <= LONGEST_S * SAMPLE_RATE / FRAME
    if not fits:
        sound = sound[:0]
        return Kept(tokens, speaker, np.zeros((0, measures.MELS), np.float32), sound, sound, sound)
    return Kept(
        tokens, speaker, measures.heard(sound), measures.pitch(sound), measures.energy(sound), sound
    )  # fmt: skip


def load(path: Path) -> Kept:
    """Reads one."""
    with np.load(path) as data:
        return Kept(
            data["tokens"].astype(np.int64),
            int(data["speaker"]),
            data["heard"].astype(np.float32),
            data["f0"],
            data["energy"],
            data["sound"].astype(np.float32),
        )


def _save(path: Path, kept: Kept) -> None:
    save_arrays(
        path,
        tokens=kept.tokens.astype(np.int16),
        speaker=np.int32(kept.speaker),
        heard=kept.heard.astype(np.float16),
        f0=kept.f0,
        energy=kept.energy,
        sound=kept.sound.astype(np.float16),
        frames=np.int32(len(kept.heard)),
    )


def _frames_of(path: Path) -> int:
    with np.load(path) as data:
        return int(data["frames"])


def batch_of(chosen: Sequence[Kept], begins: Sequence[int]) -> Batch:
    """Pads them to one length, and cuts the pieces out that begin at these frames."""
    most, longest = max(len(each.tokens) for each in chosen), max(len(each.heard) for each in chosen)
    expected = np.zeros((len(chosen), longest, most), np.float32)
    pieces: list[list[NDArray[Any]]] = []
    for index, (each, begin) in enumerate(zip(chosen, begins, strict=True)):
        frames, symbols = len(each.heard), len(each.tokens)
        expected[index, :frames, :symbols] = straight(frames, symbols)
        curves = slice(2 * begin, 2 * (begin + WINDOW))
        first, last = FRAME * (begin + SKIP) - EDGE, FRAME * (begin + SKIP + FRAMES) + EDGE
        pulses = Pulses(each.f0)(first, last)
        pieces.append([each.f0[curves], each.energy[curves], each.sound[first:last], pulses])
    f0, energy, sound, pulses_of = (torch.from_numpy(np.stack(part)) for part in zip(*pieces, strict=True))
    empty = torch.zeros(len(chosen), 0)
    return Batch(
        tokens=padded([each.tokens for each in chosen], most),
        real=padded([np.ones((len(each.tokens), 1), np.float32) for each in chosen], most),
        symbols=torch.tensor([len(each.tokens) for each in chosen]),
        speakers=torch.tensor([each.speaker for each in chosen]),
        heard=padded([each.heard for each in chosen], longest),
        straight=torch.from_numpy(expected),
        frames=torch.tensor([len(each.heard) for each in chosen]),
        f0=padded([each.f0 for each in chosen], 2 * longest),
        energy=padded([each.energy for each in chosen], 2 * longest),
        begins=torch.tensor(begins),
        crops=Crops(empty, f0, energy, empty, sound, pulses_of),
    )


def _durations(likely: Tensor, symbols: Tensor, frames: Tensor) -> Tensor:
    """[batch, n] Frames of each symbol on the likeliest way, 0 after the last one."""
    rows = likely.detach().cpu().numpy()
    found = [
        likeliest(row, count, length)
        for row, count, length in zip(rows, symbols.tolist(), frames.tolist(), strict=True)
    ]
    return padded(found, likely.shape[2])


def _placed(durations: Tensor, halves: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each half frame, see `places_of`; and where there are any: [batch, halves], [.., PLACES], [.., 1]."""
    found = [places_of(row[row > 0]) for row in durations.numpy()]
    there = [np.ones((len(owner), 1), np.float32) for owner, _ in found]
    owners, places = [owner for owner, _ in found], [places for _, places in found]
    return padded(owners, halves), padded(places, halves), padded(there, halves)


def _unsure(likely: Tensor, durations: Tensor, frames: Tensor) -> Tensor:
    """Minus the mean log likelihood of the likeliest way's frames."""
    ends = durations.cumsum(1)
    at = torch.arange(likely.shape[1], device=likely.device)
    owner = (at[None, :, None] >= ends[:, None]).sum(-1).clamp(max=likely.shape[2] - 1)
    there = (at < frames[:, None]).float()
    return -mean(likely.gather(2, owner[..., None])[..., 0], there)
