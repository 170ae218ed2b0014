"""Platform and gateway together, minutes of a show with everything going wrong: every gift exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile

import pytest

from services.core.events import AudienceEvent
from services.core.virtual_time import virtual_time
from services.gateway.simulator.audience import audience
from services.gateway.simulator.options import Faults, Options
from tests.unit.gateway.show import Show

SETTLED_S = 5.0
"""By then the push tasks run."""


def some(profile: str, seconds: float, kinds: Counter[str]) -> Iterator[tuple[float, AudienceEvent]]:
    """A stretch of the seeded audience; counts what it did."""
    for at_s, event in takewhile(lambda timed: timed[0] < seconds, audience(11, profile)):
        kinds[event.WhichOneof("kind") or ""] += 1
        yield SETTLED_S + at_s, event


FAULTS = {
    "none": Faults(),
    "duplicates": Faults(duplicates=0.5),
    "reordering": Faults(reorder_s=3),
    "seconds": Faults(seconds=True),
    "numbers as text": Faults(like_text=True),
    "bad items": Faults(malformed=1),
    "a slow network": Faults(slow_s=1),
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS.keys())
def test_what_comes_through_comes_exactly_once(faults: Faults) -> None:
    @virtual_time
    async def run() -> None:
        show, offered = Show(Options(unfiltered=True, faults=faults)), Counter[str]()
        async with show.lydia(), show.audience(some("normal", 40, offered)):
            await asyncio.sleep(60)
        events = await show.bus.audience()
        assert len({event.event_id for event in events}) == len(events)
        assert Counter(event.WhichOneof("kind") for event in events) == offered
        assert all(abs(event.occurred_at_ms - event.received_at_ms) < 8_000 for event in events)
        assert bool(await show.bus.dead()) is bool(faults.malformed)

    run()


REFUSED = {
    "bad signatures": Faults(bad_signature=0.3),
    "cut bodies": Faults(cut=0.3),
    "everything": Faults(
        duplicates=0.2, reorder_s=2, loss=0.2, seconds=True, like_text=True, bad_signature=0.1, malformed=0.3, cut=0.1
    ),
}


@pytest.mark.parametrize("faults", REFUSED.values(), ids=REFUSED.keys())
def test_gifts_and_fans_club_of_refused_pushes_are_recovered(faults: Faults) -> None:
    @virtual_time
    async def run() -> None:
        show, offered = Show(Options(unfiltered=True, faults=faults)), Counter[str]()
        async with show.lydia(), show.audience(some("normal", 200, offered)):
            await asyncio.sleep(300)
            assert show.pusher.counts["refused"] > 20
            assert show.pusher.counts["lost_breaker"] == 0
        events = await show.bus.audience()
        kinds = Counter(event.WhichOneof("kind") for event in events)
        assert len({event.event_id for event in events}) == len(events)
        assert (kinds["gift"], kinds["fans_club"]) == (offered["gift"], offered["fans_club"])
        assert offered["gift"] > 20
        assert kinds["chat"] < offered["chat"]
        assert {event.transport for event in events} == {"webhook", "fail_data"}

    run()


@virtual_time
async def test_gifts_survive_a_bus_that_comes_and_goes_and_a_restart() -> None:
    show, offered = Show(Options(unfiltered=True)), Counter[str]()
    async with show.audience(some("normal", 180, offered)):
        for _ in range(3):
            async with show.lydia():
                await asyncio.sleep(30)
                show.bus.away = True
                await asyncio.sleep(0.7)
                show.bus.away = False
                await asyncio.sleep(30)
            await asyncio.sleep(0.3)
        async with show.lydia():
            await asyncio.sleep(70)
    assert show.pusher.counts["failed"] > 3
    assert show.pusher.counts["lost_breaker"] == 0
    events = await show.bus.audience()
    # A repetition across a restart has the same id, by which the audience knows it.
    gifts = {event.event_id for event in events if event.WhichOneof("kind") == "gift"}
    assert len(gifts) == offered["gift"] - show.pusher.counts["no_task"]
