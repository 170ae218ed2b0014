"""One request to a Triton server, on a gRPC stream of its own, which is read to its end whoever waits for it.

Triton 2.51, for one, crashes now and then when a stream is cancelled as its request ends (newer ones are mended, see
https://github.com/triton-inference-server/server/issues/8034), and gRPC cancels a stream when the task that reads it
is cancelled. So a task of its own reads, and nobody cancels a stream but for a server that does not end it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Self

from grpc.aio import AioRpcError

AHEAD = 64
"""Answers that are read before somebody wants them; the model waits when there are more."""

Pair = tuple[Any, Any]
"""A result and an error, one of them None."""


class Closed(Exception):
    """The connection was closed from this side."""


class Stream:
    """The answers to one request: an async iterator of pairs. Raises AioRpcError or Closed when the stream breaks."""

    def __init__(self, answers: Any) -> None:
        """`answers` is what the client's `stream_infer` returns. `read` has to run."""
        self.over = asyncio.Event()
        """There is nothing more to read."""
        self._answers = answers
        self._pairs: deque[Pair] = deque()
        self._wanted = True
        self._failure: AioRpcError | Closed | None = None
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def read(self) -> None:
        """Reads to the end."""
        try:
            async for pair in self._answers:
                while self._wanted and len(self._pairs) >= AHEAD:
                    self._room.clear()
                    await self._room.wait()
                if self._wanted:
                    self._pairs.append(pair)
                    self._news.set()
        except AioRpcError as failure:
            self._failure = failure
        except asyncio.CancelledError:
            # So gRPC speaks of a stream whose connection this process itself has closed, too.
            self._failure = Closed()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        finally:
            self.over.set()
            self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Pair:
        while not self._pairs:
            if self.over.is_set():
                if self._failure is not None:
                    raise self._failure
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._room.set()
        return self._pairs.popleft()

    def leave(self) -> None:
        """Nobody wants the rest: it is read and thrown away."""
        self._wanted = False
        self._pairs.clear()
        self._room.set()

    async def ends(self, within_s: float) -> bool:
        """Waits for the end."""
        try:
            async with asyncio.timeout(within_s):
                await self.over.wait()
        except TimeoutError:
            return False
        return True

    def cancel(self) -> None:
        """Breaks the stream off."""
        self._answers.cancel()
