"""A day and some minutes of a planned cluster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.day import day, on_air
from loadtests.capacity.demand import Part
from loadtests.capacity.measured import Line
from loadtests.capacity.scenes import CELEBRITY, ORDINARY, STAGE, ZONE, attempt, scenes, steps
from loadtests.capacity.sizing import Capacity, plan
from loadtests.capacity.window import Outcome, again_s, objective_s, simulate, stage_away_s
from tests.unit.loadtests.capacity.made_up import DEMAND

ASSUMED = Assumptions(["scale_every_s=60"])
UNLIMITED = Assumptions(["scale_every_s=60", "room_per_s=0", "evenly=0.999"])
CAPACITY, WIDER = (plan(300, DEMAND, by) for by in (ASSUMED, UNLIMITED))
AWAY_S = stage_away_s(ASSUMED)
LIGHT = replace(DEMAND, parts=DEMAND.parts | {"stage": Part("stage", Line(0.02, 0.0, 0.001, 0.0, 0.0), 150, 0.5)})
"""Then a release is so large that its pods follow the hour."""


def minute(name: str, seed: int = 1, assumed: Assumptions = ASSUMED, capacity: Capacity = CAPACITY) -> Outcome:
    """Of every release, together."""
    found = [simulate(one, DEMAND, assumed, seed + n) for n, one in enumerate(scenes(capacity, assumed)[name])]
    waits, beside, celebrity = (
        np.concatenate([getattr(one, kind) for one in found]) for kind in ("waits", "beside", "celebrity")
    )
    work = {part: sum(one.work_s[part] for one in found) for part in found[0].work_s}
    return Outcome(waits, beside, celebrity, sum(one.events for one in found), sum(one.shed for one in found), {}, work)


def test_rooms_follow_the_hours() -> None:
    rooms = on_air(1_000, 60.0, np.random.default_rng(1))
    evening, night = rooms[20 * 60 : 22 * 60].mean(), rooms[4 * 60 : 5 * 60].mean()
    assert evening == pytest.approx(980, rel=0.05)
    assert night == pytest.approx(120, rel=0.25)
    assert rooms.max() <= 1_000


def test_a_day_with_a_lost_zone_keeps_up() -> None:
    lived = day(CAPACITY, DEMAND, ASSUMED, 1)
    assert lived.late_s.max() == 0
    assert lived.busiest.max() > day(CAPACITY, DEMAND, ASSUMED, 1, zone_fails=False).busiest.max()


def test_nodes_that_take_too_long_to_come_are_seen() -> None:
    slow = Assumptions(["node_start_s=7200", "scale_every_s=60", "zones=1", "headroom=0", "busy_core=1"])
    assert day(plan(3_000, LIGHT, slow), LIGHT, slow, 1, zone_fails=False).late_s.max() > 1


def test_a_night_costs_less_than_an_evening() -> None:
    capacity = plan(3_000, LIGHT, ASSUMED)
    lived = day(capacity, LIGHT, ASSUMED, 1, zone_fails=False)
    step = ASSUMED["scale_every_s"]
    night, evening = (lived.nodes[int(hour * 3600 / step)] for hour in (5, 21))
    assert night < evening
    assert lived.room_hour < 2 * capacity.room_hour


def test_ordinarily_nobody_waits_a_second() -> None:
    found = minute(ORDINARY)
    assert len(found.waits) > 1_000
    assert np.quantile(found.waits, 0.95) < 1
    assert found.late(objective_s(ASSUMED)) == 0


def test_while_another_zone_than_the_stages_fails_nobody_waits_longer_than_the_objective() -> None:
    found = minute(ZONE)
    assert found.waits.max() > ASSUMED["session_s"]
    assert found.late(objective_s(ASSUMED)) == 0


def test_while_the_stages_zone_fails_thanks_wait_for_another_stage_and_for_the_next_attempt() -> None:
    found = minute(STAGE)
    last = max(scene.stage_away_s for scene in scenes(CAPACITY, ASSUMED)[STAGE])
    assert found.late(objective_s(ASSUMED)) > 0, "one stage is gone for longer than any session"
    assert found.waits.max() > AWAY_S
    assert found.late(objective_s(ASSUMED, last)) == 0


def test_one_stage_is_away_until_its_node_is_given_up_and_another_has_started() -> None:
    assert AWAY_S == 50 + 10 + 30 + 3
    assert stage_away_s(ASSUMED, nodes_before=2) == AWAY_S + 20
    assert len(scenes(CAPACITY, ASSUMED)[STAGE]) == -(-CAPACITY.releases // 3), "one stage in three is in a zone"


@pytest.mark.parametrize(
    ("away", "heard"),
    # Attempts begin after 0, 9, 19, 32, 55 and 123 s, and each may be heard for eight.
    [(5.0, 5.0), (8.5, 9.0), (12.0, 12.0), (18.0, 19.0), (62.0, 62.0), (64.0, 123.0), (93.0, 123.0), (132.0, 191.0)],
)
def test_thanks_that_nobody_hears_are_tried_again_as_the_audience_does(away: float, heard: float) -> None:
    assert again_s(np.array([away]))[0] == heard


def test_a_celebrity_would_stop_her_release_if_the_gateway_took_everything() -> None:
    everything, useful = minute(CELEBRITY, assumed=UNLIMITED, capacity=WIDER), minute(CELEBRITY)
    assert everything.late(objective_s(ASSUMED)) > 0
    assert everything.shed == 0
    assert everything.waits.max() > objective_s(ASSUMED), "rooms on other replicas have the same stage"
    assert useful.late(objective_s(ASSUMED)) == 0
    assert useful.shed > 0


def test_nothing_that_is_paid_is_shed() -> None:
    everything, useful = minute(CELEBRITY, assumed=UNLIMITED), minute(CELEBRITY)
    for kept, all_ in ((useful.celebrity, everything.celebrity), (useful.beside, everything.beside)):
        assert len(kept) == len(all_)
    assert len(useful.waits) == len(everything.waits)


def test_what_is_shed_is_work_for_the_gateway_alone() -> None:
    cheap, dear = (minute(CELEBRITY, assumed=Assumptions([f"shed_s={cost}"])) for cost in (0, 0.001))
    assert dear.work_s["gateway"] == pytest.approx(cheap.work_s["gateway"] + dear.shed * 0.001, rel=0.01)
    assert dear.work_s["audience"] == cheap.work_s["audience"]


def test_the_same_seed_gives_the_same_minute() -> None:
    np.testing.assert_array_equal(minute(ZONE, 7).waits, minute(ZONE, 7).waits)
    assert len(minute(ORDINARY, 7).waits) != len(minute(ORDINARY, 8).waits)


def test_the_work_in_a_minute_is_what_the_lines_say() -> None:
    found = minute(ORDINARY)
    for part in ("audience", "replica", "stage", "triton"):
        servers = CAPACITY.releases * CAPACITY.pod(part).replicas * (4 if part == "triton" else 1)
        own = servers * DEMAND.parts[part].line.start
        expected = 60 * (300 * DEMAND.parts[part].room_cores(ASSUMED) + own)
        assert found.work_s[part] == pytest.approx(expected, rel=0.2), part


def test_every_step_of_an_attempt_is_told() -> None:
    told: list[int] = []
    tried = attempt(CAPACITY, DEMAND, ASSUMED, 1, lambda: told.append(1))
    assert len(told) == steps(CAPACITY, ASSUMED)
    assert tried.minutes[0].rooms == CAPACITY.rooms, "every release is simulated"
    assert [one.name for one in tried.minutes] == list(scenes(CAPACITY, ASSUMED))
