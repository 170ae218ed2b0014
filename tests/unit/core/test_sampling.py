"""Lag and servers are looked at now and then, and what is not known is not told."""

from __future__ import annotations

import asyncio

from services.core import topics
from services.core.bus import BusUnavailable, MemoryBus, Record
from services.core.metrics import Metrics
from services.core.virtual_time import virtual_time
from services.sampling import EVERY_S, Sampler


class Away(MemoryBus):
    away = False

    async def lag(self, topic: str, group: str) -> int:
        if self.away:
            raise BusUnavailable("not now")
        return await super().lag(topic, group)


@virtual_time
async def test_the_lag_of_each_group_is_told_and_forgotten_while_the_bus_is_away() -> None:
    bus, metrics, looks = Away(), Metrics(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1

    def lag() -> float | None:
        labels = {"topic": topics.TURNS, "group": "chat"}
        return metrics.registry.get_sample_value("lydia_bus_lag_records", labels)

    await bus.publish(Record(topics.TURNS, "a", b""), Record(topics.TURNS, "b", b""))
    sampling = asyncio.create_task(Sampler(bus, metrics, topics.groups_of("chat"), look).run())
    try:
        await asyncio.sleep(1)
        assert lag() == 2
        bus.away = True
        await asyncio.sleep(EVERY_S)
        assert lag() is None
        bus.away = False
        await asyncio.sleep(EVERY_S)
        assert lag() == 2
        assert looks == 3
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


def test_a_service_answers_for_its_own_groups() -> None:
    assert topics.groups_of("chat") == {"chat": (topics.TURNS,), "chat-history": (topics.PERFORMED,)}
    assert topics.groups_of("gateway") == {}
