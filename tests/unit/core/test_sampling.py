"""Lag and servers are looked at now and then, and what is not known is not told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from services.core import topics
from services.core.bus import BusUnavailable, MemoryBus, Record
from services.core.clock import LoopClock
from services.core.metrics import Metrics
from services.core.state import Health, MemoryState, StateUnavailable
from services.core.virtual_time import virtual_time
from services.sampling import EVERY_S, Sampler


class Away(MemoryBus):
    away = False

    async def lag(self, topic: str, group: str) -> int:
        if self.away:
            raise BusUnavailable("not now")
        return await super().lag(topic, group)

    async def copies_missing(self, topic: str) -> int:
        return 2 + await self.lag(topic, "nobody") * 0


class Full(MemoryState):
    told: Health | None = Health(memory_used=0.9, saving=False)

    async def health(self) -> Health:
        if self.told is None:
            raise StateUnavailable("not now")
        return self.told


@virtual_time
async def test_the_lag_of_each_group_is_told_and_forgotten_while_the_bus_is_away() -> None:
    bus, metrics, looks = Away(), Metrics(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1

    def lag() -> float | None:
        labels = {"topic": topics.TURNS, "group": "chat"}
        return metrics.registry.get_sample_value("lydia_bus_lag_records", labels)

    def short() -> float | None:
        return metrics.registry.get_sample_value("lydia_bus_partitions_short_of_copies", {"topic": topics.TURNS})

    await bus.publish(Record(topics.TURNS, "a", b""), Record(topics.TURNS, "b", b""))
    sampling = asyncio.create_task(
        Sampler(bus, MemoryState(LoopClock()), metrics, topics.groups_of("chat"), look).run()
    )
    try:
        await asyncio.sleep(1)
        assert (lag(), short()) == (2, 2)
        bus.away = True
        await asyncio.sleep(EVERY_S)
        assert (lag(), short()) == (None, None)
        bus.away = False
        await asyncio.sleep(EVERY_S)
        assert lag() == 2
        assert looks == 3
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


class Written(MemoryBus):
    told: Mapping[str, float] | None = None

    async def disks_free(self) -> Mapping[str, float]:
        if self.told is None:
            raise BusUnavailable("this user may not do that")
        return self.told


@virtual_time
async def test_how_full_the_brokers_disks_are_is_told_whatever_else_they_answer() -> None:
    bus, metrics = Written(), Metrics()

    async def look() -> None: ...

    def told(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    bus.told = {"1": 0.8, "2": 0.3}
    sampling = asyncio.create_task(
        Sampler(bus, MemoryState(LoopClock()), metrics, topics.groups_of("chat"), look).run()
    )
    try:
        await asyncio.sleep(1)
        assert [told("lydia_bus_disk_free_ratio", broker=broker) for broker in "12"] == [0.8, 0.3]
        bus.told = {"1": 0.7}
        await asyncio.sleep(EVERY_S)
        assert [told("lydia_bus_disk_free_ratio", broker=broker) for broker in "12"] == [0.7, None]
        bus.told = None
        await asyncio.sleep(EVERY_S)
        assert told("lydia_bus_disk_free_ratio", broker="1") is None
        assert told("lydia_bus_lag_records", topic=topics.TURNS, group="chat") == 0, "it is asked apart"
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


@virtual_time
async def test_how_the_states_server_is_is_told_as_far_as_it_says() -> None:
    metrics, state = Metrics(), Full(LoopClock())

    async def look() -> None: ...

    def told() -> list[float | None]:
        names = ("lydia_state_memory_used_ratio", "lydia_state_saving")
        return [metrics.registry.get_sample_value(name, {"server": "redis"}) for name in names]

    sampling = asyncio.create_task(Sampler(MemoryBus(), state, metrics, {}, look).run())
    try:
        await asyncio.sleep(1)
        assert told() == [0.9, 0]
        for health in (None, Health()):
            state.told = health
            await asyncio.sleep(EVERY_S)
            assert told() == [None, None], "what was told before could pass for the present"
        state.told = Health(saving=True)
        await asyncio.sleep(EVERY_S)
        assert told() == [None, 1]
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


def test_a_service_answers_for_its_own_groups() -> None:
    assert topics.groups_of("chat") == {"chat": (topics.TURNS,), "chat-history": (topics.PERFORMED,)}
    assert topics.groups_of("gateway") == {}
