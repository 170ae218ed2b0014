"""A voice that may be asked before it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from services.core.events import VoiceChunk
from services.core.inference import ModelFailed


class EarlyVoice:
    """A rung's pieces of one segment. Nothing is asked of the rung before `begin` or `pieces`."""

    def __init__(self, pieces: AsyncGenerator[VoiceChunk, None]) -> None:
        self._pieces = pieces
        self._made: asyncio.Queue[VoiceChunk | ModelFailed | None] = asyncio.Queue(1)
        """None after the last. Full, it lets the rung wait."""
        self._making: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """From now on the first piece is being made, if it is not yet."""
        if self._making is None:
            self._making = asyncio.create_task(self._make(), name="early voice")

    async def pieces(self) -> AsyncGenerator[VoiceChunk, None]:
        """All of them, from the first. Raises ModelFailed."""
        if self._making is None:
            async for piece in self._pieces:
                yield piece
            return
        while (made := await self._made.get()) is not None:
            if isinstance(made, ModelFailed):
                raise made
            yield made

    async def aclose(self) -> None:
        """Nothing more is made."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
        await self._pieces.aclose()

    async def _make(self) -> None:
        try:
            async with aclosing(self._pieces):
                async for piece in self._pieces:
                    await self._made.put(piece)
        except ModelFailed as failure:
            await self._made.put(failure)
        else:
            await self._made.put(None)
