"""Everything of Douyin, put together from its settings."""

from __future__ import annotations

import asyncio
import logging

import httpx

from services.core.bus.port import Bus
from services.core.clock import Clock
from services.core.settings import Douyin as DouyinSettings
from services.core.state.port import State, StateUnavailable
from services.core.telemetry import Telemetry
from services.gateway.douyin import Receiver
from services.gateway.douyin_acks import Acks
from services.gateway.douyin_api import DouyinApi
from services.gateway.douyin_calls import BAD_PARAMETER, Calls, DouyinError
from services.gateway.douyin_items import Items, PipeItems, WebhookItems
from services.gateway.douyin_pipe import Pipe
from services.gateway.douyin_recovery import Recovery
from services.gateway.douyin_tasks import PushTasks
from services.gateway.douyin_token import Tokens
from services.gateway.service import Gateway

log = logging.getLogger(__name__)

LAUNCH_TOKEN_LIFE_S = 1800
RETRY_S = 5.0


class _Outward:
    """What Lydia does towards the platform. Needs the app's secret."""

    def __init__(
        self,
        settings: DouyinSettings,
        secret: str,
        gateway: Gateway,
        bus: Bus,
        state: State,
        clock: Clock,
        telemetry: Telemetry,
        http: httpx.AsyncClient,
    ) -> None:
        calls = Calls(http, clock, telemetry)
        tokens = Tokens(calls, state, clock, app_id=settings.app_id, app_secret=secret, url=settings.token_url)
        items = WebhookItems(Items(settings.gifts), transport="fail_data")
        self.api = DouyinApi(calls, tokens, app_id=settings.app_id, url=settings.api_url)
        self.tasks = PushTasks(self.api, telemetry, types=sorted(settings.push_secrets))
        self.recovery = Recovery(self.api, gateway, items, state, clock, telemetry)
        self.acks = Acks(self.api, gateway, bus, clock, telemetry) if settings.acks else None

    async def keep(self, room_id: str) -> None:
        """Keeps one room pushed and recovered until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.tasks.run(room_id))
            tasks.create_task(self.recovery.run(room_id))

    async def launched(self, launch_token: str) -> str | None:
        """The launch token's room, asked for as long as the token can be valid; None when there is none to be had."""
        for attempt in range(round(LAUNCH_TOKEN_LIFE_S / RETRY_S)):
            try:
                return await self.api.room_of(launch_token)
            except (DouyinError, StateUnavailable) as error:
                if isinstance(error, DouyinError) and error.code == BAD_PARAMETER:
                    log.error("the launch token is refused; start the game again in the live companion. %s", error)
                    return None
                if attempt == 0:
                    log.warning("the launch token's room is unknown so far. %s", error)
                await asyncio.sleep(RETRY_S)
        log.error("the launch token has expired unused; start the game again in the live companion")
        return None


class Douyin:
    """`receiver` takes the pushes; `run` does everything else.

    `http` belongs to the caller. `room_id` is the room of the plugin's pipe when no other is known.
    """

    def __init__(
        self,
        settings: DouyinSettings,
        gateway: Gateway,
        bus: Bus,
        state: State,
        clock: Clock,
        telemetry: Telemetry,
        http: httpx.AsyncClient,
        *,
        room_id: str,
    ) -> None:
        self._settings = settings
        self._fallback_room = room_id
        items = Items(settings.gifts)
        self._pipe = Pipe(gateway, PipeItems(items), clock, telemetry)
        self._outward: _Outward | None = None
        if settings.app_id and settings.app_secret:
            secret = settings.app_secret.get_secret_value()
            self._outward = _Outward(settings, secret, gateway, bus, state, clock, telemetry, http)
        self.receiver = Receiver(
            gateway,
            WebhookItems(items),
            state,
            clock,
            telemetry,
            secrets={name: secret.get_secret_value() for name, secret in settings.push_secrets.items()},
            window_s=settings.window_s,
            failed=self._outward.recovery.nudge if self._outward else lambda _room_id: None,
        )

    async def run(self) -> None:
        """Push tasks, failed data, reports and the plugin's pipe, as far as they are configured, until cancelled.

        Raises OSError when the pipe's port is taken.
        """
        settings, outward = self._settings, self._outward
        async with asyncio.TaskGroup() as tasks:
            if outward is not None:
                for room_id in settings.rooms:
                    tasks.create_task(outward.keep(room_id), name=f"douyin room {room_id}")
                if outward.acks is not None:
                    tasks.create_task(outward.acks.run(), name="douyin acks")
            launched = None
            if outward is not None and settings.launch_token is not None and not settings.rooms:
                launched = await outward.launched(settings.launch_token.get_secret_value())
                if launched is not None:
                    tasks.create_task(outward.keep(launched), name=f"douyin room {launched}")
            if settings.pipe_port is not None:
                room_id = next(iter(settings.rooms), launched) or self._fallback_room
                tasks.create_task(self._pipe.run(settings.pipe_port, room_id), name="douyin pipe")
