"""The servers that a service of a cluster needs: reaching them, and saying which one is missing and how to mend it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TypeVar

from services.building.part import CannotStart
from services.core import topics
from services.core.bus.port import Bus, BusUnavailable
from services.core.bus.redis_streams import RedisBus
from services.core.inference import Inference
from services.core.metrics import Metrics
from services.core.settings import Settings
from services.core.state.port import Put, State, StateUnavailable
from services.core.state.redis_state import RedisState
from services.core.worker import back_off_s

log = logging.getLogger(__name__)

READY_TTL_S = 60
LOOK_S = 2.0
"""How long a look at one server may take: who asks for the readiness does not wait for long."""
BEST: Mapping[str, str] = {"chat": "chat.persona", "speech": "speech.espeak", "motion": "motion.rules"}
"""The model that a service cannot do without, where its models are on servers."""
T = TypeVar("T")


class Servers:
    """`missing` is what stands in the way now, for people; "" when nothing does."""

    def __init__(self, settings: Settings, service: str, metrics: Metrics) -> None:
        """Raises CannotStart when the settings name no server."""
        if settings.bus == "kafka" and not settings.kafka.bootstrap_servers:
            raise CannotStart(
                "bus is kafka, and kafka.bootstrap_servers (LYDIA_KAFKA__BOOTSTRAP_SERVERS) is not set. Set it, for "
                "example to 127.0.0.1:9092, or set LYDIA_BUS=redis"
            )
        if not settings.redis.url:
            raise CannotStart(
                "redis.url (LYDIA_REDIS__URL) is not set: a service of a cluster keeps its state in a Redis that all "
                "of them reach. Set it, for example to redis://127.0.0.1:6379"
            )
        self.missing = "it is only just starting"
        self._settings = settings
        self._reachable = metrics.reachable
        self._ready_key = f"ready:{service}"
        self._bus: Bus | None = None
        self._state: State | None = None
        self._models: Inference | None = None
        self._model = BEST.get(service) if settings.triton.servers else None

    async def reach(self, stack: AsyncExitStack) -> tuple[Bus, State, Inference | None]:
        """Bus, state and model servers, once bus and state answer, however long that takes.

        Nobody waits for the models: without them a ladder steps down.
        """
        if self._model is not None:
            from services.core.inference.triton import TritonInference  # only a cluster has its client

            self._models = await stack.enter_async_context(TritonInference(self._settings.triton))
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
                return self._bus, state, self._models

    async def look(self) -> str:
        """Asks the servers. Returns, and keeps, what is missing."""
        if self._bus is None or self._state is None:
            return self.missing
        try:
            await self._ask(self._bus, self._state)
        except (BusUnavailable, StateUnavailable) as error:
            self._note(error)
        else:
            missing = await self._missing_model()
            if missing != self.missing:
                log.info("%s", missing or "all servers answer")
            self.missing = missing
        return self.missing

    async def _missing_model(self) -> str:
        if self._models is None or self._model is None:
            return ""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                if await self._models.ready(self._model):
                    self._reachable.labels("triton").set(1)
                    return ""
        self._reachable.labels("triton").set(0)
        return (
            f"{self._model} is not ready on any Triton at {', '.join(self._settings.triton.servers)}. Start one with "
            "this model, or set LYDIA_TRITON__SERVERS to where it is"
        )

    def _open_bus(self) -> AbstractAsyncContextManager[Bus]:
        if self._settings.bus == "kafka":
            from services.core.bus.kafka import open_kafka  # only a cluster has a client of Kafka

            return open_kafka(self._settings.kafka)
        redis = self._settings.redis
        return RedisBus(redis.login, timeout_s=redis.timeout_s)

    async def _ask(self, bus: Bus, state: State) -> None:
        # A change, because a full disk or memory lets it read as if nothing were wrong.
        await state.apply(Put(self._ready_key, b"1", READY_TTL_S))
        self._reachable.labels("redis").set(1)
        try:
            async with asyncio.timeout(LOOK_S):
                await bus.lag(topics.AUDIENCE, "audience")
        except TimeoutError:
            raise BusUnavailable(f"no answer within {LOOK_S:g} s") from None
        self._reachable.labels(self._settings.bus).set(1)

    def _note(self, error: BusUnavailable | StateUnavailable) -> None:
        of_redis = isinstance(error, StateUnavailable) or self._settings.bus == "redis"
        if of_redis:
            name, where, setting = "Redis", self._settings.redis.url, "LYDIA_REDIS__URL"
        else:
            name, where, setting = "Kafka", self._settings.kafka.bootstrap_servers, "LYDIA_KAFKA__BOOTSTRAP_SERVERS"
        self._reachable.labels(name.lower()).set(0)
        server = f"{name} at {where}"
        missing = f"{server} is missing ({error}). Start it, or set {setting} to where it is"
        if not self.missing.startswith(server):
            log.warning("%s; trying again", missing)
        self.missing = missing
