"""Her body on the stage: the performance of turns laid over the idle life of the room, as one stream of frames.

Everything is on the room's frame grid: frame f belongs to media sample f × 400.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from services.core.events import MotionChunk
from services.motion.compose import compose
from services.motion.face import Floats
from services.motion.frames import FRAME_SAMPLES, Frames, of_chunk, still
from services.motion.idle import idle
from services.motion.joints import multiply, quaternion, rotation_vector

FADE_FRAMES = 12
"""A performance that was stopped, or whose frames do not come, relaxes within 200 ms."""
KEEP_FRAMES = 120
"""How far back frames are kept (2 s): nobody asks for older ones."""
BLOCK = 60
"""Frames of idle life that are made at once: a second costs hardly more than a fifth of one."""
BLOCKS = 4
"""Blocks that are kept."""


class _Layer:
    """The performance of one turn: consecutive frames from `first` on, and where it fades out if it was stopped."""

    def __init__(self, epoch: int, first: int) -> None:
        self.epoch = epoch
        self.first = first
        self.stops: int | None = None
        self._frames = still(0)

    @property
    def end(self) -> int:
        """The frame after the last one."""
        return self.first + len(self._frames.face)

    def put(self, first: int, frames: Frames) -> None:
        """Lays frames from `first` on. A gap before them is held, what stands there already is replaced."""
        kept = max(first - self.first, 0)
        times = np.minimum(np.arange(kept), max(len(self._frames.face) - 1, 0))
        before = Frames(self._frames.face[times], self._frames.joints[times]) if self.end > self.first else still(kept)
        self._frames = Frames(
            np.concatenate([before.face, frames.face]), np.concatenate([before.joints, frames.joints])
        )

    def span(self, first: int, count: int) -> Frames:
        """Frames [first, first + count): nothing before the beginning, the last one easing out after the end."""
        if self.end == self.first:
            return still(count)
        if self.first <= first and first + count <= self.end and self.stops is None:
            whole = slice(first - self.first, first - self.first + count)
            return Frames(self._frames.face[whole], self._frames.joints[whole])
        times = np.arange(first, first + count)
        place = np.clip(times - self.first, 0, len(self._frames.face) - 1)
        end = self.end if self.stops is None else min(self.stops, self.end)
        fade = np.clip((times - end + 1) / FADE_FRAMES, 0, 1)
        weight = np.where(times < self.first, 0, 1 - fade * fade * (3 - 2 * fade)).astype(np.float32)
        joints = quaternion(rotation_vector(self._frames.joints[place]) * weight[:, None, None])
        return Frames(self._frames.face[place] * weight[:, None], joints.astype(np.float32))

    def shows(self, first: int, count: int) -> bool:
        """Whether anything of it is to be seen in frames [first, first + count)."""
        end = self.end if self.stops is None else min(self.stops, self.end)
        return first + count > self.first and first < end + FADE_FRAMES

    def forget(self, before: int) -> None:
        """Drops old frames; the last one stays, to ease out from."""
        drop = min(max(before - self.first, 0), max(len(self._frames.face) - 1, 0))
        self._frames = Frames(self._frames.face[drop:], self._frames.joints[drop:])
        self.first += drop


class Body:
    """Frames of one room. `seed` makes her idle life the room's own."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._layers: list[_Layer] = []
        self._blocks: OrderedDict[int, tuple[Frames, Frames]] = OrderedDict()
        """Block number → its idle layer, and what renderers show of it while nothing is performed."""

    def perform(self, epoch: int, start: int, chunk: MotionChunk) -> None:
        """Lays a chunk's frames from media sample `start` (a multiple of 400) on. Raises ValueError: not our frames."""
        frames, first = of_chunk(chunk), start // FRAME_SAMPLES
        if not self._layers or self._layers[-1].epoch != epoch:
            self._layers.append(_Layer(epoch, first))
        self._layers[-1].put(first, frames)

    def stop(self, epoch: int, at: int) -> None:
        """Performances below `epoch` fade from media sample `at` on."""
        for layer in self._layers:
            if layer.epoch < epoch and layer.stops is None:
                layer.stops = at // FRAME_SAMPLES

    def frames(self, first: int, count: int) -> Frames:
        """Frames [first, first + count), idle and performance together, as renderers show them."""
        self._layers = [layer for layer in self._layers if layer.end + FADE_FRAMES > first - KEEP_FRAMES]
        for layer in self._layers:
            layer.forget(first - KEEP_FRAMES)
        layers = [layer for layer in self._layers if layer.shows(first, count)]
        if not layers:
            return self._alone(first, count, composed=True)
        performed = layers[0].span(first, count)
        for layer in layers[1:]:
            span = layer.span(first, count)
            performed = Frames(
                _sum(performed.face, span.face), multiply(span.joints, performed.joints).astype(np.float32)
            )
        return compose(self._alone(first, count, composed=False), performed)

    def _alone(self, first: int, count: int, *, composed: bool) -> Frames:
        """Frames [first, first + count) without any performance, from the blocks."""
        parts = []
        for block in range(first // BLOCK, -(-(first + count) // BLOCK)):
            frames = self._block(block)[composed]
            within = slice(max(first - block * BLOCK, 0), min(first + count - block * BLOCK, BLOCK))
            parts.append(Frames(frames.face[within], frames.joints[within]))
        return Frames(np.concatenate([part.face for part in parts]), np.concatenate([part.joints for part in parts]))

    def _block(self, number: int) -> tuple[Frames, Frames]:
        if number not in self._blocks:
            alone = idle(self._seed, number * BLOCK * FRAME_SAMPLES, BLOCK)
            self._blocks[number] = alone, compose(alone, still(BLOCK))
            if len(self._blocks) > BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[number]


def _sum(left: Floats, right: Floats) -> Floats:
    total: Floats = left + right
    return total
