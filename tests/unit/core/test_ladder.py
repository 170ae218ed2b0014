"""A rung that failed is left out for a while, and everybody can see that."""

from __future__ import annotations

import asyncio

from services.core.clock import LoopClock
from services.core.ladder import REST_S, Ladder
from services.core.metrics import Metrics
from services.core.virtual_time import virtual_time


@virtual_time
async def test_a_rung_rests_after_a_failure_and_shows_it() -> None:
    metrics = Metrics()
    ladder = Ladder(("best", "last"), LoopClock(), metrics, service="speech")

    def resting() -> float | None:
        return metrics.registry.get_sample_value("lydia_rung_resting", {"service": "speech", "rung": "best"})

    assert resting() == 0
    ladder.failed("best")
    assert resting() == 1
    assert ladder.usable() == ["last"]
    await asyncio.sleep(REST_S[0] + 0.1)
    assert resting() == 0
    assert ladder.usable() == ["best", "last"]
