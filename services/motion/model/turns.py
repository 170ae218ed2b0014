"""What the rungs share: they remember turns, answer each chunk once, and make a MotionChunk of rows of frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.core.events import MotionChunk, VoiceChunk
from services.core.inference import ModelFailed
from services.motion import face
from services.motion.frames import FRAME_RATE, SAMPLE_RATE, of_rows, to_bytes
from services.motion.joints import JOINTS

MAX_TURNS = 256
"""Turns remembered at once; the one longest untouched is forgotten."""
T = TypeVar("T")
"""A turn as far as a rung performed it."""


class TurnByTurn(ABC, Generic[T]):
    """VoiceChunk → one MotionChunk. A repeated last chunk of a turn is answered the same again."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, T] = OrderedDict()
        # The last answer of each turn, kept beyond the turn's end in case it is asked for again.
        self._answers: OrderedDict[str, MotionChunk] = OrderedDict()

    async def ready(self) -> bool:
        return True

    async def stream(self, request: VoiceChunk) -> AsyncIterator[MotionChunk]:
        """One answer, see `answer`."""
        yield self.answer(request)

    def answer(self, chunk: VoiceChunk) -> MotionChunk:
        """The frames of a chunk. Raises ModelFailed for one that is not as the contract has it."""
        if chunk.sample_rate != SAMPLE_RATE:
            raise ModelFailed(f"{chunk.sample_rate} samples/s, not {SAMPLE_RATE}")
        if not chunk.pcm_s16le and not chunk.last:
            raise ModelFailed("an empty chunk that is not the last")
        answered = self._answers.get(chunk.turn_id)
        if answered is not None and answered.sequence == chunk.sequence:
            return answered
        turn = self._turns[chunk.turn_id] = self._turn(chunk, self._turns.get(chunk.turn_id))
        answer = self._answers[chunk.turn_id] = self._frames(turn, chunk)
        for remembered in (self._turns, self._answers):
            remembered.move_to_end(chunk.turn_id)
            while len(remembered) > MAX_TURNS:
                remembered.popitem(last=False)
        if chunk.last:
            self.forget(chunk.turn_id)
        return answer

    def forget(self, turn_id: str) -> None:
        """A turn's next chunk begins it anew, whichever it is."""
        self._turns.pop(turn_id, None)

    @abstractmethod
    def _turn(self, chunk: VoiceChunk, known: T | None) -> T:
        """The turn to go on with: the one that is known, or another when the chunk begins anew."""

    @abstractmethod
    def _frames(self, turn: T, chunk: VoiceChunk) -> MotionChunk:
        """The frames of a chunk; the turn is then that much further."""


def motion_chunk(chunk: VoiceChunk, rows: NDArray[Any], *, start_sample: int, rung: str) -> MotionChunk:
    """The frames of a voice chunk from rows [n, CHANNELS], whose face shapes are cut to 0 to 1 in place."""
    shapes = rows[:, : face.SHAPES]
    np.clip(shapes, 0, 1, out=shapes)
    face_bytes, joint_bytes = to_bytes(of_rows(rows))
    return MotionChunk(
        room_id=chunk.room_id,
        turn_id=chunk.turn_id,
        epoch=chunk.epoch,
        sequence=chunk.sequence,
        segment=chunk.segment,
        frame_rate=FRAME_RATE,
        start_sample=start_sample,
        frame_count=len(rows),
        face_f32le=face_bytes,
        joints=JOINTS,
        joints_f32le=joint_bytes,
        last=chunk.last,
        rung=rung,
        emotion=chunk.emotion,
        gesture=chunk.gesture,
    )
