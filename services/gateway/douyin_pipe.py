"""Douyin's second transport: the plugin of the live companion, whose events a local forwarder writes as JSON lines.

    {"type": "event", "eventName": "OPEN_LIVE_DATA", "params": {"payload": [ … ]}}

The plugin's pipe is a Windows library; a few lines of C++ pass each event on to this loopback port. Comments that come
this way carry the viewer's levels, and an event that the webhook brings too is recognised by its `msg_id`.
"""

from __future__ import annotations

import asyncio
import logging
import re

from services.core.bus.port import BusUnavailable
from services.core.clock import Clock
from services.core.telemetry import Telemetry
from services.gateway.douyin_items import PLATFORM
from services.gateway.platform import Adapter, BadItem, Incoming, Unreadable
from services.gateway.service import Gateway, RoomsFull

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 1024 * 1024
MAX_FORWARDERS = 4
RETRY_S = 1.0
_REQUEST = re.compile(rb" HTTP/\d+(\.\d+)?\s*$")


class Pipe:
    """Listens on loopback, since nothing signs these lines. All of them belong to one room."""

    def __init__(self, gateway: Gateway, adapter: Adapter, clock: Clock, telemetry: Telemetry) -> None:
        self._gateway = gateway
        self._adapter = adapter
        self._clock = clock
        self._metrics = telemetry.metrics
        self._connected = 0

    async def run(self, port: int, room_id: asyncio.Future[str]) -> None:
        """Listens until cancelled. Until `room_id` is known nothing is read: forwarders connect and wait.

        Raises OSError when the port is taken.
        """

        async def forwarder(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if self._connected < MAX_FORWARDERS:
                    self._connected += 1
                    try:
                        await self.read(reader, await asyncio.shield(room_id))  # others wait for it, too
                    finally:
                        self._connected -= 1
            except ConnectionError:
                log.info("a forwarder of the live companion's plugin went away")
            finally:
                writer.close()

        async with await asyncio.start_server(forwarder, "127.0.0.1", port, limit=MAX_LINE_BYTES) as server:
            await server.serve_forever()

    async def read(self, lines: asyncio.StreamReader, room_id: str) -> None:
        """Takes line after line until the end. While the bus is away the forwarder waits, so nothing is lost.

        Any page in a browser of this machine can make it send here, but only in requests, whose bodies would be lines
        of the page's choice: what begins as a request is read no further.
        """
        first = True
        while True:
            try:
                line = await lines.readline()
            except ValueError:
                self._metrics.refused.labels(PLATFORM, "too_large").inc()
                if first:  # it may have been a request
                    return
                continue
            if first and _REQUEST.search(line):
                self._metrics.refused.labels(PLATFORM, "http").inc()
                log.warning("the port of the live companion's plugin was sent an HTTP request, which was not taken")
                return
            first = False
            if not line:
                return
            if line.strip():
                await self._take(line, room_id)

    async def _take(self, line: bytes, room_id: str) -> None:
        try:
            parsed = self._adapter.parse(Incoming(room_id, line, self._clock.now_ms()))
            bad = parsed.bad
        except Unreadable as error:
            parsed, bad = None, (BadItem(line, f"pipe: {error}"),)
        if parsed is not None and parsed.unknown:
            self._metrics.refused.labels(PLATFORM, "unknown_type").inc(parsed.unknown)
        while True:
            try:
                if parsed is not None:
                    await self._gateway.accept(parsed.events, vouched=True)
                if bad:
                    await self._gateway.bury(PLATFORM, room_id, bad)
                return
            except (BusUnavailable, RoomsFull) as error:
                log.warning("a line of the live companion's plugin waits: %s", error)
                await asyncio.sleep(RETRY_S)
