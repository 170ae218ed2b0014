"""The rung `natural`: an open network's text encoder, and a vocoder. It knows when each phoneme sounds."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.core.events import Phoneme, TextSegment, VoiceChunk
from services.core.inference import ModelFailed, ModelLoading
from services.places import VOICE
from services.speech.natural.files import FilesUnavailable
from services.speech.natural.voices import DEFAULT
from services.speech.sound import SAMPLE_RATE, to_s16le

if TYPE_CHECKING:
    from services.speech.natural.speaker import Piece, Speaker

log = logging.getLogger(__name__)

RUNG = "natural"
THREADS = 2
"""Pieces that are made ahead at the same time; more only take turns on the cores of a laptop."""
URGENT_S = 1.5
"""So much sound of each turn is made in threads of its own, which wait for nobody's sound that is made ahead. One
begins turns, another goes on with them: a new turn does not wait for those that have just begun.
"""
BEGINS_S = 0.15
"""A turn that has not begun may wait a little; one that has begun would have a hole."""
TURNS = 1_000
"""Turns whose progress is remembered."""
YIELDS = 5
"""By how much the threads that make sound ahead are nicer than the rest of her."""


class NaturalSpeech:
    """TextSegment → VoiceChunks, several for each clause, with positions counted from the segment's first sample.

    The files are read in the background; until then it fails at once, and the next rung speaks.
    """

    def __init__(self, load: Callable[[], Speaker], *, threads: int = THREADS, rung: str = RUNG) -> None:
        """`load` runs in a thread of its own, from `start` on."""
        self._load = load
        self._ahead = ThreadPoolExecutor(threads, thread_name_prefix="natural-voice", initializer=_be_nice)
        self._first, self._soon, self._next = _MostUrgentFirst(1), _MostUrgentFirst(1), _MostUrgentFirst(threads)
        self._heard: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """Turn → when its first sound was there (loop time), and how many samples of it have been made."""
        self._begins = ThreadPoolExecutor(1, thread_name_prefix="natural-voice-first")
        self._goes_on = ThreadPoolExecutor(1, thread_name_prefix="natural-voice-soon")
        self._rung = rung
        self._speaker: Speaker | None = None
        self._why_not: Callable[[], ModelFailed] = lambda: ModelLoading("the natural voice is still loading")
        self._loading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to load."""
        self._loading = asyncio.create_task(self._read(), name="natural voice")

    async def loaded(self) -> None:
        """Waits until it can speak, or never will."""
        if self._loading is not None:
            await asyncio.shield(self._loading)

    async def close(self) -> None:
        """Waits for the piece that is being made, and makes no more."""
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)
        self._speaker, self._why_not = None, lambda: ModelFailed("the natural voice is closed")
        for pool in (self._begins, self._goes_on, self._ahead):
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def ready(self) -> bool:
        return self._speaker is not None

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        if self._speaker is None:
            raise self._why_not()
        pieces = self._speaker.speak(request)
        at = 0
        while True:
            try:
                piece = await self._made(pieces, request.turn_id)
            except Exception as error:  # ONNX Runtime's errors have no common class
                raise ModelFailed(f"the natural voice broke off: {type(error).__name__}: {error}") from error
            if piece is None:
                return
            yield _chunk(piece, at, self._rung)
            at += len(piece.sound)

    async def _made(self, pieces: Iterator[Piece], turn_id: str) -> Piece | None:
        """The next piece, made in its turn: the sooner it will be heard, the sooner."""
        loop = asyncio.get_running_loop()
        began, samples = self._heard.get(turn_id, (loop.time() + BEGINS_S, 0))
        if not samples:
            order, pool = self._first, self._begins
        elif samples < URGENT_S * SAMPLE_RATE:
            order, pool = self._soon, self._goes_on
        else:
            order, pool = self._next, self._ahead
        async with order.turn(began + samples / SAMPLE_RATE):
            piece = await loop.run_in_executor(pool, next, pieces, None)
        if piece is not None:
            self._heard[turn_id] = (began if samples else loop.time(), samples + len(piece.sound))
            self._heard.move_to_end(turn_id)
            while len(self._heard) > TURNS:
                self._heard.popitem(last=False)
        return piece

    async def _read(self) -> None:
        try:
            self._speaker = await asyncio.to_thread(self._load)
        except FilesUnavailable as error:
            reason = str(error)
            self._why_not = lambda: ModelFailed(reason)
            log.warning("the fast voice speaks: %s", reason)


class _MostUrgentFirst:
    """Lets so many in at a time, of those who wait the one first whose sound is needed first."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []  # one a turn that is spoken

    @asynccontextmanager
    async def turn(self, needed_at: float) -> AsyncIterator[None]:
        """`needed_at`: loop time."""
        if self._free:
            self._free -= 1
        else:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (needed_at, next(self._numbers), waiter))
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():  # it was let in at the same moment
                    self._leave()
                raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        while self._waiting:
            *_, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1


@asynccontextmanager
async def natural_voice(
    voice: str = DEFAULT, *, own: bool = False, teacher: bool = False
) -> AsyncIterator[NaturalSpeech]:
    """One of her voices, loaded, outside of `lydia up`: for tools and tests. Raises FilesUnavailable."""
    from services.speech.natural.loading import load

    speaker = await asyncio.to_thread(load, VOICE, voice, own=own, teacher=teacher)
    model = NaturalSpeech(lambda: speaker)
    model.start()
    await model.loaded()
    try:
        yield model
    finally:
        await model.close()


def _be_nice() -> None:
    """Lets the calling thread give way to the rest of the process. Only Linux gives each thread its own niceness."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), YIELDS)


def _chunk(piece: Piece, at: int, rung: str) -> VoiceChunk:
    return VoiceChunk(
        sample_rate=SAMPLE_RATE,
        start_sample=at,
        pcm_s16le=to_s16le(piece.sound),
        phonemes=[
            Phoneme(ipa=p.ipa, start_sample=at + p.start, end_sample=at + p.end, stress=p.stress)
            for p in piece.phonemes
        ],
        rung=rung,
    )
