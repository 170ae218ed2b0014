"""What operators are told of the stage: who speaks, who watches over her, and what was cut."""

from __future__ import annotations

import asyncio

from services.core import topics
from services.core.envelope import seal
from services.core.events import LANE_PAID, MODE_APPROVE, Control, Panic, SetMode, Stop, Supersede, Turn
from services.core.virtual_time import virtual_time
from services.stage.service import ATTENDED_S
from tests.unit.stage.test_stage import Theatre


def value(theatre: Theatre, name: str, **labels: str) -> float:
    return theatre.telemetry.metrics.registry.get_sample_value(f"lydia_{name}", labels) or 0.0


@virtual_time
async def test_a_room_that_is_drawn_has_an_operator_for_as_long_as_a_console_asks() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        await stage.open("unseen")
        with stage.joined(await stage.open("a")), stage.joined(await stage.open("b")):
            assert value(theatre, "stage_rooms") == 3
            assert value(theatre, "stage_watched_rooms") == 2
            assert value(theatre, "stage_unattended_rooms") == 2
            stage.attend("a")
            stage.attend("nowhere")
            assert value(theatre, "stage_unattended_rooms") == 1
            await asyncio.sleep(ATTENDED_S + 1)
            assert value(theatre, "stage_unattended_rooms") == 2
            await stage.control("b", Control(set_mode=SetMode(mode=MODE_APPROVE)), issued_by="operator")
            assert value(theatre, "stage_unattended_rooms") == 1
            assert value(theatre, "stage_manual_rooms") == 1
        assert value(theatre, "stage_watched_rooms") == 0


@virtual_time
async def test_turns_are_counted_by_how_they_ended_and_what_was_heard_of_them() -> None:
    theatre = Theatre()
    async with theatre.playing():
        await theatre.say("a", 1, 2)
        await asyncio.sleep(1)
        assert value(theatre, "stage_speaking_rooms") == 1
        await asyncio.sleep(2)
        await theatre.say("a", 2, 5)
        await asyncio.sleep(1)
        await theatre.tell(Control(room_id="a", epoch=3, stop=Stop()))
        await asyncio.sleep(1)
    assert value(theatre, "stage_speaking_rooms") == 0
    assert value(theatre, "stage_turns_total", outcome="finished") == 1
    assert value(theatre, "stage_turns_total", outcome="stopped") == 1
    assert 2.5 < value(theatre, "stage_heard_seconds_total") < 3.2
    assert value(theatre, "stage_stopped_epochs_total", cause="stop") == 1
    assert value(theatre, "stage_turns_with_gaps_total") == 0


@virtual_time
async def test_a_turn_whose_voice_comes_too_late_counts_once_however_many_gaps_it_has() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        await theatre.say("a", 1, 1)
        await asyncio.sleep(0.5)
        room.timeline.underruns = 3  # as the timeline counts them
        await asyncio.sleep(2)
    assert value(theatre, "stage_turns_with_gaps_total") == 1
    assert value(theatre, "stage_underruns_total") == 3


@virtual_time
async def test_a_panic_shows_until_it_is_released_and_is_counted_once() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        await theatre.say("a", 1, 5)
        await asyncio.sleep(1)
        await stage.control("a", Control(panic=Panic()), issued_by="operator")
        await asyncio.sleep(1)
        assert value(theatre, "stage_panicked_rooms") == 1
        await stage.control("a", Control(panic=Panic(released=True)), issued_by="operator")
        await asyncio.sleep(1)
        assert value(theatre, "stage_panicked_rooms") == 0
    assert value(theatre, "operator_actions_total", action="panic") == 2
    assert value(theatre, "stage_stopped_epochs_total", cause="panic") == 1
    assert value(theatre, "stop_seconds_count") == 1
    assert value(theatre, "stop_seconds_sum") == 0, "an operator's order silences her at once"


@virtual_time
async def test_the_time_from_choice_to_voice_is_told_by_lane_and_without_the_wait_before() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        await stage.open("a")
        now_ms = theatre.clock.now_ms()
        turn = Turn(turn_id="a1", room_id="a", epoch=1, lane=LANE_PAID, opened_at_ms=now_ms)
        turn.audience.events.add(event_id="e", received_at_ms=now_ms - 30_000)
        await theatre.bus.publish(seal(topics.TURNS, turn, event_id="a1", room_id="a", source="test", now_ms=now_ms))
        await asyncio.sleep(0.5)
        await theatre.say("a", 1, 1)
        await asyncio.sleep(2)
    assert 0.5 <= value(theatre, "turn_voice_seconds_sum", lane="paid") < 0.7
    assert 30.5 <= value(theatre, "first_voice_seconds_sum", lane="paid") < 30.7


@virtual_time
async def test_a_turn_that_gives_way_to_a_more_urgent_one_is_no_stop_of_an_operator() -> None:
    theatre = Theatre()
    async with theatre.playing():
        await theatre.say("a", 1, 5)
        await asyncio.sleep(1)
        await theatre.tell(Control(room_id="a", epoch=2, supersede=Supersede(turn_id="a2")))
        await theatre.say("a", 2, 1)
        await asyncio.sleep(2)
    assert value(theatre, "stage_stopped_epochs_total", cause="supersede") == 1
    assert value(theatre, "stop_seconds_count") == 0


@virtual_time
async def test_renderers_say_whether_the_label_is_to_be_seen() -> None:
    theatre = Theatre()
    for shown in (True, True, False):
        theatre.stage.labelled(shown)
    assert value(theatre, "renderer_label_reports_total", shown="yes") == 2
    assert value(theatre, "renderer_label_reports_total", shown="no") == 1
