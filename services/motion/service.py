"""The motion service: voice chunks in, frames out, chunk for chunk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import aclosing

from services.core import topics
from services.core.bus.port import Bus, Record
from services.core.clock import Clock
from services.core.envelope import seal
from services.core.events import MotionChunk, VoiceChunk
from services.core.ids import derived
from services.core.inference import Inference, ModelFailed
from services.core.ladder import Ladder
from services.core.state.port import State
from services.core.telemetry import Telemetry
from services.core.turns import TurnWorker

log = logging.getLogger(__name__)

NETWORK, RULES = "motion.network", "motion.rules"
CHUNK_S = 1.0
"""How long a rung may take for one chunk. Later than that, the voice is on the stage without it."""


class Motion:
    """Moves her. Chunk k of a turn's frames answers chunk k of its voice, under an id derived from both, so a chunk
    that comes again is published again as it was.
    """

    def __init__(
        self,
        bus: Bus,
        state: State,
        inference: Inference,
        clock: Clock,
        telemetry: Telemetry,
        rungs: Sequence[str] = (RULES,),
        *,
        by_ear: Collection[str] = (),
    ) -> None:
        """`rungs`: names of models, best first. Those `by_ear` are asked only about a voice whose phonemes nobody
        knows: the others do better when they are told.
        """
        self._bus = bus
        self._inference = inference
        self._clock = clock
        self._telemetry = telemetry
        self._by_ear = frozenset(by_ear)
        self._ladder = Ladder(rungs, clock, telemetry.metrics, service="motion")
        self._worker = TurnWorker(bus, state, telemetry, service="motion")

    async def listening(self) -> None:
        """Returns when it reads what it works on, and misses no control any more."""
        await self._worker.listening()

    async def drain(self) -> None:
        """Begins no further turn; returns when those that were begun are made."""
        await self._worker.drain()

    async def run(self) -> None:
        """Works until cancelled."""
        await self._worker.run(topics.VOICE, self._move, is_last=lambda chunk: chunk.last)

    async def _move(self, chunk: VoiceChunk, _: Record) -> None:
        event_id = derived(chunk.turn_id, "frames", chunk.sequence)
        chunk.ClearField("turn")  # what viewers did is no business of a model of motion
        frames = await self._frames(chunk, event_id)
        now_ms = self._clock.now_ms()
        await self._bus.publish(
            seal(topics.FRAMES, frames, event_id=event_id, room_id=chunk.room_id, source="motion", now_ms=now_ms)
        )

    async def _frames(self, chunk: VoiceChunk, request_id: str) -> MotionChunk:
        """The best rung's frames. Raises ModelFailed when no rung has any."""
        for rung in self._ladder.usable():
            if rung in self._by_ear and chunk.phonemes:
                continue
            try:
                with self._telemetry.span(f"infer {rung}"):
                    frames = await self._ask(rung, chunk, request_id)
            except (ModelFailed, TimeoutError) as failure:
                log.warning("motion steps down from %s: %s", rung, failure or f"nothing for {CHUNK_S} s")
                self._ladder.failed(rung)
                continue
            if chunk.last:
                self._ladder.served(rung)
            return frames
        raise ModelFailed("no rung moves this chunk")

    async def _ask(self, rung: str, chunk: VoiceChunk, request_id: str) -> MotionChunk:
        answers = self._inference.stream(rung, chunk, request_id=request_id)
        async with asyncio.timeout(CHUNK_S), aclosing(answers):  # type: ignore[type-var]
            async for frames in answers:
                assert isinstance(frames, MotionChunk)
                return frames
        raise ModelFailed("no answer")
