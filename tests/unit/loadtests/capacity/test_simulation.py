"""A day and some minutes of a planned cluster."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.day import day, on_air
from loadtests.capacity.scenes import CELEBRITY, ORDINARY, ZONE, attempt, scenes, steps
from loadtests.capacity.sizing import Capacity, plan
from loadtests.capacity.window import Outcome, objective_s, simulate
from tests.unit.loadtests.capacity.made_up import DEMAND

ASSUMED = Assumptions(["scale_every_s=60"])
UNLIMITED = Assumptions(["scale_every_s=60", "room_per_s=0", "evenly=0.999"])
CAPACITY, WIDER = (plan(300, DEMAND, by) for by in (ASSUMED, UNLIMITED))


def minute(name: str, seed: int = 1, assumed: Assumptions = ASSUMED, capacity: Capacity = CAPACITY) -> Outcome:
    return simulate(scenes(capacity, assumed)[name], DEMAND, assumed, seed)


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
    assert day(plan(3_000, DEMAND, slow), DEMAND, slow, 1, zone_fails=False).late_s.max() > 1


def test_a_night_costs_less_than_an_evening() -> None:
    capacity = plan(3_000, DEMAND, ASSUMED)
    lived = day(capacity, DEMAND, ASSUMED, 1, zone_fails=False)
    step = ASSUMED["scale_every_s"]
    night, evening = (lived.nodes[int(hour * 3600 / step)] for hour in (5, 21))
    assert night < evening / 2
    assert lived.room_hour < 2 * capacity.room_hour


def test_ordinarily_nobody_waits_a_second() -> None:
    found = minute(ORDINARY)
    assert len(found.waits) > 1_000
    assert np.quantile(found.waits, 0.95) < 1
    assert found.late(objective_s(ASSUMED)) == 0


def test_while_a_zone_fails_some_wait_but_none_longer_than_the_objective() -> None:
    found = minute(ZONE)
    assert found.waits.max() > ASSUMED["session_s"]
    assert found.late(objective_s(ASSUMED)) == 0


def test_a_celebrity_would_stop_her_own_replica_if_the_gateway_took_everything() -> None:
    everything, useful = minute(CELEBRITY, assumed=UNLIMITED, capacity=WIDER), minute(CELEBRITY)
    assert everything.late(objective_s(ASSUMED)) > 0
    assert everything.shed == 0
    assert np.quantile(everything.waits, 0.99) < 1, "rooms on other replicas do not notice"
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
    for part in ("audience", "stage", "triton"):
        pods = next(pod for pod in CAPACITY.pods if pod.name == part)
        own = pods.replicas * DEMAND.parts[part].line.start * (4 if part == "triton" else 1)
        expected = 60 * (300 * DEMAND.parts[part].room_cores(ASSUMED) + own)
        assert found.work_s[part] == pytest.approx(expected, rel=0.2), part


def test_every_step_of_an_attempt_is_told() -> None:
    told: list[int] = []
    tried = attempt(plan(5, DEMAND, ASSUMED), DEMAND, ASSUMED, 1, 12, lambda: told.append(1))
    assert len(told) == steps(tried.capacity, 12)
    assert [one.name for one in tried.minutes] == list(scenes(tried.capacity, ASSUMED))
