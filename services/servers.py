"""The servers that a service of a cluster needs: reaching them, and saying which one is missing and how to mend it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

from services.building.part import CannotStart
from services.core import topics
from services.core.bus.port import Bus, BusUnavailable
from services.core.bus.redis_streams import RedisBus
from services.core.settings import Settings
from services.core.state.port import Put, State, StateUnavailable
from services.core.state.redis_state import RedisState
from services.core.worker import back_off_s

log = logging.getLogger(__name__)

READY_TTL_S = 60
T = TypeVar("T")


class Servers:
    """`missing` is what stands in the way now, for people; "" when nothing does."""

    def __init__(self, settings: Settings, service: str) -> None:
        """Raises CannotStart when the settings name no server."""
        if not settings.redis.url:
            raise CannotStart(
                "redis.url (LYDIA_REDIS__URL) is not set: a service of a cluster keeps its state in a Redis that all "
                "of them reach. Set it, for example to redis://127.0.0.1:6379"
            )
        self.missing = "it is only just starting"
        self._settings = settings
        self._ready_key = f"ready:{service}"
        self._bus: Bus | None = None
        self._state: State | None = None

    async def reach(self, stack: AsyncExitStack) -> tuple[Bus, State]:
        """Bus and state, once their servers answer, however long that takes."""
        redis = self._settings.redis
        self._state = state = await stack.enter_async_context(RedisState(redis.login, timeout_s=redis.timeout_s))
        failures = 0
        while True:
            try:
                if self._bus is None:
                    self._bus = await stack.enter_async_context(self._open_bus())
                await self._ask(self._bus, state)
            except (BusUnavailable, StateUnavailable) as error:
                self._note(error)
                await asyncio.sleep(back_off_s(failures))
                failures += 1
            else:
                self.missing = ""
                return self._bus, state

    async def look(self) -> str:
        """Asks the servers. Returns, and keeps, what is missing."""
        if self._bus is None or self._state is None:
            return self.missing
        try:
            await self._ask(self._bus, self._state)
        except (BusUnavailable, StateUnavailable) as error:
            self._note(error)
        else:
            if self.missing:
                log.info("all servers answer")
            self.missing = ""
        return self.missing

    def _open_bus(self) -> AbstractAsyncContextManager[Bus]:
        redis = self._settings.redis
        return RedisBus(redis.login, timeout_s=redis.timeout_s)

    async def _ask(self, bus: Bus, state: State) -> None:
        # A change, because a full disk or memory lets it read as if nothing were wrong.
        await state.apply(Put(self._ready_key, b"1", READY_TTL_S))
        await bus.lag(topics.AUDIENCE, "audience")

    def _note(self, error: BusUnavailable | StateUnavailable) -> None:
        of_redis = isinstance(error, StateUnavailable) or self._settings.bus == "redis"
        if of_redis:
            name, where, setting = "Redis", self._settings.redis.url, "LYDIA_REDIS__URL"
        else:
            name, where, setting = "Kafka", "", "LYDIA_KAFKA__BOOTSTRAP_SERVERS"
        missing = f"{name} at {where} is missing ({error}). Start it, or set {setting} to where it is"
        if missing != self.missing:
            log.warning("%s; trying again", missing)
        self.missing = missing
