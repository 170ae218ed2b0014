"""Her body on the stage: the performance of turns, and what she does about the room between them, laid over the idle
life of the room, as one stream of frames.

Everything is on the room's frame grid: frame f belongs to media sample f × 400.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from services.core.events import AudienceEvent, MotionChunk, Turn
from services.motion import face
from services.motion.attention import Attention
from services.motion.compose import compose
from services.motion.curves import ease
from services.motion.frames import FRAME_SAMPLES, SAMPLE_RATE, Frames, of_chunk, still
from services.motion.idle import idle
from services.motion.joints import LEFT_SHOULDER, multiply, quaternion, rotation_vector

FADE_FRAMES = 12
"""The face of a performance that was stopped, or whose frames do not come, relaxes within 200 ms."""
SETTLE_FRAMES = 48
"""Head, trunk and arms come down no faster than a person's: within 800 ms."""
ARMS_RAISED = 2.2
"""From this turning of the arms on, in radians, they are wholly those of the newest performance."""
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
        begun = times >= self.first
        quick, slow = (
            np.where(begun, 1 - ease((times - end + 1) / frames), 0).astype(np.float32)[:, None]
            for frames in (FADE_FRAMES, SETTLE_FRAMES)
        )
        values = self._frames.face[place] * quick
        values[:, face.HEAD] = self._frames.face[place, face.HEAD] * slow
        joints = quaternion(rotation_vector(self._frames.joints[place]) * slow[..., None])
        return Frames(values, joints.astype(np.float32))

    def shows(self, first: int, count: int) -> bool:
        """Whether anything of it is to be seen in frames [first, first + count)."""
        end = self.end if self.stops is None else min(self.stops, self.end)
        return first + count > self.first and first < end + SETTLE_FRAMES

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
        self._attention = Attention(seed)
        self._blocks: OrderedDict[int, tuple[Frames, Frames]] = OrderedDict()
        """Block number → its idle layer, and what renderers show of it while nothing is performed."""

    def perform(self, epoch: int, start: int, chunk: MotionChunk) -> None:
        """Lays a chunk's frames from media sample `start` (a multiple of 400) on. Raises ValueError: not our frames."""
        frames, first = of_chunk(chunk), start // FRAME_SAMPLES
        if not self._layers or self._layers[-1].epoch != epoch:
            # What is left of the turn before, its last gesture perhaps, gives way.
            self.stop(epoch, start)
            self._layers.append(_Layer(epoch, first))
        self._layers[-1].put(first, frames)

    def notices(self, event: AudienceEvent, at: int, *, speaking: bool) -> bool:
        """A viewer did something; from media sample `at` on it may be seen. Whether frames change."""
        return self._attention.notices(event, at / SAMPLE_RATE, speaking=speaking)

    def turns_to(self, turn: Turn, at: int, *, speaking: bool) -> bool:
        """The turn that will be performed next is known at media sample `at`. Whether frames change."""
        return self._attention.turns_to(turn, at / SAMPLE_RATE, speaking=speaking)

    def speaks(self, at: int) -> None:
        """The voice of a turn begins at media sample `at`, or its turn is dead: she turns to the viewers."""
        self._attention.gives_way(at / SAMPLE_RATE)

    def stop(self, epoch: int, at: int) -> None:
        """Performances below `epoch` fade from media sample `at` on, and so does what she was about to do."""
        self._attention.gives_way(at / SAMPLE_RATE)
        for layer in self._layers:
            if layer.epoch < epoch and layer.stops is None:
                layer.stops = at // FRAME_SAMPLES

    def forget(self, first: int) -> None:
        """Drops what no frame from `first` on is made of. To be called where nobody may ask for frames."""
        self._layers = [layer for layer in self._layers if layer.end + SETTLE_FRAMES > first - KEEP_FRAMES]
        for layer in self._layers:
            layer.forget(first - KEEP_FRAMES)

    def frames(self, first: int, count: int) -> Frames:
        """Frames [first, first + count), idle and performance together, as renderers show them."""
        self.forget(first)
        spans = [layer.span(first, count) for layer in self._layers if layer.shows(first, count)]
        attends = self._attention.frames(first * FRAME_SAMPLES, count, FRAME_SAMPLES)
        if attends is not None:
            spans.insert(0, attends)
        if not spans:
            return self._alone(first, count, composed=True)
        performed = spans[0]
        for span in spans[1:]:
            performed = _over(performed, span)
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


def _over(below: Frames, above: Frames) -> Frames:
    """Both together; as far as the arms of the one above are raised, those of the one below are not."""
    arms = rotation_vector(above.joints[:, LEFT_SHOULDER:])
    raised = np.sqrt((arms * arms).sum((1, 2)))
    joints = below.joints
    if raised.any():
        left = (1 - ease(raised / ARMS_RAISED))[:, None, None]
        relaxed = quaternion(rotation_vector(joints[:, LEFT_SHOULDER:]) * left)
        joints = np.concatenate([joints[:, :LEFT_SHOULDER], relaxed], 1)
    return Frames(below.face + above.face, multiply(above.joints, joints).astype(np.float32))
