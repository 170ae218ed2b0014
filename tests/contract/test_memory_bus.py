"""The bus in memory keeps the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.core.bus import Bus, MemoryBus
from tests.contract.bus_contract import MAX_UNFINISHED, BusContract, Connect


class TestMemoryBus(BusContract):
    @pytest.fixture
    async def connect(self) -> AsyncIterator[Connect]:
        bus = MemoryBus(max_unfinished=MAX_UNFINISHED)

        async def one_bus() -> Bus:
            return bus

        yield one_bus
