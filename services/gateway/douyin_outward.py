"""What Lydia does towards Douyin: tokens, push tasks, failed data, reports."""

from __future__ import annotations

import asyncio
import logging

import httpx

from services.core.bus.port import Bus
from services.core.clock import Clock
from services.core.settings import Douyin as DouyinSettings
from services.core.state.port import State, StateUnavailable
from services.core.telemetry import Telemetry
from services.gateway.douyin_acks import Acks
from services.gateway.douyin_api import DouyinApi
from services.gateway.douyin_calls import BAD_PARAMETER, LASTING, Calls, DouyinError
from services.gateway.douyin_items import Items, WebhookItems
from services.gateway.douyin_recovery import Recovery
from services.gateway.douyin_tasks import PushTasks
from services.gateway.douyin_token import Tokens
from services.gateway.service import Gateway

log = logging.getLogger(__name__)

LAUNCH_TOKEN_LIFE_S = 1800
RETRY_S = 5.0


class Outward:
    """The platform's calls for one app. `secret` is the app's; `http` belongs to the caller."""

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
        trouble: Exception | None = None
        for _ in range(round(LAUNCH_TOKEN_LIFE_S / RETRY_S)):
            try:
                return await self.api.room_of(launch_token)
            except (DouyinError, StateUnavailable) as error:
                if isinstance(error, DouyinError) and error.code in LASTING:
                    again = "; start the game again in the live companion" if error.code == BAD_PARAMETER else ""
                    log.error("the launch token's room cannot be had%s. %s", again, error)
                    return None
                if trouble is None:
                    log.warning("the launch token's room is unknown so far. %s", error)
                trouble = error
                await asyncio.sleep(RETRY_S)
        log.error("the launch token expired before its room was known; start the game again. Last: %s", trouble)
        return None
