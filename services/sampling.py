"""What nobody would count unless asked: how far groups are behind, and how the servers are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.core.bus.port import Bus, BusUnavailable
from services.core.metrics import Metrics
from services.core.state.port import State, StateUnavailable

EVERY_S = 10.0
"""Between two looks. Less than the shortest wait of an alert."""
ANSWER_S = 5.0
"""How long one answer of the bus may take."""
SERVER = "redis"
"""What keeps the state."""


class Sampler:
    """Asks the bus for the lag of `groups` (group → topics), for the copies of their topics and for its disks, asks the
    state how it is, and calls `look`, again and again.
    """

    def __init__(
        self,
        bus: Bus,
        state: State,
        metrics: Metrics,
        groups: Mapping[str, Sequence[str]],
        look: Callable[[], Awaitable[object]],
    ) -> None:
        """`look` asks the servers and notes what it finds; it must not fail."""
        self._bus = bus
        self._state = state
        self._metrics = metrics
        self._groups = groups
        self._look = look

    async def run(self) -> None:
        """Samples until cancelled. What is away leaves no figure behind that could pass for the present one."""
        while True:
            await self._look()
            await self._ask_bus()
            await self._ask_disks()
            await self._ask_state()
            await asyncio.sleep(EVERY_S)

    async def _ask_bus(self) -> None:
        metrics = self._metrics
        try:
            for group, topics in self._groups.items():
                for topic in topics:
                    async with asyncio.timeout(ANSWER_S):
                        metrics.lag.labels(topic, group).set(await self._bus.lag(topic, group))
            for topic in {topic for topics in self._groups.values() for topic in topics}:
                async with asyncio.timeout(ANSWER_S):
                    metrics.copies_missing.labels(topic).set(await self._bus.copies_missing(topic))
        except (BusUnavailable, TimeoutError):
            metrics.lag.clear()
            metrics.copies_missing.clear()

    async def _ask_disks(self) -> None:
        """Apart from the rest: a client may read and write and yet have no right to ask this."""
        free = self._metrics.disk_free
        try:
            async with asyncio.timeout(ANSWER_S):
                told = await self._bus.disks_free()
        except (BusUnavailable, TimeoutError):
            told = {}
        free.clear()
        for broker, share in told.items():
            free.labels(broker).set(share)

    async def _ask_state(self) -> None:
        used, saving = self._metrics.state_memory, self._metrics.state_saving
        used.clear()
        saving.clear()
        try:
            health = await self._state.health()
        except StateUnavailable:
            return
        if health.memory_used is not None:
            used.labels(SERVER).set(health.memory_used)
        if health.saving is not None:
            saving.labels(SERVER).set(health.saving)
