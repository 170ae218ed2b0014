"""The forwarder of the live companion's plugin, as far as Lydia sees it: JSON lines over a local connection."""

from __future__ import annotations

import asyncio
import json

from services.gateway.simulator.wire import Item, pipe_line

WAITING = 10_000
"""Overflow drops the newest, as a full pipe would."""
RETRY_S = 1.0


class PipeEmitter:
    """Connects to Lydia's port, again and again if need be."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: asyncio.Queue[Item] = asyncio.Queue(WAITING)

    def emit(self, item: Item) -> bool:
        """Queues an item; False when it was dropped."""
        try:
            self._waiting.put_nowait(item)
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    while True:
                        line = json.dumps(pipe_line([await self._waiting.get()]), ensure_ascii=False)
                        writer.write(line.encode() + b"\n")
                        await writer.drain()
                finally:
                    writer.close()
            except OSError:
                await asyncio.sleep(RETRY_S)
