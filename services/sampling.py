"""What nobody would count unless asked: how far groups are behind, and whether the servers answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.core.bus.port import Bus, BusUnavailable
from services.core.metrics import Metrics

EVERY_S = 10.0
"""Between two looks. Less than the shortest wait of an alert."""
LAG_S = 5.0
"""How long one answer of the bus may take."""


class Sampler:
    """Asks the bus for the lag of `groups` (group → topics), and calls `look`, again and again."""

    def __init__(
        self,
        bus: Bus,
        metrics: Metrics,
        groups: Mapping[str, Sequence[str]],
        look: Callable[[], Awaitable[object]],
    ) -> None:
        """`look` asks the servers and notes what it finds; it must not fail."""
        self._bus = bus
        self._metrics = metrics
        self._groups = groups
        self._look = look

    async def run(self) -> None:
        """Samples until cancelled. A bus that is away leaves no lag behind that could pass for the present one."""
        while True:
            await self._look()
            try:
                for group, topics in self._groups.items():
                    for topic in topics:
                        async with asyncio.timeout(LAG_S):
                            lag = await self._bus.lag(topic, group)
                        self._metrics.lag.labels(topic, group).set(lag)
            except (BusUnavailable, TimeoutError):
                self._metrics.lag.clear()
            await asyncio.sleep(EVERY_S)
