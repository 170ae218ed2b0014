"""The state in memory keeps the contract."""

from __future__ import annotations

import pytest

from services.core.state import MemoryState, State
from tests.contract.state_contract import PassTime, StateContract


class HandClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now_ms(self) -> int:
        return round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


class TestMemoryState(StateContract):
    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    async def state(self, clock: HandClock) -> State:
        return MemoryState(clock)

    @pytest.fixture
    def pass_time(self, clock: HandClock) -> PassTime:
        async def move(seconds: int) -> None:
            clock.seconds += seconds

        return move
