"""What the bus tells of every turn after services were restarted."""

from __future__ import annotations

import pytest

from loadtests.rolling import Ends, Outcome, Restart, ended
from services.core import topics
from services.core.bus.memory import MemoryBus
from services.core.envelope import seal
from services.core.events import Performed

STARTED, HEARD = Performed.STATE_STARTED, Performed.STATE_HEARD
FINISHED, STOPPED, FAILED = Performed.STATE_FINISHED, Performed.STATE_STOPPED, Performed.STATE_FAILED
Told = tuple[Performed.State, str]


async def ends_of(*turns: list[Told]) -> Ends:
    """What is counted when the stage told this of each turn, in this order."""
    bus = MemoryBus()
    for turn, told in enumerate(turns):
        for number, (state, reason) in enumerate(told):
            name = f"turn{turn}-{number}"
            report = Performed(performed_id=name, room_id="r", turn_id=f"turn{turn}", state=state, reason=reason)
            record = seal(topics.PERFORMED, report, event_id=name, room_id="r", source="stage", now_ms=number)
            await bus.publish(record)
    return await ended(bus)


async def test_a_turn_that_was_heard_to_its_end_is_whole() -> None:
    assert await ends_of([(STARTED, ""), (HEARD, ""), (FINISHED, "")]) == Ends(whole=1)


async def test_a_turn_that_made_room_for_a_gift_was_meant_to_end() -> None:
    assert await ends_of([(STARTED, ""), (STOPPED, "superseded")]) == Ends(gave_way=1)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ([(STARTED, ""), (STOPPED, "no voice")], "no voice"),
        ([(STARTED, ""), (STOPPED, "opened")], "opened"),
        ([(FAILED, "full")], "full"),
        ([(STARTED, ""), (HEARD, "")], "it never ended"),
        ([(STARTED, ""), (STOPPED, "opened"), (STARTED, ""), (FINISHED, "")], "opened"),
    ],
)
async def test_a_turn_that_ended_in_any_other_way_was_cut(told: list[Told], reason: str) -> None:
    assert await ends_of(told, [(STARTED, ""), (FINISHED, "")]) == Ends(whole=1, cut=(reason,))


async def test_a_turn_that_is_on_the_stage_still_was_not_cut() -> None:
    assert await ends_of([(STARTED, ""), (FINISHED, "")], [(STARTED, ""), (HEARD, "")]) == Ends(whole=1)


def test_all_is_well_only_when_nothing_was_lost_and_she_went_on() -> None:
    spoke = Restart("chat", 1.0, 1.0, 2.0, True)
    well = Outcome((spoke,), 10, 0, 0, Ends(whole=5), 0)
    assert well.well
    assert not Outcome((spoke,), 10, 1, 0, Ends(whole=5), 0).well
    assert not Outcome((spoke,), 10, 0, 1, Ends(whole=5), 0).well
    assert not Outcome((spoke,), 10, 0, 0, Ends(whole=5, cut=("no voice",)), 0).well
    assert not Outcome((spoke,), 10, 0, 0, Ends(whole=5), 1).well
    assert not Outcome((Restart("chat", 1.0, 1.0, 60.0, False),), 10, 0, 0, Ends(whole=5), 0).well
