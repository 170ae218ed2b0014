"""What Lydia does towards the platform by herself: keep it pushing, fetch what failed, report what was done."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from itertools import count

import pytest

from services.core import topics
from services.core.envelope import seal
from services.core.events import AudienceCause, AudienceEvent, Chat, Gift, Performed, Turn, Viewer
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from services.gateway.douyin_calls import MENDS, UNREACHABLE
from services.gateway.douyin_items import Items, WebhookItems
from services.gateway.douyin_recovery import Recovery
from services.gateway.service import Gateway
from services.gateway.simulator.options import Faults, Options
from tests.unit.gateway.show import Show
from tests.unit.gateway.test_douyin_calls import api_of
from tests.unit.gateway.world import gift


def gifts(every_s: float, number: int) -> Iterator[tuple[float, AudienceEvent]]:
    """One small gift after another, from the fifth second on: by then the push tasks run."""
    for index in range(number):
        sent = Gift(gift_id="SIMULATEDGIFT0001==", count=1, value_fen=10)
        viewer = Viewer(id=f"u{index % 9}", name="n")
        yield 5 + index * every_s, AudienceEvent(message_id=str(index), viewer=viewer, gift=sent)


async def gift_ids(show: Show) -> list[int]:
    """The running numbers of the gifts on the bus, in order."""
    return [int(event.message_id) % 1_000_000 for event in await show.bus.audience()]


@virtual_time
async def test_every_type_with_a_secret_is_kept_pushing() -> None:
    show = Show()
    async with show.lydia():
        await asyncio.sleep(5)
        assert set(show.platform.room.tasks) == set(show.options.push_secrets)
        show.platform.set_room(live=True, mounted=False, granted=True)
        await asyncio.sleep(120)
        assert not show.platform.pushes("live_gift")
        show.platform.set_room(live=True, mounted=True, granted=True)
        await asyncio.sleep(61)
        assert all(show.platform.pushes(name) for name in show.options.push_secrets)


@virtual_time
async def test_a_stopped_task_is_found_within_half_a_minute() -> None:
    show = Show()
    async with show.lydia():
        await asyncio.sleep(5)
        show.platform.room.tasks["live_gift"] = 2
        await asyncio.sleep(31)
        assert show.platform.pushes("live_gift")


def test_trouble_with_a_task_is_told_once_with_its_mend(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def run() -> None:
        show = Show(push_secrets={"live_gift": "s"})
        show.platform.set_room(live=False, mounted=True, granted=True)
        async with show.lydia():
            await asyncio.sleep(1800)

    with caplog.at_level(logging.WARNING, logger="services.gateway"):
        run()
    told = [record.getMessage() for record in caplog.records if "does not push" in record.getMessage()]
    assert len(told) == 1
    assert "5003019" in told[0]
    assert "mount the game" in told[0]


@virtual_time
async def test_tasks_go_on_when_lydia_ends_so_that_gifts_are_kept_for_her() -> None:
    show = Show()
    async with show.lydia():
        await asyncio.sleep(5)
    assert show.platform.pushes("live_gift")
    assert show.network.count("/task/stop") == 0


@virtual_time
async def test_gifts_given_while_lydia_was_away_are_fetched_at_her_start() -> None:
    show = Show()
    async with show.lydia(), show.audience(gifts(1, 40)):
        await asyncio.sleep(20)
        del show.network.hosts["lydia"]
        await asyncio.sleep(8)
    assert show.pusher.counts["failed"] == 8
    before = await gift_ids(show)
    async with show.lydia():
        await asyncio.sleep(5)
    assert await gift_ids(show) == [*before, *range(len(before), len(before) + 8)]


@virtual_time
async def test_failed_data_is_read_on_from_where_it_was_even_after_a_restart() -> None:
    show = Show()
    for number in range(150):
        show.platform.keep_failed("live_gift", json.dumps([gift(number)]))
    async with show.lydia():
        await asyncio.sleep(10)
    assert len(await show.bus.audience()) == 150
    for number in range(150, 260):
        show.platform.keep_failed("live_gift", json.dumps([gift(number)]))
    async with show.lydia():
        await asyncio.sleep(10)
    assert [event.message_id for event in await show.bus.audience()] == [f"g{number}" for number in range(260)]
    assert {event.transport for event in await show.bus.audience()} == {"fail_data"}


def recovery_of(show: Show) -> Recovery:
    telemetry = Telemetry("test")
    gateway, items = Gateway(show.bus, show.clock, telemetry), WebhookItems(Items({}), transport="fail_data")
    return Recovery(api_of(show), gateway, items, show.state, show.clock, telemetry)


@pytest.mark.parametrize("past_end", ["empty", "10001", "10011"])
@virtual_time
async def test_failed_data_is_read_anew_when_its_oldest_entries_have_expired(past_end: str) -> None:
    show = Show(Options(faults=Faults.model_validate({"past_end": past_end})))
    recovery = recovery_of(show)
    room = show.options.room_id
    for first, last, wait_s in ((0, 150, 40_000), (150, 170, 46_500), (170, 300, 86_500), (300, 310, 0)):
        for number in range(first, last):
            show.platform.keep_failed("live_gift", json.dumps([gift(number)]))
        assert await recovery.fetch(room, "live_gift") == last - first
        assert await recovery.fetch(room, "live_gift") == 0
        await asyncio.sleep(wait_s)
    assert [event.message_id for event in await show.bus.audience()] == [f"g{number}" for number in range(310)]


@pytest.mark.parametrize("past_end", ["empty", "10001", "10011"])
@virtual_time
async def test_a_full_last_page_of_failed_data_is_no_trouble(past_end: str) -> None:
    show = Show(Options(faults=Faults.model_validate({"past_end": past_end})))
    for number in range(200):
        show.platform.keep_failed("live_gift", json.dumps([gift(number)]))
    recovery = recovery_of(show)
    assert await recovery.fetch(show.options.room_id, "live_gift") == 200
    assert await recovery.fetch(show.options.room_id, "live_gift") == 0


@virtual_time
async def test_entries_that_expire_while_the_pages_are_read_hide_none_of_the_new_ones() -> None:
    show = Show()
    recovery = recovery_of(show)
    for number in range(10):
        show.platform.keep_failed("live_gift", json.dumps([gift(number)]))
    await asyncio.sleep(86_399.95)
    for number in range(10, 300):
        show.platform.keep_failed("live_gift", json.dumps([gift(number)]))
    for _ in range(2):
        await recovery.fetch(show.options.room_id, "live_gift")
    assert {event.message_id for event in await show.bus.audience()} == {f"g{number}" for number in range(300)}


def test_where_failed_gifts_are_refused_fans_club_is_fetched_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def run() -> None:
        show = Show()
        show.network.refused["live_gift"] = 40002
        show.platform.keep_failed("live_fansclub", json.dumps([{"msg_id": "f1", "sec_openid": "u"}]))
        async with show.lydia():
            await asyncio.sleep(10)
            assert [event.message_id for event in await show.bus.audience()] == ["f1"]
            await asyncio.sleep(3600)

    with caplog.at_level(logging.WARNING, logger="services.gateway"):
        run()
    (told,) = [record.getMessage() for record in caplog.records if "failed live" in record.getMessage()]
    assert "live_gift" in told
    assert "apply for it in the developer console" in told


@virtual_time
async def test_senseless_failed_data_is_kept_in_the_dead_letters_and_does_not_stop_the_rest() -> None:
    show = Show()
    for payload in ("no json", json.dumps([gift(1), {}]), "7", json.dumps([gift(2)])):
        show.platform.keep_failed("live_gift", payload)
    async with show.lydia():
        await asyncio.sleep(10)
    assert [event.message_id for event in await show.bus.audience()] == ["g1", "g2"]
    assert len(await show.bus.dead()) == 3


@virtual_time
async def test_the_place_in_the_failed_data_moves_only_with_the_bus() -> None:
    show = Show()
    show.platform.keep_failed("live_fansclub", json.dumps([{"msg_id": "f1", "sec_openid": "u"}]))
    show.bus.away = True
    async with show.lydia():
        await asyncio.sleep(100)
        assert await show.bus.audience() == []
        show.bus.away = False
        await asyncio.sleep(61)
        assert len(await show.bus.audience()) == 1


@virtual_time
async def test_after_a_push_that_could_not_be_taken_its_gifts_are_fetched_within_seconds() -> None:
    show = Show()
    async with show.lydia(), show.audience(gifts(1, 30)):
        await asyncio.sleep(10)
        show.bus.away = True
        await asyncio.sleep(3)
        show.bus.away = False
        await asyncio.sleep(8)
        assert show.pusher.counts["failed"] == 3
        ids = await gift_ids(show)
        assert len(set(ids)) == len(ids)
        assert sorted(ids) == list(range(16))


@virtual_time
async def test_a_launch_token_finds_its_room() -> None:
    show = Show(rooms=(), launch_token="simulated-launch-token")
    async with show.lydia():
        await asyncio.sleep(5)
        assert show.platform.pushes("live_comment")


@virtual_time
async def test_a_launch_token_is_tried_until_the_platform_answers() -> None:
    show = Show(rooms=(), launch_token="simulated-launch-token")
    show.network.away.add("/info")
    async with show.lydia():
        await asyncio.sleep(300)
        show.network.away.clear()
        await asyncio.sleep(10)
        assert show.platform.pushes("live_comment")


def test_a_launch_token_that_the_platform_refuses_is_told_at_once_and_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @virtual_time
    async def run() -> None:
        show = Show(rooms=(), launch_token="long-expired")
        async with show.lydia():
            await asyncio.sleep(300)
        assert show.network.count("/info") == 1

    with caplog.at_level(logging.WARNING, logger="services.gateway"):
        run()
    (told,) = [record.getMessage() for record in caplog.records]
    assert "40001" in told
    assert "start the game again in the live companion" in told


@pytest.mark.parametrize("code", [40002, 40017])
def test_a_launch_token_is_not_tried_again_where_the_app_is_refused_and_the_cause_is_told(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    @virtual_time
    async def run() -> None:
        show = Show(
            rooms=(),
            launch_token="simulated-launch-token",
            app_secret="wrong" if code == 40017 else Options().app_secret,
        )
        show.platform.set_room(live=True, mounted=True, granted=code != 40002)
        async with show.lydia():
            await asyncio.sleep(3600)
        assert show.network.count("/info") == (code == 40002)

    with caplog.at_level(logging.WARNING, logger="services.gateway"):
        run()
    (told,) = [record.getMessage() for record in caplog.records]
    assert str(MENDS[code]) in told
    assert "start the game again" not in told


def test_a_launch_token_that_expires_while_the_platform_is_away_is_told_with_the_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @virtual_time
    async def run() -> None:
        show = Show(rooms=(), launch_token="simulated-launch-token")
        show.network.away.add("/info")
        async with show.lydia():
            await asyncio.sleep(3600)

    with caplog.at_level(logging.WARNING, logger="services.gateway"):
        run()
    assert len(caplog.records) == 2
    assert "expired" in caplog.messages[1]
    assert MENDS[UNREACHABLE] in caplog.messages[1]


@virtual_time
async def test_without_an_app_nothing_is_called_and_pushes_are_taken_all_the_same() -> None:
    show = Show(app_id="", app_secret=None)
    show.platform.room.tasks["live_gift"] = 3
    async with show.lydia(), show.audience(gifts(1, 5)):
        await asyncio.sleep(10)
    assert len(await gift_ids(show)) == 5
    assert not any(path.startswith("/api") for _, path in show.network.calls)


ROOM = Options().room_id


class Reports:
    """Publishes turns and what became of them, as audience and stage would."""

    def __init__(self, show: Show) -> None:
        self.show = show
        self.numbers = count()

    async def turn(self, turn_id: str, *events: AudienceEvent, received: bool = True) -> None:
        if received:
            await self.show.gateway.accept(events)
        turn = Turn(turn_id=turn_id, room_id="r", audience=AudienceCause(events=events))
        record = seal(topics.TURNS, turn, event_id=turn_id, room_id="r", source="test", now_ms=0)
        await self.show.bus.publish(record)

    async def performed(self, turn_id: str, state: Performed.State, heard_segments: int = 0) -> None:
        at_ms = self.show.clock.now_ms()
        report = Performed(turn_id=turn_id, room_id="r", state=state, heard_segments=heard_segments, at_ms=at_ms)
        record = seal(
            topics.PERFORMED, report, event_id=f"p{next(self.numbers)}", room_id="r", source="test", now_ms=at_ms
        )
        await self.show.bus.publish(record)

    def processed(self) -> list[tuple[str, str]]:
        """What was reported as processed: (msg_id, msg_type)."""
        return [
            (message["msg_id"], message["msg_type"])
            for report in self.show.platform.acks
            if report.ack_type == 2
            for message in report.messages
        ]


def event(message_id: str, viewer: str, *, text: str = "", platform: str = "douyin", room: str = ROOM) -> AudienceEvent:
    known = AudienceEvent(
        event_id=message_id,
        message_id=message_id,
        platform=platform,
        room_id=room,
        viewer=Viewer(id=viewer),
    )
    if text:
        known.chat.CopyFrom(Chat(text=text))
    else:
        known.gift.CopyFrom(Gift(count=1))
    return known


@virtual_time
async def test_what_is_received_is_reported_once_in_batches() -> None:
    show = Show()
    async with show.lydia(), show.audience(gifts(0.1, 100)):
        await asyncio.sleep(20)
    reports = [report for report in show.platform.acks if report.ack_type == 1]
    ids = [message["msg_id"] for report in reports for message in report.messages]
    assert len(ids) == len(set(ids)) == 100
    assert len(reports) <= 20
    assert {message["msg_type"] for report in reports for message in report.messages} == {"live_gift"}


@virtual_time
async def test_what_was_performed_is_reported_as_processed() -> None:
    show = Show()
    reports = Reports(show)
    async with show.lydia():
        await asyncio.sleep(1)
        await reports.turn("whole", event("1", "a", text="hi"), event("2", "b", text="hi"))
        await reports.turn("direct", event("3", "a", text="hi", platform="direct"))
        await reports.turn("received elsewhere", event("10", "a", text="hi"), received=False)
        await reports.turn("cut off", event("4", "a", text="hi"))
        await reports.turn("never heard", event("5", "a", text="hi"))
        await reports.turn("thanks", event("6", "a"), event("7", "a"), event("8", "b"), event("9", "c"))
        await reports.performed("whole", Performed.STATE_STARTED)
        await reports.performed("whole", Performed.STATE_FINISHED)
        await reports.performed("whole", Performed.STATE_FINISHED)
        await reports.performed("direct", Performed.STATE_FINISHED)
        await reports.performed("received elsewhere", Performed.STATE_FINISHED)
        await reports.performed("cut off", Performed.STATE_STOPPED, heard_segments=1)
        await reports.performed("never heard", Performed.STATE_STOPPED)
        await reports.performed("thanks", Performed.STATE_STOPPED, heard_segments=2)
        await reports.performed("unknown", Performed.STATE_FINISHED)
        await asyncio.sleep(3)
    comments = [(name, "live_comment") for name in ("1", "2", "4")]
    assert sorted(reports.processed()) == sorted(comments + [(name, "live_gift") for name in ("6", "7", "8")])


@virtual_time
async def test_reports_wait_while_the_platform_fails_and_come_once_it_answers() -> None:
    show = Show()
    async with show.lydia(), show.audience(gifts(0.1, 100)):
        show.network.away.add("/ack")
        await asyncio.sleep(60)
        assert not show.platform.acks
        show.network.away.clear()
        await asyncio.sleep(10)
    ids = [message["msg_id"] for report in show.platform.acks for message in report.messages]
    assert len(ids) == len(set(ids)) == 100


@virtual_time
async def test_a_report_that_the_platform_refuses_is_dropped_and_later_ones_are_sent() -> None:
    show = Show()
    reports = Reports(show)
    async with show.lydia():
        await show.gateway.accept([event("1", "a", text="hi", room="another")])
        await reports.turn("t", event("2", "a", text="hi"))
        await asyncio.sleep(5)
    ids = [message["msg_id"] for report in show.platform.acks for message in report.messages]
    assert ids == ["2"]


@virtual_time
async def test_reports_stop_when_they_are_switched_off_and_never_stop_the_room() -> None:
    show = Show(acks=False)
    async with show.lydia(), show.audience(gifts(0.1, 20)):
        await asyncio.sleep(10)
    assert not show.platform.acks
    show = Show()
    show.network.away.add("/ack")
    async with show.lydia(), show.audience(gifts(0.1, 20)):
        await asyncio.sleep(10)
    assert len(await gift_ids(show)) == 20
