"""Keeps Douyin pushing: a push task per room and type, started again whenever it is found not running.

Tasks are left running when Lydia ends. While nobody answers, Douyin keeps gifts and fans club as failed data, which the
next start fetches; after a stop they would be gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from services.core.state.port import StateUnavailable
from services.core.telemetry import Telemetry
from services.gateway.douyin_api import DouyinApi, TaskStatus
from services.gateway.douyin_calls import DouyinError

log = logging.getLogger(__name__)

POLL_S = 30.0
FIRST_RETRY_S = 1.0
LAST_RETRY_S = 60.0


class PushTasks:
    """The tasks of a room, for every type that has a data secret."""

    def __init__(self, api: DouyinApi, telemetry: Telemetry, *, types: Sequence[str]) -> None:
        self._api = api
        self._metrics = telemetry.metrics
        self._types = tuple(types)
        self._running: dict[tuple[str, str], bool] = {}
        """Whether the platform pushes, by room and type, as far as it is known."""

    async def run(self, room_id: str) -> None:
        """Watches a room until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for message_type in self._types:
                tasks.create_task(self._keep(room_id, message_type), name=f"douyin {message_type} of {room_id}")

    async def _keep(self, room_id: str, message_type: str) -> None:
        retry_s, told = FIRST_RETRY_S, ""
        while True:
            try:
                if await self._api.task_status(room_id, message_type) is not TaskStatus.RUNNING:
                    self._note(room_id, message_type, running=False)
                    await self._api.start_task(room_id, message_type)
                self._note(room_id, message_type, running=True)
                if told:
                    log.info("Douyin pushes %s of room %s again", message_type, room_id)
                retry_s, told = FIRST_RETRY_S, ""
                await asyncio.sleep(POLL_S)
            except (DouyinError, StateUnavailable) as error:
                self._note(room_id, message_type, running=False)
                if str(error) != told:  # the same trouble is told once, not every minute
                    told = str(error)
                    log.warning("Douyin does not push %s of room %s. %s", message_type, room_id, error)
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, LAST_RETRY_S)

    def _note(self, room_id: str, message_type: str, *, running: bool) -> None:
        self._running[room_id, message_type] = running
        of_type = [runs for (_, each), runs in self._running.items() if each == message_type]
        self._metrics.push_tasks.labels(message_type, "running").set(sum(of_type))
        self._metrics.push_tasks.labels(message_type, "stopped").set(len(of_type) - sum(of_type))
