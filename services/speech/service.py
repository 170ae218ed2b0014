"""Speech: text segments in, voice chunks out, the first one as early as it can be made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from services.core import topics
from services.core.bus.port import Bus, Record
from services.core.clock import Clock
from services.core.envelope import age_s, seal
from services.core.events import TextSegment, VoiceChunk
from services.core.ids import derived
from services.core.inference import Inference, ModelFailed, ModelLoading
from services.core.ladder import Ladder
from services.core.state.port import State
from services.core.telemetry import Telemetry
from services.core.turns import TurnWorker
from services.speech.chunks import BEGINNING, Position, SegmentCutter
from services.speech.early import EarlyVoice
from services.speech.sound import SAMPLE_RATE

log = logging.getLogger(__name__)

OPENAI, TEACHER, NATURAL, ESPEAK, CAPTIONS = (
    f"speech.{rung}" for rung in ("openai", "natural-teacher", "natural", "espeak", "captions")
)
ESPEAK_HERE = "speech.espeak-here"
"""The fast voice in this process, for when no model server answers."""
PIECE_S = 10.0
"""How long a model may take for its next piece, before it counts as hung."""
AHEAD_S, FAST_AHEAD_S = 6.0, 3.0
"""A segment is not begun while the turn's voice is farther ahead than this of what can have been heard: most of what is
made early is made for nothing when she is interrupted. The fast voice needs no more; a network's sound may have to wait
until other rooms' is made.
"""
PATIENCE_S: Mapping[str, float] = {TEACHER: 2.5, NATURAL: 0.65}
"""How far behind its sound a rung may fall before it is broken off: the finest voice makes whole clauses, and who asks
for it waits for the first. The others wait for a server, or hardly work.
"""
EARLY_S = 0.35
"""The next rung is asked so long before a rung is given up, so that she goes on at once. A rung that has just given
something gets at least as long.
"""
SLACK_S = 0.5
"""By how much longer than its sound a segment may take to make; a rung that takes longer steps down."""


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far a turn has been spoken."""

    began_at: float
    """When its first segment was written. Seconds of the clock."""
    position: Position = BEGINNING
    segments: int = 0
    """Segments whose chunks are all on the bus."""


