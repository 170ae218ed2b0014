"""A slow network: a way to a server of this machine on which everything takes longer, when somebody wants it so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from deploy.local.process import free_port

PIECE_BYTES = 65_536
PIECES = 64
"""Under way at most, in each direction of a connection; whoever sends more waits."""


class SlowWay:
    """Forwards connections from its own port of the loopback interface to `target`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0
        """The server's port."""
        self.delay_s = 0.0
        """How much later everything arrives that is sent from now on, in either direction."""
        self._connections: set[asyncio.Task[None]] = set()
        """The event loop itself keeps no task alive that waits for a connection which nobody else holds."""

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a connection."""
        task = asyncio.create_task(self._forward(reader, writer), name="slow way")
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        """Ends every connection."""
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it. Where the server is away it ends at once."""
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ways = [asyncio.ensure_future(self._one_way(*ends)) for ends in ((reader, back), (there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, back):
                each.transport.abort()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES)
        time = asyncio.get_running_loop().time

        async def take() -> None:
            while piece := await reader.read(PIECE_BYTES):
                await under_way.put((time() + self.delay_s, piece))
            await under_way.put((time() + self.delay_s, b""))

        taking = asyncio.ensure_future(take())
        try:
            while True:
                due, piece = await under_way.get()
                if (wait := due - time()) > 0:
                    await asyncio.sleep(wait)
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)


@asynccontextmanager
async def slow_way() -> AsyncIterator[SlowWay]:
    """A way that is there while the context lasts; where it leads is told later."""
    way = SlowWay()
    server = await asyncio.start_server(way.accept, "127.0.0.1", way.port)
    try:
        yield way
    finally:
        server.close()
        await way.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await server.wait_closed()
