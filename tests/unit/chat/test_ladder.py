"""Which rungs answer chat: her own network only where it is turned on, and then before the persona."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from services.building import chat
from services.building.part import Ports, Shared
from services.core.bus import MemoryBus
from services.core.clock import LoopClock
from services.core.ids import SeededIds
from services.core.settings import Settings
from services.core.state import MemoryState
from services.core.telemetry import Telemetry


@pytest.mark.parametrize(("network", "best"), [(False, "chat.persona"), (True, "chat.network")])
async def test_her_own_network_answers_where_it_is_turned_on(network: bool, best: str) -> None:
    settings, clock = Settings.model_validate({"chat": {"network": network}}), LoopClock()
    ports = Ports(MemoryBus(), MemoryState(clock), clock, SeededIds(1), Telemetry("test"))
    async with AsyncExitStack() as stack:
        part = await chat.build(settings, ports, Shared(settings, stack))
    assert part.rung == best
