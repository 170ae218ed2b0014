"""A gateway in memory, and a platform's hand to push with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import Any

import httpx
from fastapi import FastAPI

from services.core import topics
from services.core.bus import BusUnavailable, MemoryBus, Record
from services.core.clock import LoopClock
from services.core.envelope import unseal
from services.core.events import AudienceEvent
from services.core.ids import SeededIds
from services.core.settings import Gateway as Rates
from services.core.settings import KnownGift
from services.core.state import MemoryState, State
from services.core.telemetry import Telemetry
from services.gateway.direct import Direct
from services.gateway.douyin import Receiver, sign
from services.gateway.douyin_items import Items, WebhookItems
from services.gateway.http import PUSH_PATH, router
from services.gateway.service import Gateway
from services.gateway.shedding import Shedding

ROOM = "7214015683695250235"
SECRETS = {
    "live_comment": "test-secret-comment",
    "live_gift": "test-secret-gift",
    "live_like": "default",
    "live_fansclub": "test-secret-fansclub",
    "live_follow": "test-secret-follow",
    "live_enter": "test-secret-enter",
}
GIFTS = {"FAKEGIFTID0001==": KnownGift(name="仙女棒", price_fen=10)}


class TroubledBus(MemoryBus):
    """A bus that can be made to fail or to dawdle. Needs a loop only when used."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.lag_away = False
        self.delay_s = 0.0
        self.publishes = 0

    async def publish(self, *records: Record) -> None:
        self.publishes += 1
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.away:
            raise BusUnavailable("away")
        await super().publish(*records)

    async def lag(self, topic: str, group: str) -> int:
        if self.lag_away:
            raise BusUnavailable("away")
        return await super().lag(topic, group)

    async def audience(self) -> list[AudienceEvent]:
        """Everything on `lydia.audience`."""
        return [unseal(record, AudienceEvent) async for record in self.read(topics.AUDIENCE)]

    async def dead(self) -> list[Record]:
        """Everything in its dead letters."""
        return [record async for record in self.read(topics.dead(topics.AUDIENCE))]


class World:
    """Everything in one place; construct it inside the running loop."""

    def __init__(
        self,
        *,
        max_rooms: int = 100,
        named: Collection[str] = (),
        message_token: str | None = None,
        remembered: int = 100_000,
        secrets: Mapping[str, str] = SECRETS,
        state: State | None = None,
        start_ms: int = 1_767_225_600_000,
        rates: Rates | None = None,
    ) -> None:
        self.clock = LoopClock(start_ms)
        self.bus = TroubledBus()
        self.state = state or MemoryState(self.clock)
        self.telemetry = Telemetry("test")
        self.ids = SeededIds(1)
        self.failed_rooms: list[str] = []
        shedding = (
            Shedding(rates, self.bus, self.state, self.clock, self.telemetry.metrics) if rates is not None else None
        )
        self.gateway = Gateway(
            self.bus,
            self.clock,
            self.telemetry,
            shedding,
            max_rooms=max_rooms,
            named=named,
            remembered=remembered,
        )
        self.receiver = Receiver(
            self.gateway,
            WebhookItems(Items(GIFTS)),
            self.state,
            self.clock,
            self.telemetry,
            secrets=secrets,
            failed=self.failed_rooms.append,
        )
        self.app = FastAPI()
        self.app.include_router(
            router(
                self.gateway,
                Direct(self.ids),
                self.clock,
                self.telemetry,
                douyin=self.receiver if secrets else None,
                message_token=message_token,
            )
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://lydia")

    def headers(self, message_type: str, body: bytes, *, secret: str | None = None, **changed: str) -> dict[str, str]:
        """Headers of a right push; `changed` replaces some (`timestamp`, `nonce`, `room`) before signing."""
        headers = {
            "content-type": "application/json",
            "x-msg-type": message_type,
            "x-roomid": changed.get("room", ROOM),
            "x-nonce-str": changed.get("nonce", self.ids.new()),
            "x-timestamp": changed.get("timestamp", str(self.clock.now_ms())),
        }
        secret = secret if secret is not None else SECRETS.get(message_type, "default")
        return headers | {"x-signature": sign(headers, body, secret)}

    async def push(self, message_type: str, items: object, **changed: Any) -> httpx.Response:
        """Pushes items, or a raw body when they are bytes."""
        body = items if isinstance(items, bytes) else json.dumps(items).encode()
        return await self.post(body, self.headers(message_type, body, **changed))

    async def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return await self.http.post(PUSH_PATH, content=body, headers=dict(headers))


def comment(number: int, text: str = "你好", **more: object) -> dict[str, object]:
    """A documented comment item."""
    return {
        "msg_id": f"c{number}",
        "sec_openid": f"_000user{number % 7}",
        "content": text,
        "avatar_url": "https://example.invalid/a.png",
        "nickname": "小明",
        "timestamp": 1757000000123,
        **more,
    }


def gift(number: int, **more: object) -> dict[str, object]:
    """A documented gift item."""
    return {
        "msg_id": f"g{number}",
        "sec_openid": f"_000user{number % 7}",
        "sec_gift_id": "FAKEGIFTID0001==",
        "gift_num": 1,
        "gift_value": 10,
        "avatar_url": "https://example.invalid/b.png",
        "nickname": "张三",
        "timestamp": 1757000000123,
        **more,
    }
