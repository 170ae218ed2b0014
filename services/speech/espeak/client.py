"""espeak-ng for asyncio: a few worker processes, kept alive, that answer within a time-out or are replaced."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from services.speech.espeak.protocol import (
    LENGTH,
    MAX_REPLY_BYTES,
    BadFrame,
    Line,
    Reply,
    Request,
    Sound,
    pack_request,
    unpack_hello,
    unpack_reply,
)

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-m", "services.speech.espeak.worker")
START_S = 10.0
"""How long a worker may take to say hello."""
EXIT_S = 0.5
"""How long a worker may take to leave after its input ended, before it is killed."""
BACK_OFF_S = (0.0, 0.1, 0.5, 2.0, 10.0, 30.0)
"""Pause before a worker is started again, by how often in a row it died before it answered anything."""


class EspeakFailed(Exception):
    """No sound: no worker is up, it died, it did not answer in time, or it refused the text."""


class _WorkerDied(EspeakFailed):
    """The worker ended before it answered."""


class _Worker:
    """One running process. Its replies are read by the task that started it."""

    def __init__(self, process: Process, sample_rate: int) -> None:
        self.process = process
        self.sample_rate = sample_rate
        self.alive = True
        self.answered = False
        self.waiting: dict[int, asyncio.Future[Reply]] = {}

    def fail(self, reason: str) -> None:
        """Nobody waits any longer for a process that is gone."""
        self.alive = False
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(_WorkerDied(reason))


class EspeakClient:
    """Made by `espeak_client`, which also ends it."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._idle: list[_Worker] = []  # never more than there are processes
        self._news = asyncio.Event()
        self._numbers = itertools.count()
        self._running: set[_Worker] = set()
        self._broken = ""
        """Why workers cannot be started, for as long as they cannot."""

    @property
    def ready(self) -> bool:
        """Whether a worker process is up."""
        return bool(self._running)

    def pids(self) -> list[int]:
        """The worker processes."""
        return [worker.process.pid for worker in self._running]

    async def speak(self, lines: Sequence[Line]) -> tuple[Sequence[Sound], int]:
        """The sound of each line, and the sample rate of all.

        A request whose worker dies is given to another one, once. Cancelling it leaves the worker usable: a late
        reply is thrown away. Raises EspeakFailed.
        """
        request = Request(next(self._numbers), tuple(lines))
        try:
            frame = pack_request(request)
        except BadFrame as error:
            raise EspeakFailed(str(error)) from None
        try:
            return await self._attempt(request.request_id, frame)
        except _WorkerDied:
            return await self._attempt(request.request_id, frame)

    async def _attempt(self, request_id: int, frame: bytes) -> tuple[Sequence[Sound], int]:
        try:
            async with asyncio.timeout(self._timeout_s):
                worker = await self._take()
        except TimeoutError:
            raise EspeakFailed("no worker is free") from None
        try:
            reply = await self._ask(worker, request_id, frame)
        finally:
            self._free(worker)
        if reply.error:
            raise EspeakFailed(reply.error)
        return reply.sounds, worker.sample_rate

    async def _take(self) -> _Worker:
        """A worker that is free, as soon as there is one. Raises EspeakFailed when none can be started."""
        while True:
            while self._idle:
                if (worker := self._idle.pop()).alive:
                    return worker
            if self._broken and not self._running:
                raise EspeakFailed(self._broken)
            self._news.clear()
            await self._news.wait()

    def _free(self, worker: _Worker) -> None:
        if worker.alive:
            self._idle.append(worker)
            self._news.set()

    async def _ask(self, worker: _Worker, request_id: int, frame: bytes) -> Reply:
        assert worker.process.stdin is not None
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        worker.waiting[request_id] = future
        try:
            async with asyncio.timeout(self._timeout_s):
                worker.process.stdin.write(frame)
                return await future
        except TimeoutError:
            worker.fail("killed: it did not answer")
            _kill(worker.process)
            raise EspeakFailed(f"no answer within {self._timeout_s} s") from None
        finally:
            del worker.waiting[request_id]

    async def keep(self, command: Sequence[str]) -> None:
        """Keeps one worker process alive until cancelled; then ends it."""
        failures = 0
        while True:
            worker, reason = await self._live(command)
            if worker is None:
                self._broken = reason
                self._news.set()
            failures = 0 if worker is not None and worker.answered else min(failures + 1, len(BACK_OFF_S) - 1)
            log.warning("an espeak-ng worker ended: %s", reason)
            await asyncio.sleep(BACK_OFF_S[failures])

    async def _live(self, command: Sequence[str]) -> tuple[_Worker | None, str]:
        """The life of one process. Returns the worker it was, if it got that far, and why it ended."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=MAX_REPLY_BYTES, start_new_session=True
            )
        except OSError as error:
            return None, f"cannot be started: {error}"
        try:
            return await self._serve(process)
        finally:
            await _end(process)

    async def _serve(self, process: Process) -> tuple[_Worker | None, str]:
        """Reads a process's replies until it ends. Returns as `_live` does."""
        assert process.stdout is not None
        worker: _Worker | None = None
        reason = "exited"
        try:
            async with asyncio.timeout(START_S):
                hello = unpack_hello(await _frame(process.stdout))
            if hello.error:
                return None, hello.error
            worker = _Worker(process, hello.sample_rate)
            self._running.add(worker)
            self._broken = ""
            self._free(worker)
            while True:
                reply = unpack_reply(await _frame(process.stdout))
                worker.answered = True
                future = worker.waiting.get(reply.request_id)
                if future is not None and not future.done():
                    future.set_result(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except TimeoutError:
            reason = f"no hello within {START_S} s"
        except BadFrame as error:
            reason = f"broke the protocol: {error}"
        finally:
            if worker is not None:
                self._running.discard(worker)
                worker.fail(reason)
        return worker, reason


async def _frame(stream: asyncio.StreamReader) -> bytes:
    (length,) = LENGTH.unpack(await stream.readexactly(LENGTH.size))
    if length > MAX_REPLY_BYTES:
        raise BadFrame(f"a reply of {length} bytes")
    return await stream.readexactly(length)


async def _end(process: Process) -> None:
    """Lets the process leave by itself, then makes it; returns when it is gone. When cancelled it makes it at once."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(EXIT_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            _kill(process)
            await process.wait()


def _kill(process: Process) -> None:
    """Ends a worker together with the copy of itself that may be at work."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def espeak_client(
    *, processes: int = 1, timeout_s: float = 2.0, command: Sequence[str] = WORKER
) -> AsyncIterator[EspeakClient]:
    """Worker processes for as long as the context is open; none is left behind.

    The workers start in the background: entering does not wait for them, and it works without espeak-ng too.
    """
    client = EspeakClient(timeout_s=timeout_s)
    keepers = [asyncio.create_task(client.keep(command), name="espeak-ng worker") for _ in range(processes)]
    try:
        yield client
    finally:
        for keeper in keepers:
            keeper.cancel()
        for ended in await asyncio.gather(*keepers, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                log.error("an espeak-ng worker had been left alone", exc_info=ended)
