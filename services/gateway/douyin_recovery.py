"""Fetches the gifts and fans-club events whose push failed.

Douyin keeps them a day and does not forget what was fetched, so the place up to which they were taken in is kept in
the state, with what stood there. It moves only after the bus has the events; reading some twice is harmless, since ids
repeat.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress

from services.core.bus.port import BusUnavailable
from services.core.clock import Clock
from services.core.ids import derived
from services.core.state.port import DAY_S, Put, State, StateUnavailable
from services.core.telemetry import Telemetry
from services.gateway.douyin_api import PAGE_SIZE, DouyinApi
from services.gateway.douyin_calls import DouyinError
from services.gateway.douyin_items import FANS_CLUB, GIFT, PLATFORM
from services.gateway.platform import Adapter, BadItem, Incoming, Unreadable
from services.gateway.service import Gateway, RoomsFull

log = logging.getLogger(__name__)

KEPT_TYPES = (GIFT, FANS_CLUB)
EVERY_S = 60.0
AFTER_OUR_FAILURE_S = 5.0
"""A push that we refused needs a moment to appear among the failed ones."""


class Recovery:
    """Looks at the start, every minute, and soon after a push could not be taken (`nudge`)."""

    def __init__(
        self, api: DouyinApi, gateway: Gateway, adapter: Adapter, state: State, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._api = api
        self._gateway = gateway
        self._adapter = adapter
        self._state = state
        self._clock = clock
        self._metrics = telemetry.metrics
        self._nudged: dict[str, asyncio.Event] = {}

    def nudge(self, room_id: str) -> None:
        """A push of this room could not be taken. Ignored for rooms that are not watched."""
        if room_id in self._nudged:
            self._nudged[room_id].set()

    async def run(self, room_id: str) -> None:
        """Watches a room until cancelled."""
        nudged = self._nudged[room_id] = asyncio.Event()
        told = dict.fromkeys(KEPT_TYPES, "")
        while True:
            for message_type in KEPT_TYPES:  # an app may have the right to one of them only
                trouble = ""
                try:
                    await self.fetch(room_id, message_type)
                except (DouyinError, BusUnavailable, StateUnavailable, RoomsFull) as error:
                    trouble = str(error)
                if trouble not in ("", told[message_type]):  # the same is told once, not every minute
                    log.warning("failed %s data of room %s cannot be fetched now. %s", message_type, room_id, trouble)
                told[message_type] = trouble
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await nudged.wait()
                await asyncio.sleep(AFTER_OUR_FAILURE_S)
                nudged.clear()

    async def fetch(self, room_id: str, message_type: str) -> int:
        """Takes in everything new and returns how many events that were.

        Raises DouyinError, BusUnavailable, StateUnavailable or RoomsFull; what was taken until then counts.
        """
        key = f"room:{room_id}:douyin:failed:{message_type}"
        stored = await self._state.get(key)
        taken, last = json.loads(stored) if stored else (0, "")
        page = max(taken - 1, 0) // PAGE_SIZE
        payloads = await self._api.failed(room_id, message_type, page + 1)
        if taken and derived(*payloads[(taken - 1) % PAGE_SIZE :][:1]) != last:
            taken = page = 0  # older entries have expired, so the pages have moved
            payloads = await self._api.failed(room_id, message_type, 1)
        first_page, first = page, payloads[:1]
        found = 0
        while True:
            fresh = payloads[taken - page * PAGE_SIZE :]
            for payload in fresh:
                found += await self._take(room_id, message_type, payload)
            if fresh:
                taken, last = page * PAGE_SIZE + len(payloads), derived(payloads[-1])
                await self._remember(key, taken, last)
            if len(payloads) < PAGE_SIZE:
                break
            page += 1
            payloads = await self._api.failed(room_id, message_type, page + 1)
        if page > first_page and (await self._api.failed(room_id, message_type, first_page + 1))[:1] != first:
            await self._remember(key, 0, "")  # the pages moved while they were read; the next look reads all anew
        return found

    async def _remember(self, key: str, taken: int, last: str) -> None:
        """How many entries were taken, and what tells the last of them from all others."""
        await self._state.apply(Put(key, json.dumps([taken, last]).encode(), 2 * DAY_S))

    async def _take(self, room_id: str, message_type: str, payload: str) -> int:
        body = payload.encode("utf-8", "replace")
        try:
            parsed = self._adapter.parse(Incoming(room_id, body, self._clock.now_ms(), message_type))
        except Unreadable as error:
            await self._gateway.bury(PLATFORM, room_id, [BadItem(body, f"{message_type}: {error}")])
            return 0
        receipt = await self._gateway.accept(parsed.events, vouched=True)
        if parsed.bad:
            await self._gateway.bury(PLATFORM, room_id, parsed.bad)
        self._metrics.recovered.labels(message_type).inc(receipt.accepted)
        return receipt.accepted
