"""A way to a Kafka broker that lets it say, when it is to, that its cluster has no brokers.

A broker really says so for a moment when it goes on after a long stand-still: the controller has given it up and has
not taken it back yet. The layout of the answer is that of MetadataResponse 9 to 13 in Kafka's protocol guide.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

METADATA = 3
FLEXIBLE = 9
"""From this version on lengths are varints, one more than they say."""


class ForgetfulWay:
    """Set `target` to the broker's port before anybody comes. While it is `forgetful`, there are no brokers."""

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        self.forgetful = False
        self.forgot = 0
        """How many answers were changed."""
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Ends every connection, so that clients come back and ask who is there."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection."""
        asked: set[int] = set()
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            both = {writer, back}
            self._writers |= both
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._requests(reader, back, asked))
                    tasks.create_task(self._answers(there, writer, asked))
            except* (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                self._writers -= both
                for each in both:
                    each.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: set[int]) -> None:
        while True:
            frame = await _frame(reader)
            key, version, number = struct.unpack_from(">hhi", frame)
            if key == METADATA:
                assert version >= FLEXIBLE, "older answers look different"
                asked.add(number)
            writer.write(struct.pack(">i", len(frame)) + frame)
            await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: set[int]) -> None:
        while True:
            frame = await _frame(reader)
            (number,) = struct.unpack_from(">i", frame)
            if number in asked:
                asked.discard(number)
                if self.forgetful:
                    frame = without_brokers(frame)
                    self.forgot += 1
            writer.write(struct.pack(">i", len(frame)) + frame)
            await writer.drain()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(length)


def without_brokers(answer: bytes) -> bytes:
    """A metadata answer (with its header) in which the cluster has no brokers and no controller."""
    at = 4 + 1 + 4  # its number, no tags, the throttle time
    begin = at
    count, at = _varint(answer, at)
    for _ in range(count - 1):
        at += 4  # the broker's number
        for skip in (0, 4):  # its host and port, then its rack
            length, at = _varint(answer, at + skip)
            at += max(length - 1, 0)
        at += 1  # no tags
    end = at
    length, at = _varint(answer, at)  # the cluster's name
    at += max(length - 1, 0)
    return answer[:begin] + b"\x01" + answer[end:at] + struct.pack(">i", -1) + answer[at + 4 :]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


@asynccontextmanager
async def forgetful_way() -> AsyncIterator[ForgetfulWay]:
    """While the context lasts."""
    way = ForgetfulWay()
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        way.cut()
