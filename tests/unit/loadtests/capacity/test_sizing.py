"""From rooms to releases, pods, nodes and money, and what the chart takes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from math import ceil
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.chart.render import CHART, ENVIRONMENTS
from loadtests.capacity.assumptions import Assumptions, Unknown
from loadtests.capacity.demand import REPLICA, Demand, Part, installed
from loadtests.capacity.measured import Line, load
from loadtests.capacity.report import ROOMS, VOICE
from loadtests.capacity.sizing import GROUPS, LEADERS, Capacity, crowded_core, plan, release
from tests.unit.loadtests.capacity.made_up import DEMAND

ASSUMED = Assumptions()
MEASURED = installed(load(), VOICE, ASSUMED)
PRODUCTION = yaml.safe_load(ENVIRONMENTS["production"].read_text("utf-8"))
MANY = ("gateway", "audience", REPLICA, "chat", "speech", "motion", "triton")


@pytest.mark.parametrize("rooms", [1, 30, 400, 5_000])
def test_two_zones_carry_what_three_were_planned_for(rooms: int) -> None:
    capacity = plan(rooms, DEMAND, ASSUMED)
    for pod in capacity.pods:
        if pod.name in MANY:
            cores = 4 if pod.name == "triton" else 1
            part = DEMAND.parts[pod.name]
            left = pod.replicas - ceil(pod.replicas / 3)
            needed = capacity.largest * part.room_cores(ASSUMED) + left * part.line.start
            assert needed <= left * cores * ASSUMED["busy_core"], pod.name


def test_more_rooms_never_need_less() -> None:
    plans = [plan(rooms, DEMAND, ASSUMED) for rooms in (1, 10, 100, 1_000, 10_000)]
    assert [one.nodes for one in plans] == sorted(one.nodes for one in plans)
    assert [one.cost_hour for one in plans] == sorted(one.cost_hour for one in plans)


def test_a_room_costs_the_same_from_a_thousand_rooms_on() -> None:
    costs = [plan(rooms, DEMAND, ASSUMED).room_hour for rooms in (1_000, 10_000, 100_000)]
    assert max(costs) / min(costs) < 1.15
    assert plan(1, DEMAND, ASSUMED).room_hour > 20 * costs[0]


@pytest.mark.parametrize("demand", [DEMAND, MEASURED], ids=["made up", "measured"])
def test_a_release_has_one_stage_which_is_not_too_busy_even_when_large_rooms_meet(demand: Demand) -> None:
    capacity = plan(20_000, demand, ASSUMED)
    stage = demand.parts["stage"]
    assert capacity.pod("stage").replicas == 1
    assert capacity.largest <= capacity.release.rooms
    assert crowded_core(stage, capacity.release.rooms, ASSUMED) <= ASSUMED["busy_core"]
    assert crowded_core(stage, capacity.release.rooms, ASSUMED) > stage.line.start + capacity.release.rooms * (
        stage.room_cores(ASSUMED)
    )
    assert (capacity.releases - 1) * capacity.release.rooms < 20_000


def test_what_takes_no_more_rooms_is_named() -> None:
    assert release(DEMAND, ASSUMED).bound == "stage"
    heavy = Part("chat", Line(0.02, 0.3, 0, 0, 0), 150, 0)
    assert release(replace(DEMAND, parts=DEMAND.parts | {"chat": heavy}), ASSUMED).bound == "chat"


def values(capacity: Capacity) -> dict[str, Any]:
    """Of the chart, for one release of the plan. Nothing in them says how many stages: there is one."""
    scaling = {name: {"scaling": {"max": capacity.pod(name).replicas}} for name in ("gateway", *GROUPS)}
    return {
        "services": scaling,
        "ray": {"workers": {"max": capacity.pod(REPLICA).replicas}},
        "triton": {"scaling": {"max": capacity.pod("triton").replicas}},
        "kafka": {"strimzi": {"brokers": {"replicas": capacity.pod("kafka").replicas}}},
        "settings": {
            "ray": {"max_replicas": capacity.pod(REPLICA).replicas},
            "stage": {"max_rooms": capacity.release.rooms},
        },
    }


@pytest.mark.parametrize("rooms", ROOMS)
def test_a_planned_release_is_one_that_the_chart_takes_and_production_allows(rooms: int) -> None:
    planned = values(plan(rooms, MEASURED, ASSUMED))
    jsonschema.validate(planned, json.loads((CHART / "values.schema.json").read_text("utf-8")))
    for path, most in _leaves(planned):
        allowed = PRODUCTION
        for name in path:
            allowed = allowed[name]
        assert most <= allowed, path


def _leaves(tree: dict[str, Any], *path: str) -> list[tuple[tuple[str, ...], int]]:
    return [
        leaf
        for name, below in tree.items()
        for leaf in (_leaves(below, *path, name) if isinstance(below, dict) else [((*path, name), below)])
    ]


def test_production_takes_as_many_rooms_as_its_stage_can_carry() -> None:
    assert PRODUCTION["settings"]["stage"]["max_rooms"] == release(MEASURED, ASSUMED).rooms
    assert "replicas" not in PRODUCTION["services"]["stage"], "the chart has one"


def test_what_leads_is_as_large_as_the_chart_says() -> None:
    said = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    controllers = said["kafka"]["strimzi"]["controllers"]
    head = said["ray"]["head"]["resources"]["requests"]
    sizes = {pod.name: (pod.replicas, pod.cores) for pod in LEADERS}
    assert sizes == {"ray head": (1, float(head["cpu"])), "kafka controller": (controllers["replicas"], 0.25)}
    assert controllers["resources"]["requests"]["cpu"] == "250m"


def test_large_rooms_that_meet_by_chance_leave_room_for_fewer() -> None:
    chance, even = (Assumptions(["room_per_s=0", f"evenly={share}"]) for share in (0.999, 0.5))
    assert release(DEMAND, chance).rooms < release(DEMAND, even).rooms


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
