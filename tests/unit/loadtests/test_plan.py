"""The load's plan: the same for the same seed, and as a platform would deliver it."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtests.load.plan import BATCH_ITEMS, Load, plan
from services.gateway.platform import event_id
from services.gateway.simulator.push import PUSHES_PER_S


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    load = Load({"quiet": 2, "normal": 1}, 20)
    assert plan(load).requests == plan(load).requests
    assert plan(load).requests != plan(Load({"quiet": 2, "normal": 1}, 20, seed=1)).requests


def test_requests_stand_in_order_of_time_and_rooms_take_turns_with_the_ways() -> None:
    made = plan(Load({"normal": 4}, 20))
    times = [request.at_s for request in made.requests]
    assert times == sorted(times)
    assert [room.way for room in made.rooms] == ["douyin", "direct", "douyin", "direct"]


def test_every_event_has_the_id_that_the_gateway_will_derive() -> None:
    made = plan(Load({"normal": 2}, 10, repeated=0))
    for request in made.requests:
        items = request.content if request.way == "douyin" else [request.content]
        names = [item["msg_id"] if request.way == "douyin" else item["id"] for item in items]
        assert request.event_ids == tuple(event_id(request.way, request.room_id, name) for name in names)
    assert {key for request in made.requests for key in request.event_ids} == made.events.keys()


def test_what_comes_twice_comes_the_second_time_later() -> None:
    made = plan(Load({"busy": 1}, 10, ways=("douyin",), repeated=0.1))
    first = {key: request.at_s for request in made.requests if not request.repeated for key in request.event_ids}
    again = {key: request.at_s for request in made.requests if request.repeated for key in request.event_ids}
    assert 0.05 < len(again) / len(first) < 0.15
    assert all(at_s > first[key] for key, at_s in again.items())


def test_the_platforms_cap_is_kept_and_what_it_discards_is_counted() -> None:
    made = plan(Load({"cap": 2}, 5, ways=("douyin",)))
    pushes = Counter(int(request.at_s) for request in made.requests)
    assert max(pushes.values()) <= PUSHES_PER_S
    assert max(len(request.event_ids) for request in made.requests) <= BATCH_ITEMS
    sent = {key for request in made.requests for key in request.event_ids}
    assert sum(made.not_pushed.values()) > 0
    assert sent == made.events.keys()


def test_a_burst_falls_into_the_run_however_short_it_is() -> None:
    made = plan(Load({"burst": 1}, 40, ways=("direct",), only=("chat",)))
    before, inside = (sum(start <= one.at_s < start + 5 for one in made.requests) for start in (2, 20))
    assert inside > 2 * before


def test_parts_hold_whole_rooms_and_together_everything() -> None:
    made = plan(Load({"quiet": 3, "busy": 2}, 10))
    parts = made.parts(2)
    assert sorted(room.room_id for part in parts for room in part.rooms) == sorted(room.room_id for room in made.rooms)
    assert sum(len(part.requests) for part in parts) == len(made.requests)
    for part in parts:
        assert {request.room_id for request in part.requests} <= {room.room_id for room in part.rooms}


def test_only_the_kinds_that_were_asked_for_are_sent() -> None:
    made = plan(Load({"busy": 2}, 10, only=("gift",)))
    *_, last, again = made.requests
    kinds = {made.events[key].kind for one in made.requests if one.at_s < 10 for key in one.event_ids}
    assert kinds == {"gift"}
    assert {last.room_id, again.room_id} == {room.room_id for room in made.rooms}


def test_somebody_says_good_night_in_every_room_after_everything_else() -> None:
    made = plan(Load({"quiet": 3}, 10, repeated=0))
    closing = made.requests[-3:]
    assert {request.room_id for request in closing} == {room.room_id for room in made.rooms}
    assert min(request.at_s for request in closing) > max(request.at_s for request in made.requests[:-3])


def test_a_load_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no profile 'loud'"):
        Load({"loud": 1}, 10)
    with pytest.raises(ValueError, match="seconds above 0"):
        Load({"quiet": 1}, 0)