class Speech:
    """Speaks turns. A turn that comes again, after a crash, gets the same ids."""

    def __init__(
        self,
        bus: Bus,
        state: State,
        inference: Inference,
        clock: Clock,
        telemetry: Telemetry,
        *,
        rungs: Sequence[str] = (ESPEAK, CAPTIONS),
        speed: float = 1.0,
    ) -> None:
        """`rungs`: names of models, best first. `speed`: how much faster than real time the show runs."""
        self._speed = speed
        self._bus = bus
        self._inference = inference
        self._clock = clock
        self._telemetry = telemetry
        self._ladder = Ladder(rungs, clock, telemetry.metrics, service="speech")
        self._worker = TurnWorker(bus, state, telemetry, service="speech")
        self._progress: dict[str, _Progress] = {}

    async def listening(self) -> None:
        """Returns when it reads what it works on, and misses no control any more."""
        await self._worker.listening()

    async def drain(self) -> None:
        """Begins no further turn; returns when those that were begun are made."""
        await self._worker.drain()

    async def run(self) -> None:
        """Works until cancelled."""
        await self._worker.run(topics.TEXT, self._speak, is_last=lambda segment: segment.last, ended=self._forget)

    def _forget(self, _room_id: str, turn_id: str) -> None:
        self._progress.pop(turn_id, None)

    async def _speak(self, segment: TextSegment, record: Record) -> None:
        """Publishes the segment's chunks. Progress is noted only when all are out, so that a segment that is handled
        again begins where it began before. A segment that was spoken and comes again only closes the turn, if it does.

        After a crash the turn is made again from its beginning, and quickly, for much of it was heard long ago.
        """
        written_s = age_s(record, self._clock.now_ms()) or 0.0
        progress = self._progress.get(segment.turn_id, _Progress(began_at=self._clock.monotonic() - written_s))
        ahead_s = await self._keep_pace(progress)
        asked_at = self._clock.monotonic()
        if segment.sequence < progress.segments:
            segment.text = ""
        cutter = SegmentCutter(segment, progress.position)
        if segment.text.strip():
            await self._climb_down(segment, cutter, asked_at, ahead_s)
        await self._publish(cutter.finish(), asked_at)
        segments = max(progress.segments, segment.sequence + 1)
        self._progress[segment.turn_id] = _Progress(progress.began_at, cutter.position, segments)

    async def _keep_pace(self, progress: _Progress) -> float:
        """Waits until the turn's voice is no longer far ahead of its being heard. Returns by how many seconds it is."""
        made_s = progress.position.sample / SAMPLE_RATE
        most_s = FAST_AHEAD_S if self._ladder.usable()[0] in (ESPEAK, ESPEAK_HERE) else AHEAD_S
        ahead_s = max(made_s - (self._clock.monotonic() - progress.began_at) * self._speed, 0)
        await asyncio.sleep(max(ahead_s - most_s, 0) / self._speed)
        return min(ahead_s, most_s) / self._speed

    async def _climb_down(self, segment: TextSegment, cutter: SegmentCutter, asked_at: float, ahead_s: float) -> None:
        """Speaks with the best rung that can. A rung that breaks off is followed by the next one saying all of it.

        What is not to be heard for `ahead_s` may be made so much later.
        """
        rungs = self._ladder.usable()
        async with AsyncExitStack() as stack:
            voices = [
                await stack.enter_async_context(aclosing(EarlyVoice(self._pieces(rung, segment)))) for rung in rungs
            ]
            for rung, voice, following in zip(rungs, voices, [*voices[1:], None], strict=True):
                try:
                    with self._telemetry.span(f"infer {rung}"):
                        kept_up = await self._infer(rung, voice, following, cutter, asked_at, ahead_s)
                except ModelLoading:
                    continue
                except ModelFailed as failure:
                    log.warning("speech steps down from %s: %s", rung, failure)
                    self._ladder.failed(rung)
                    continue
                if not kept_up:
                    log.warning("speech steps down from %s: it takes longer than its sound lasts", rung)
                    self._ladder.failed(rung)
                elif segment.sequence == 0:
                    self._ladder.served(rung)
                return
        raise ModelFailed("no rung can speak")

    async def _infer(
        self,
        rung: str,
        voice: EarlyVoice,
        following: EarlyVoice | None,
        cutter: SegmentCutter,
        asked_at: float,
        ahead_s: float,
    ) -> bool:
        """Speaks with one rung. Returns whether it kept up with the sound it made. Raises ModelFailed."""
        waited, sounded = 0.0, 0.0
        before = self._clock.monotonic()
        begin = cutter.position.sample
        left = patience = PATIENCE_S.get(rung, PIECE_S) + ahead_s
        async with aclosing(voice.pieces()) as pieces:
            while (piece := await _next(pieces, min(PIECE_S, left), following)) is not None:
                waited += self._clock.monotonic() - before
                sounded += len(piece.pcm_s16le) / 2 / SAMPLE_RATE
                await self._publish(cutter.push(piece), asked_at)
                before = self._clock.monotonic()
                # Only what is out can be heard: up to a second waits for the next piece, to fill a chunk.
                left = max(patience + (cutter.position.sample - begin) / SAMPLE_RATE - waited, EARLY_S)
        waited += self._clock.monotonic() - before
        if sounded:
            self._telemetry.metrics.speech_real_time_ratio.labels(rung).observe(waited / sounded)
        return waited <= sounded + ahead_s + SLACK_S

    async def _pieces(self, rung: str, segment: TextSegment) -> AsyncGenerator[VoiceChunk, None]:
        request_id = derived(segment.turn_id, "voice of segment", segment.sequence)
        request = TextSegment()
        request.CopyFrom(segment)
        request.ClearField("turn")  # what viewers did is no business of a voice
        async with aclosing(
            self._inference.stream(rung, request, request_id=request_id)  # type: ignore[type-var]
        ) as pieces:
            async for piece in pieces:
                yield piece

    async def _publish(self, chunks: Sequence[VoiceChunk], asked_at: float) -> None:
        """Publishes the turn's first chunk alone, to be early, and others together."""
        if chunks and chunks[0].sequence == 0:
            await self._bus.publish(self._sealed(chunks[0]))
            self._telemetry.metrics.speech_first_chunk_seconds.observe(self._clock.monotonic() - asked_at)
            chunks = chunks[1:]
        await self._bus.publish(*(self._sealed(chunk) for chunk in chunks))

    def _sealed(self, chunk: VoiceChunk) -> Record:
        return seal(
            topics.VOICE,
            chunk,
            event_id=derived(chunk.turn_id, "voice", chunk.sequence),
            room_id=chunk.room_id,
            source="speech",
            now_ms=self._clock.now_ms(),
        )


async def _next(
    pieces: AsyncGenerator[VoiceChunk, None], seconds: float, following: EarlyVoice | None
) -> VoiceChunk | None:
    """The next piece, None after the last. Raises ModelFailed when it does not come in time; shortly before, the rung
    that follows is asked.
    """
    doubts = None
    if following is not None:
        doubts = asyncio.get_running_loop().call_later(max(seconds - EARLY_S, 0), following.begin)
    try:
        async with asyncio.timeout(seconds):
            return await anext(pieces, None)
    except TimeoutError:
        raise ModelFailed(f"nothing for {seconds:.1f} s") from None
    finally:
        if doubts is not None:
            doubts.cancel()
