"""The motion service: voice chunks in, frames out, chunk for chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from services.core import topics
from services.core.bus.port import Bus
from services.core.clock import Clock
from services.core.envelope import seal
from services.core.events import MotionChunk, VoiceChunk
from services.core.ids import derived
from services.core.inference import Inference, ModelFailed
from services.core.state.port import State
from services.core.telemetry import Telemetry
from services.core.turns import TurnWorker

RULES = "motion.rules"
CHUNK_S = 1.0
"""How long a rung may take for one chunk: longer, and the voice is on the stage without it."""


class Motion:
    """Moves her. Chunk k of a turn's frames answers chunk k of its voice, under an id derived from both, so a repeated
    chunk is published again as it was.
    """

    def __init__(
        self,
        bus: Bus,
        state: State,
        inference: Inference,
        clock: Clock,
        telemetry: Telemetry,
        rungs: Sequence[str] = (RULES,),
    ) -> None:
        """`rungs`: names of models, best first. A turn that had to step down stays there until its end."""
        self._bus = bus
        self._inference = inference
        self._clock = clock
        self._telemetry = telemetry
        self._rungs = tuple(rungs)
        self._worker = TurnWorker(bus, state, telemetry, service="motion")
        self._stepped_down: dict[str, int] = {}
        """Turns that are not on the first rung, with the number of theirs."""

    async def run(self) -> None:
        """Works until cancelled."""
        await self._worker.run(topics.VOICE, self._move, is_last=lambda chunk: chunk.last, ended=self._forget)

    async def _move(self, chunk: VoiceChunk) -> None:
        event_id = derived(chunk.turn_id, "frames", chunk.sequence)
        frames = await self._frames(chunk, event_id)
        if chunk.sequence == 0:
            self._telemetry.metrics.rung.labels("motion", frames.rung).inc()
        await self._bus.publish(
            seal(
                topics.FRAMES,
                frames,
                event_id=event_id,
                room_id=chunk.room_id,
                source="motion",
                now_ms=self._clock.now_ms(),
            )
        )

    async def _frames(self, chunk: VoiceChunk, request_id: str) -> MotionChunk:
        """The best rung's frames. Raises ModelFailed when no rung has any."""
        while True:
            rung = self._rungs[self._stepped_down.get(chunk.turn_id, 0)]
            try:
                with self._telemetry.span(f"infer {rung}"):
                    return await self._ask(rung, chunk, request_id)
            except (ModelFailed, TimeoutError) as error:
                self._telemetry.metrics.rung_failed.labels("motion", rung.removeprefix("motion.")).inc()
                lower = self._stepped_down.get(chunk.turn_id, 0) + 1
                if lower == len(self._rungs):
                    raise ModelFailed(f"no rung moves this chunk; the last one: {error}") from error
                self._stepped_down[chunk.turn_id] = lower

    async def _ask(self, rung: str, chunk: VoiceChunk, request_id: str) -> MotionChunk:
        async with (
            asyncio.timeout(CHUNK_S),
            aclosing(self._inference.stream(rung, chunk, request_id=request_id)) as answers,  # type: ignore[type-var]
        ):
            async for answer in answers:
                if isinstance(answer, MotionChunk):
                    return answer
        raise ModelFailed(f"{rung} has no answer")

    def _forget(self, _room_id: str, turn_id: str) -> None:
        self._stepped_down.pop(turn_id, None)
