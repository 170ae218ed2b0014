"""What the network is trained to do: hear in a voice, spoiled or not, what the rules read from its phonemes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.motion import lips
from services.motion.frames import CHANNELS, FRAME_RATE
from services.motion.model.network import clips, controls
from services.motion.model.network.network import Network
from services.motion.model.network.rung import AHEAD, EMOTIONS, STATE, WIDTH
from services.motion.model.network.vary import varied
from services.motion.performance import MOODS
from services.training.task import drawn, share

FRAMES = 192
"""Of an example (3.2 s)."""
CONTEXT = 32
"""Of them at the beginning, for which nothing is asked: what was before is missing."""
CLEAN_SHARE = 0.3
"""Of examples whose sound is not spoiled."""
VARIED_SHARE = 0.7
"""Of examples that are heard as from another head, in another place (see `vary`)."""
MOOD_SHARE = 0.6
"""Of examples in some mood."""

SHAPES = (4.0, 2.0, 2.0, 2.0, 3.0, 3.0, 2.0)
"""What errors of jaw, lips and tongue weigh."""
MUSTS = (2.0, 2.0, 1.0)
"""What errors of shut lips, of lip and teeth that touch and of teeth that nearly meet weigh."""
MISSED = 5.0
"""How much more it weighs when one of these is not seen than when it is seen without need."""
SQUARES, MOVES, ROWS = 20.0, 200.0, 4.0
"""What squared errors, errors of motion from frame to frame and errors of the finished rows weigh."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of FRAMES steps."""

    heard: Tensor
    """[batch, FRAMES, features.WIDTH]"""
    emotion: Tensor
    """[batch, FRAMES, EMOTIONS]"""
    wanted: Tensor
    """[batch, FRAMES, controls.SIZE]: of the frame that comes out at each step."""


class Hearing:
    """The task (see `services.training.task.Task`)."""

    def __init__(self, paths: Sequence[Path], *, batch: int, seed: int) -> None:
        """All clips are kept in memory, in half precision: 2 MB for a minute. Raises ValueError when there are none."""
        found = [clips.load(path) for path in paths]
        self._clips = [clip for clip in found if len(clip.wanted) >= FRAMES + AHEAD]
        if not self._clips:
            raise ValueError("there are no clips to train on. Mend: make some first, with --clips")
        frames = np.array([len(clip.wanted) for clip in self._clips], np.float64)
        self.seconds = float(frames.sum()) / FRAME_RATE
        self._share = frames / frames.sum()
        self._batch, self._seed = batch, seed
        self._ideal = Network()
        """Only for its arithmetic, which is not learned."""
        self._moods = torch.from_numpy(np.stack(list(MOODS.values())).astype(np.float32))

    def network(self) -> nn.Module:
        return Network()

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Batch:
        random = drawn(self._seed, step, micro)
        rows = [self._example(random) for _ in range(self._batch)][share(self._batch, rank, ranks)]
        return Batch(*(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)))

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        state = batch.heard.new_zeros(len(batch.heard), STATE, WIDTH)
        rows, given, _ = network(batch.heard, batch.emotion, state)
        rows, given, wanted = (part[:, CONTEXT:].float() for part in (rows, given, batch.wanted))
        off = given - wanted
        weights = off.new_tensor((*SHAPES, *MUSTS, 2.0, 2.0))
        squares = (off.square() * weights).mean()
        moves = ((off[:, 1:] - off[:, :-1]).square() * weights).mean()
        musts = slice(lips.CLOSED, lips.WIDTH)
        must, shall = given[..., musts].clamp(1e-5, 1 - 1e-5), wanted[..., musts]
        seen = -(MISSED * shall * must.log() + (1 - shall) * (1 - must).log()) * off.new_tensor(MUSTS)
        mood = batch.emotion[:, CONTEXT:].float() @ self._moods.to(rows.device)
        finished = (rows - self._ideal.to(rows.device).decoded(wanted, mood)).abs().sum(-1).mean()
        whole = SQUARES * squares + MOVES * moves + seen.mean() + ROWS * finished / CHANNELS**0.5
        return {"loss": whole, "shapes": squares, "moves": moves, "musts": seen.mean(), "rows": finished}

    def _example(self, random: np.random.Generator) -> list[NDArray[np.float32]]:
        clip = self._clips[int(random.choice(len(self._clips), p=self._share))]
        variant = 0 if random.random() < CLEAN_SHARE else int(random.integers(1, len(clip.heard)))
        first = int(random.integers(AHEAD, len(clip.wanted) - FRAMES + 1))
        emotion = np.zeros((FRAMES, EMOTIONS), np.float32)
        if random.random() < MOOD_SHARE:
            emotion[:, random.integers(EMOTIONS)] = random.uniform(0.1, 1)
        heard = clip.heard[variant, first : first + FRAMES].astype(np.float32)
        if random.random() < VARIED_SHARE:
            heard = varied(heard, random)
        return [heard, emotion, clip.wanted[first - AHEAD : first - AHEAD + FRAMES].astype(np.float32)]


assert controls.SIZE == lips.WIDTH + 2
