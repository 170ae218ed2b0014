"""What operators are told of the queues: how much is owed, since when, and how long thanks took."""

from __future__ import annotations

import asyncio

import pytest

from services.core.events import Control, Mute, Skip
from services.core.virtual_time import virtual_time
from tests.unit.audience.house import House


def value(house: House, name: str, **labels: str) -> float:
    found = house.telemetry.metrics.registry.get_sample_value(name, labels)
    assert found is not None, name
    return found


def oldest_s(house: House, lane: str, *, held: str) -> float:
    return value(house, "lydia_oldest_waiting_seconds", lane=lane, held=held)


@virtual_time
async def test_what_is_owed_ages_until_its_thanks_are_heard() -> None:
    house = House()
    async with house.running():
        await house.control(Control(mute=Mute(muted=True)))
        await house.gift(500, "bob")
        await house.gift(250, "eve")
        await asyncio.sleep(40)
        assert value(house, "lydia_paid_owed_events") == 2
        assert value(house, "lydia_paid_owed_yuan") == 7.5
        assert value(house, "lydia_waiting_events", lane="paid") == 2
        assert oldest_s(house, "paid", held="yes") == pytest.approx(40, abs=0.1)
        assert oldest_s(house, "paid", held="no") == 0, "more processes would not help who waits for the operator"
        assert oldest_s(house, "chat", held="yes") == 0
        await house.control(Control(mute=Mute(muted=False)))
        await asyncio.sleep(20)
        assert value(house, "lydia_paid_owed_events") == 0
        assert oldest_s(house, "paid", held="yes") == oldest_s(house, "paid", held="no") == 0
    assert value(house, "lydia_paid_events_accepted_total") == 2
    assert value(house, "lydia_paid_accepted_yuan_total") == 7.5
    assert value(house, "lydia_paid_thanked_seconds_count") == 2
    assert value(house, "lydia_paid_thanked_yuan_total") == 7.5
    assert 80 < value(house, "lydia_paid_thanked_seconds_sum") < 120


@virtual_time
async def test_thanks_on_her_lips_are_still_owed() -> None:
    house = House()
    async with house.running(stage=False):
        await house.gift(500)
        await asyncio.sleep(1)
        assert len(await house.turns()) == 1
        assert value(house, "lydia_waiting_events", lane="paid") == 0
        assert value(house, "lydia_paid_owed_events") == 1
        assert oldest_s(house, "paid", held="no") == pytest.approx(1, abs=0.1)


@virtual_time
async def test_what_an_operator_skips_is_owed_no_more_and_not_thanked() -> None:
    house = House()
    async with house.running():
        await house.control(Control(mute=Mute(muted=True)))
        await asyncio.sleep(0.1)
        gift = await house.gift(500)
        await asyncio.sleep(1)
        await house.control(Control(skip=Skip(event_id=gift.event_id)))
        await asyncio.sleep(1)
        assert value(house, "lydia_paid_owed_events") == 0
    assert value(house, "lydia_paid_thanked_seconds_count") == 0
    skipped = {"lane": "paid", "outcome": "dropped", "reason": "skipped"}
    assert value(house, "lydia_decisions_total", **skipped) == 1


@virtual_time
async def test_a_platforms_test_gift_is_thanked_and_no_money() -> None:
    house = House()
    async with house.running():
        event = house._event("a", "bob", None)
        event.gift.gift_id, event.gift.name, event.gift.value_fen, event.test = "rose", "rose", 500, True
        await house.publish(event)
        await asyncio.sleep(10)
    assert value(house, "lydia_paid_thanked_seconds_count") == 1
    assert value(house, "lydia_paid_accepted_yuan_total") == 0


@virtual_time
async def test_the_age_of_the_oldest_question_is_told_over_all_rooms() -> None:
    house = House()
    async with house.running(stage=False):
        for room, text in (("a", "你好呀Lydia"), ("a", "你叫什么名字？"), ("b", "你好呀Lydia"), ("b", "你喜欢什么？")):
            await house.chat(text, room=room)
            await asyncio.sleep(1)
        assert value(house, "lydia_audience_rooms") == 2
        assert value(house, "lydia_waiting_events", lane="chat") == 2
        assert oldest_s(house, "chat", held="no") == pytest.approx(3, abs=0.1)
