"""A slow way to a server: everything arrives whole and in order, later when it is to, and it ends with the server."""

from __future__ import annotations

import asyncio

import pytest

from deploy.local.process import free_port
from deploy.local.slow import slow_way


async def test_everything_comes_through_in_order_and_later_when_it_is_to() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1000):
            writer.write(piece)
        writer.close()

    async with slow_way() as way:
        way.target = free_port()
        server = await asyncio.start_server(echo, "127.0.0.1", way.target)
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        sent = bytes(range(256)) * 4000
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent

        way.delay_s = 0.1
        time = asyncio.get_running_loop().time
        begun = time()
        writer.write(b"late")
        assert await reader.readexactly(4) == b"late"
        assert time() - begun >= 0.2, "there and back"

        server.close()
        writer.write_eof()
        assert await reader.read() == b"", "the server's end is ours"
        writer.close()

        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            writer.write(b"x")
            await reader.readexactly(1)
        writer.close()
