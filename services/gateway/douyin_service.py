"""Everything of Douyin, put together from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.core.bus.port import Bus
from services.core.clock import Clock
from services.core.settings import Douyin as DouyinSettings
from services.core.state.port import State
from services.core.telemetry import Telemetry
from services.gateway.douyin import Receiver
from services.gateway.douyin_items import Items, PipeItems, WebhookItems
from services.gateway.douyin_pipe import Pipe
from services.gateway.service import Gateway

if TYPE_CHECKING:
    import httpx

    from services.gateway.douyin_outward import Outward


class Douyin:
    """`receiver` takes the pushes; `run` does everything else.

    `http` gives a client, which belongs to the caller; it is called when there is an app to make calls for.
    `room_id` is the room of the plugin's pipe when no other is known.
    """

    def __init__(
        self,
        settings: DouyinSettings,
        gateway: Gateway,
        bus: Bus,
        state: State,
        clock: Clock,
        telemetry: Telemetry,
        http: Callable[[], httpx.AsyncClient],
        *,
        room_id: str,
    ) -> None:
        self._settings = settings
        self._fallback_room = room_id
        items = Items(settings.gifts)
        self._pipe = Pipe(gateway, PipeItems(items), clock, telemetry)
        self._outward: Outward | None = None
        if settings.app_id and settings.app_secret:
            from services.gateway.douyin_outward import Outward  # loads an HTTP client, which only calls need

            secret = settings.app_secret.get_secret_value()
            self._outward = Outward(settings, secret, gateway, bus, state, clock, telemetry, http())
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
            room: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            if settings.pipe_port is not None:  # at once: a forwarder may give up where nobody listens
                tasks.create_task(self._pipe.run(settings.pipe_port, room), name="douyin pipe")
            launched = None
            if outward is not None and settings.launch_token is not None and not settings.rooms:
                launched = await outward.launched(settings.launch_token.get_secret_value())
                if launched is not None:
                    tasks.create_task(outward.keep(launched), name=f"douyin room {launched}")
            room.set_result(next(iter(settings.rooms), launched) or self._fallback_room)
