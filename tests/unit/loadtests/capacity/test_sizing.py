"""From rooms to pods, nodes and money."""

from __future__ import annotations

from math import ceil

import pytest

from loadtests.capacity.assumptions import Assumptions, Unknown
from loadtests.capacity.demand import SERVICES
from loadtests.capacity.sizing import plan
from tests.unit.loadtests.capacity.made_up import DEMAND

ASSUMED = Assumptions()


@pytest.mark.parametrize("rooms", [1, 30, 400, 5_000])
def test_two_zones_carry_what_three_were_planned_for(rooms: int) -> None:
    capacity = plan(rooms, DEMAND, ASSUMED)
    for pod in capacity.pods:
        if pod.name in (*SERVICES, "triton"):
            cores = 4 if pod.name == "triton" else 1
            part = DEMAND.parts[pod.name]
            left = pod.replicas - ceil(pod.replicas / 3)
            needed = ceil(rooms / capacity.cells) * part.room_cores(ASSUMED) + left * part.line.start
            assert needed <= left * cores * ASSUMED["busy_core"], pod.name


def test_more_rooms_never_need_less() -> None:
    plans = [plan(rooms, DEMAND, ASSUMED) for rooms in (1, 10, 100, 1_000, 10_000)]
    assert [one.nodes for one in plans] == sorted(one.nodes for one in plans)
    assert [one.cost_hour for one in plans] == sorted(one.cost_hour for one in plans)


def test_a_room_costs_the_same_from_a_thousand_rooms_on() -> None:
    costs = [plan(rooms, DEMAND, ASSUMED).room_hour for rooms in (1_000, 10_000, 100_000)]
    assert max(costs) / min(costs) < 1.15
    assert plan(1, DEMAND, ASSUMED).room_hour > 20 * costs[0]


def test_no_consumer_group_is_larger_than_its_topics_have_partitions() -> None:
    for rooms in (10, 10_000):
        capacity = plan(rooms, DEMAND, ASSUMED)
        members = [pod.replicas for pod in capacity.pods if pod.name in SERVICES]
        assert max(members) <= min(capacity.partitions, ASSUMED["group_members"])
        assert capacity.partitions % 12 == 0


def test_a_cell_is_no_larger_than_its_stages_can_watch() -> None:
    capacity = plan(20_000, DEMAND, ASSUMED)
    assert capacity.cells > 1
    assert 20_000 / capacity.cells * DEMAND.watched_per_s(ASSUMED) * ASSUMED["watched_s"] <= ASSUMED["watched_most"]
    assert plan(20_000, DEMAND, Assumptions(["watched_s=0"])).cells < capacity.cells


def test_large_rooms_that_meet_by_chance_ask_for_more_replicas() -> None:
    chance, even = (Assumptions(["room_per_s=0", f"evenly={share}"]) for share in (0.999, 0.5))
    assert plan(2_000, DEMAND, chance).replicas("audience") > plan(2_000, DEMAND, even).replicas("audience")


def test_with_gpus_they_take_over_the_models() -> None:
    capacity = plan(1_000, DEMAND, ASSUMED, gpu=True)
    assert capacity.gpus >= 3
    assert "triton" not in {pod.name for pod in capacity.pods}
    assert plan(1_000, DEMAND, ASSUMED).gpus == 0


def test_fewer_events_of_a_room_cost_less_but_gifts_stay() -> None:
    kept = Assumptions(["room_per_s=5"])
    assert kept.events_per_s < ASSUMED.events_per_s
    assert [kind.paid_per_s for kind in kept.kinds] == [kind.paid_per_s for kind in ASSUMED.kinds]
    assert plan(1_000, DEMAND, kept).cores_used < plan(1_000, DEMAND, ASSUMED).cores_used


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("core_our=1", "no such assumption"),
        ("core_hour=cheap", "must be a number"),
        ("core_hour=-1", "must be a number"),
        ("quiet_share=0.9", "together at most 1"),
    ],
)
def test_wrong_assumptions_are_refused(given: str, told: str) -> None:
    with pytest.raises(Unknown, match=told):
        Assumptions([given])
