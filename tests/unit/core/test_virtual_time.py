"""In virtual time an hour takes no time, and everything happens in the same order every time."""

from __future__ import annotations

import asyncio
import time

import pytest

from services.core.clock import LoopClock
from services.core.virtual_time import run, virtual_time


def test_an_hour_takes_no_time() -> None:
    begin = time.monotonic()

    async def show() -> float:
        for _ in range(60):
            await asyncio.sleep(60)
        return asyncio.get_running_loop().time()

    assert run(show()) == pytest.approx(3600)
    assert time.monotonic() - begin < 5


def test_timers_fire_in_the_order_of_their_times() -> None:
    async def show() -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def wait(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            seen.append((name, asyncio.get_running_loop().time()))

        await asyncio.gather(wait("late", 0.3), wait("early", 0.1), wait("middle", 0.2))
        return seen

    seen = run(show())
    assert [name for name, _ in seen] == ["early", "middle", "late"]
    assert [at for _, at in seen] == pytest.approx([0.1, 0.2, 0.3])


def test_computing_takes_no_virtual_time() -> None:
    async def show() -> float:
        time.sleep(0.02)  # noqa: ASYNC251
        await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run(show()) == 0


def test_time_outs_work() -> None:
    async def show() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(10)
        return asyncio.get_running_loop().time()

    assert run(show()) == pytest.approx(5)


def test_the_loops_clock_follows() -> None:
    async def show() -> tuple[int, float]:
        clock = LoopClock(start_ms=1_000)
        await asyncio.sleep(2.5)
        return clock.now_ms(), clock.monotonic()

    assert run(show()) == (3_500, 2.5)


def test_waiting_for_nothing_is_an_error_instead_of_a_hang() -> None:
    async def show() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run(show())


def test_a_decorated_test_gets_its_arguments_and_gives_its_result() -> None:
    @virtual_time
    async def test(number: int, *, more: int) -> int:
        await asyncio.sleep(100)
        return number + more

    assert test(1, more=2) == 3
    assert test.__name__ == "test"
