"""What goes wrong in every show now and then, on purpose: so that panels that are empty while all is well show it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from deploy.local.process import LocalServer
from services.core import topics
from services.core.bus.port import Bus, BusUnavailable, Record
from services.core.envelope import seal
from services.core.events import Turn
from services.gateway.http import PUSH_PATH

ROOM = "trouble"
EVERY_S = 2.0
"""Between two rounds: less than two scrapes, so that rates have something to grow by."""
CROWD = 130
"""Messages at once, of which a room may have a hundred."""
AWAY_S = 6.0
"""How long a server is gone: long enough to be missed, too short for an alert."""
FORBIDDEN = "加我微信吧"
"""Neither a viewer nor she herself may say that."""


class Trouble:
    """Makes it in a room of its own. Where a whole cluster runs, `bus` is given records that nobody can read, and
    `servers` are gone for moments, one after the other.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        bus: Bus | None = None,
        servers: Mapping[str, LocalServer] | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._bus = bus
        self._servers = dict(servers or {})
        self._made = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with (
            httpx.AsyncClient(
                base_url=self._url, headers={"authorization": f"Bearer {self._token}"}, trust_env=False, timeout=20
            ) as http,
            asyncio.TaskGroup() as tasks,
        ):
            deeds: tuple[Callable[[httpx.AsyncClient], Awaitable[None]], ...] = (
                self._strangers,
                self._crowd,
                self._operator,
                self._astray,
                self._declined,
                self._page,
                self._garbage,
                self._away,
            )
            for deed in deeds:
                tasks.create_task(self._again(deed, http), name=f"trouble {deed.__name__}")

    async def _again(self, deed: Callable[[httpx.AsyncClient], Awaitable[None]], http: httpx.AsyncClient) -> None:
        while True:
            with suppress(httpx.HTTPError, WebSocketException, OSError, BusUnavailable):
                await deed(http)
            await asyncio.sleep(EVERY_S)

    async def _strangers(self, http: httpx.AsyncClient) -> None:
        """A push that nobody has signed rightly, and a viewer who advertises."""
        headers = {"x-msg-type": "live_comment", "x-nonce-str": f"n{self._made}", "x-roomid": ROOM}
        await http.post(PUSH_PATH, content=b"[]", headers=headers | {"x-timestamp": "1", "x-signature": "wrong"})
        await self._write(http, text=FORBIDDEN)

    async def _crowd(self, http: httpx.AsyncClient) -> None:
        """More than she can choose from."""
        await asyncio.gather(*(self._write(http, text=f"这是第{number}条弹幕，你好") for number in range(CROWD)))

    async def _operator(self, http: httpx.AsyncClient) -> None:
        """Somebody makes her say something, and stops her."""
        await self._control(http, action="say", text="今晚的星星很亮，我们慢慢看，一颗一颗数过去，好不好？")
        await asyncio.sleep(EVERY_S)
        await self._control(http, action="stop")

    async def _astray(self, _http: httpx.AsyncClient) -> None:
        """She is about to say what she must not: by the bus, for the stage would not take it from an operator."""
        if self._bus is not None:
            now_ms, room = int(time.time() * 1000), f"{ROOM}-astray"
            turn = Turn(room_id=room, turn_id=f"astray{now_ms}", epoch=now_ms // 1000, opened_at_ms=now_ms)
            turn.operator.text = FORBIDDEN
            sealed = seal(topics.TURNS, turn, event_id=turn.turn_id, room_id=room, source="trouble", now_ms=now_ms)
            await self._bus.publish(sealed)

    async def _declined(self, http: httpx.AsyncClient) -> None:
        """A gift that an operator takes out while nothing is said."""
        room = f"{ROOM}-declined"
        await self._control(http, room, action="panic")
        given = await self._write(http, room, gift={"name": "玫瑰", "count": 1, "value_fen": 100})
        await asyncio.sleep(EVERY_S)
        await self._control(http, room, action="skip", event_id=given)
        await self._control(http, room, action="panic", released=True)

    async def _page(self, _http: httpx.AsyncClient) -> None:
        """A page that reports as pages do."""
        async with connect(f"{self._url.replace('http', 'ws', 1)}/rooms/{ROOM}/stream", max_queue=1000) as page:
            while True:
                await page.send(json.dumps({"played": {"drift_ms": 4.0}, "label_shown": True}))
                await asyncio.sleep(1)

    async def _garbage(self, _http: httpx.AsyncClient) -> None:
        """A record that nobody can read."""
        if self._bus is not None:
            self._made += 1
            await self._bus.publish(Record(topics.AUDIENCE, ROOM, b"\xff", {"ce_id": f"garbage {self._made}"}))

    async def _away(self, _http: httpx.AsyncClient) -> None:
        """One server after the other is gone for a moment: models die, so that lesser ones must do, and data hang."""
        for name, server in self._servers.items():
            if name == "triton":
                await server.kill()
                try:
                    await asyncio.sleep(AWAY_S)
                finally:
                    await _started(server)
            else:
                server.suspend()
                try:
                    await asyncio.sleep(AWAY_S)
                finally:
                    server.resume()
            await asyncio.sleep(4 * EVERY_S)

    async def _write(self, http: httpx.AsyncClient, room: str = ROOM, **what: object) -> str:
        self._made += 1
        viewer = {"id": f"trouble{self._made}", "name": "Mei"}
        answer = await http.post(f"/rooms/{room}/messages", json={"viewer": viewer} | what)
        return str(answer.json().get("event_id", ""))

    async def _control(self, http: httpx.AsyncClient, room: str = ROOM, **what: object) -> None:
        await http.post(f"/rooms/{room}/control", json=what)


async def _started(server: LocalServer) -> None:
    """Is not left half started, even when cancelled."""
    starting = asyncio.create_task(server.start(), name=f"start {server.name}")
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await starting
        raise
