"""The simulated platform keeps the documented rules, and breaks them only where it is told to."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any
from unittest.mock import ANY

import pytest
import yaml

from services.core.events import AudienceEvent, Chat, Like, Viewer
from services.core.settings import Settings
from services.core.virtual_time import virtual_time
from services.gateway.douyin_api import DouyinApi
from services.gateway.douyin_calls import DouyinError
from services.gateway.simulator.arguments import add_arguments, options_of
from services.gateway.simulator.audience import PROFILES, audience
from services.gateway.simulator.main import demo_settings
from services.gateway.simulator.options import Faults, Options
from tests.unit.gateway.show import Show
from tests.unit.gateway.test_douyin_calls import api_of
from tests.unit.gateway.test_douyin_service import gift_ids, gifts
from tests.unit.gateway.world import gift


def test_the_same_seed_gives_the_same_audience_and_another_seed_another() -> None:
    def start(seed: int) -> list[tuple[float, bytes]]:
        return [(at_s, event.SerializeToString()) for at_s, event in islice(audience(seed, "normal"), 2000)]

    assert start(1) == start(1)
    assert start(1) != start(2)


@pytest.mark.parametrize(
    ("profile", "least", "most"), [("quiet", 0.1, 1.2), ("normal", 1, 6), ("busy", 20, 60), ("cap", 300, 1800)]
)
def test_a_profile_keeps_its_pace_and_order(profile: str, least: float, most: float) -> None:
    seconds = {"quiet": 2000, "normal": 600, "busy": 60, "cap": 10}[profile]
    events = list(takewhile(lambda timed: timed[0] < seconds, audience(3, profile)))
    assert [at_s for at_s, _ in events] == sorted(at_s for at_s, _ in events)
    kinds = Counter(event.WhichOneof("kind") for _, event in events)
    assert least <= kinds["chat"] / seconds <= most
    assert kinds["like"] > kinds["chat"] > kinds["gift"]
    assert len({event.message_id for _, event in events}) == len(events)
    assert len({event.viewer.id for _, event in events}) <= PROFILES[profile].viewers


def test_a_burst_comes_back_with_about_two_hundred_and_fifty_comments_a_second() -> None:
    per_second = Counter[int]()
    for at_s, event in takewhile(lambda timed: timed[0] < 150, audience(3, "burst")):
        per_second[int(at_s)] += event.HasField("chat")
    assert sum(per_second[second] for second in range(90, 120)) / 30 > 220
    assert sum(per_second[second] for second in range(120, 150)) / 30 < 75  # at most 50, and scenes on top


def test_a_viewers_likes_are_told_once_in_two_seconds() -> None:
    last: dict[str, float] = {}
    for at_s, event in islice(audience(1, "busy"), 20_000):
        if event.HasField("like"):
            assert at_s - last.get(event.viewer.id, -2) >= 2
            last[event.viewer.id] = at_s
    assert len(last) > 1000


def test_the_audience_has_both_languages_combos_adverts_and_quarrels() -> None:
    events = [event for _, event in islice(audience(5, "busy"), 20_000)]
    texts = [event.chat.text for event in events if event.HasField("chat")]
    assert sum(text.isascii() for text in texts) > 1000
    assert sum(not text.isascii() for text in texts) > 1000
    assert any("ｗｅｃｈａｔ" in text for text in texts)
    assert any("闭嘴吧" in text for text in texts)
    given = [(event.viewer.id, event.gift.gift_id) for event in events if event.HasField("gift")]
    assert max(Counter(given).values()) >= 3


async def refused(show: Show, api: DouyinApi, code: int) -> None:
    with pytest.raises(DouyinError) as caught:
        await api.start_task(show.options.room_id, "live_gift")
    assert caught.value.code == code


@virtual_time
async def test_a_new_token_kills_the_old_one_after_five_minutes_and_itself_after_two_hours() -> None:
    show = Show()
    options = show.options

    def works(token: str) -> bool:
        answer = {"roomid": options.room_id, "appid": options.app_id, "msg_type": "live_gift"}
        try:
            show.platform.task_status(token, answer)
        except Exception as error:
            assert getattr(error, "code", None) == 40022
            return False
        return True

    def issue() -> str:
        return str(show.platform.issue_token(options.app_id, options.app_secret, "client_credential")["access_token"])

    old = issue()
    await asyncio.sleep(1000)
    new = issue()
    await asyncio.sleep(299)
    assert works(old)
    await asyncio.sleep(2)
    assert (works(old), works(new)) == (False, True)
    await asyncio.sleep(7200)
    assert not works(new)


@virtual_time
async def test_a_task_starts_only_in_a_live_room_with_the_game_mounted_and_the_ability_granted() -> None:
    show = Show()
    api = api_of(show)
    for change in ({"live": False}, {"mounted": False}, {"granted": False}):
        show.platform.set_room(**{"live": True, "mounted": True, "granted": True} | change)
        await refused(show, api, 5003019)
    with pytest.raises(DouyinError) as caught:
        await api.start_task("1999999999999999999", "live_gift")
    assert caught.value.code == 5003019


@virtual_time
async def test_calls_answer_in_their_own_spellings() -> None:
    show = Show()

    async def post(path: str, body: object, **headers: str) -> Any:
        return (await show.http.post(f"http://platform{path}", json=body, headers=headers)).json()

    wrong = await post("/api/apps/v2/token", {"appid": "x"})
    assert wrong == {"err_no": 40015, "err_tips": "bad appid", "data": {"access_token": "", "expires_in": 0}}
    options = show.options
    app = {"appid": options.app_id, "secret": options.app_secret, "grant_type": "client_credential"}
    assert (await post("/api/apps/v2/token", app | {"grant_type": "x"}))["err_no"] == 40020
    token = (await post("/api/apps/v2/token", app))["data"]["access_token"]
    info = await show.http.post(
        "http://platform/api/webcastmate/info", json={"token": options.launch_token}, headers={"x-token": token}
    )
    assert '"room_id":1214015683695250235' in info.text
    assert set(info.json()) == {"data"}
    assert set(await post("/api/webcastmate/info", {"token": "x"})) == {"errcode", "errmsg"}
    assert (await post("/api/live_data/task/start", {}, access_token=token))["err_no"] == 40023
    line = {"msg_id": "1", "msg_type": "live_gift", "client_time": 1705989099973}
    ack = {"room_id": options.room_id, "app_id": options.app_id, "ack_type": 1}
    for wrong in (
        {"data": [line]}, {"data": "{}"}, {"data": "["}, {"data": json.dumps([line | {"client_time": "now"}])},
        {"data": json.dumps([line | {"client_time": 1705989099}])}, {"data": json.dumps([{"msg_id": "1"}])},
        {"data": json.dumps([line]), "ack_type": 3}, {"data": json.dumps([line]), "room_id": "1"},
    ):  # fmt: skip
        assert (await post("/api/live_data/ack", ack | wrong, **{"access-token": token}))["err_no"] == 40001
    assert (await post("/api/live_data/ack", ack | {"data": json.dumps([line])}, **{"access-token": token})) == {
        "err_no": 0, "err_msg": "ok", "logid": ANY, "data": {},
    }  # fmt: skip
    assert len((await show.http.get("http://platform/simulator/acks")).json()) == 1


@virtual_time
async def test_failed_data_keeps_only_gifts_and_fans_club_in_pages_for_a_day() -> None:
    show = Show()
    api = api_of(show)
    for message_type in ("live_comment", "live_like", "live_gift", "live_fansclub"):
        for number in range(120):
            show.platform.keep_failed(message_type, json.dumps([gift(number)]))
    room = show.options.room_id
    assert await api.failed("1999999999999999999", "live_gift", 1) == ()
    assert [len(await api.failed(room, "live_gift", page)) for page in (1, 2, 3)] == [100, 20, 0]
    assert len(await api.failed(room, "live_fansclub", 1)) == 100
    with pytest.raises(DouyinError) as caught:
        await api.failed(room, "live_comment", 1)
    assert caught.value.code == 10001
    await asyncio.sleep(86_401)
    assert await api.failed(room, "live_gift", 1) == ()


@virtual_time
async def test_a_page_of_failed_data_after_the_last_is_an_error_where_that_fault_is_on() -> None:
    show = Show()
    ask = {"roomid": show.options.room_id, "appid": show.options.app_id, "msg_type": "live_gift", "page_size": "100"}
    issued = show.platform.issue_token(show.options.app_id, show.options.app_secret, "client_credential")
    headers = {"access-token": str(issued["access_token"])}

    async def code(page: int) -> int:
        answer = await show.http.get(
            "http://platform/api/live_data/task/fail_data/get", params=ask | {"page_num": str(page)}, headers=headers
        )
        return int(answer.json()["err_no"])

    await show.http.patch("http://platform/simulator/faults", json={"past_end": "10011"})
    assert (await code(1), await code(2)) == (0, 10011), "nothing has failed: that is an empty first page"
    for number in range(100):
        show.platform.keep_failed("live_gift", json.dumps([gift(number)]))
    assert (await code(1), await code(2)) == (0, 10011)
    show.platform.keep_failed("live_gift", json.dumps([gift(100)]))
    assert (await code(2), await code(3)) == (0, 10011)
    await show.http.patch("http://platform/simulator/faults", json={"past_end": "empty"})
    assert await code(3) == 0


def comments(*texts: str) -> Iterator[tuple[float, AudienceEvent]]:
    for index, text in enumerate(texts):
        event = AudienceEvent(message_id=str(index), viewer=Viewer(id="u", name="n"), chat=Chat(text=text))
        yield 5 + index * 0.01, event


@virtual_time
async def test_comments_are_filtered_by_whole_keywords_unless_switched_off() -> None:
    said = ("12", "51234", "123", "hello")
    for unfiltered, passed in ((False, ["51234", "123"]), (True, list(said))):
        show = Show(Options(keywords=("123",), unfiltered=unfiltered))
        async with show.lydia(), show.audience(comments(*said)):
            await asyncio.sleep(10)
        assert [event.chat.text for event in await show.bus.audience()] == passed
        assert show.pusher.counts["filtered"] == len(said) - len(passed)


@virtual_time
async def test_nothing_is_pushed_before_the_target_answers_a_head_request() -> None:
    show = Show()
    show.network.away.add("/push")
    async with show.lydia(), show.audience(gifts(1, 10)):
        await asyncio.sleep(60)
        assert not show.pusher.online
        assert show.pusher.counts["offered"] == 0
        show.network.away.clear()
        await asyncio.sleep(20)
        assert show.pusher.online
    assert len(await gift_ids(show)) == 10


@virtual_time
async def test_ten_failures_in_a_row_open_the_breaker_which_probes_after_a_while() -> None:
    show = Show(Options(unfiltered=True, breaker_s=20))
    async with show.lydia(), show.audience(gifts(1, 100)):
        await asyncio.sleep(10)
        show.bus.away = True
        await asyncio.sleep(8.5)
        assert not show.pusher.breaker.open
        await asyncio.sleep(5)
        assert show.pusher.breaker.open
        show.bus.away = False
        await asyncio.sleep(10)
        assert show.pusher.breaker.open
        await asyncio.sleep(70)
        assert not show.pusher.breaker.open
        counts = show.pusher.counts
        assert counts["failed"] == 10
        assert 18 <= counts["lost_breaker"] <= 20
        await asyncio.sleep(60)
    # What was refused is fetched; what the breaker discarded is gone for good; nothing comes twice.
    ids = await gift_ids(show)
    assert len(ids) == len(set(ids)) == 100 - counts["lost_breaker"]


@virtual_time
async def test_an_answer_later_than_two_seconds_is_a_failure_for_comments_and_three_for_gifts() -> None:
    for late_s, comment_ok, gift_ok in ((1.0, True, True), (2.5, False, True), (3.5, False, False)):
        show = Show()
        show.platform.room.tasks = {"live_comment": 3, "live_gift": 3}

        async def answer(scope: Any, _receive: Any, send: Any, late_s: float = late_s) -> None:
            if scope["method"] == "POST":
                await asyncio.sleep(late_s)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        show.network.hosts["lydia"] = answer
        async with show.audience(comments("hi")):
            await asyncio.sleep(15)
        assert (show.pusher.counts["delivered"] == 1) is comment_ok
        async with show.audience(gifts(1, 1)):
            await asyncio.sleep(15)
        assert (show.pusher.counts["delivered"] - comment_ok == 1) is gift_ok


def likes(number: int) -> Iterator[tuple[float, AudienceEvent]]:
    for index in range(number):
        event = AudienceEvent(message_id=str(index), viewer=Viewer(id="u", name="n"), like=Like(count=2))
        yield 5 + index * 0.0001, event


@virtual_time
async def test_more_than_a_hundred_pushes_a_second_are_lost() -> None:
    show = Show(Options(batch=1))
    async with show.lydia(), show.audience(likes(250)):
        await asyncio.sleep(10)
    assert (show.pusher.counts["delivered"], show.pusher.counts["lost_cap"]) == (100, 150)


@virtual_time
async def test_faults_are_checked_and_changed_while_it_runs() -> None:
    show = Show(Options(pipe_port=9000))
    changed = await show.http.patch("http://platform/simulator/faults", json={"duplicates": 0.5, "route": "both"})
    assert changed.json()["duplicates"] == 0.5
    for wrong in ({"duplicates": 5}, {"nonsense": 1}, {"route": "post"}):
        answer = await show.http.patch("http://platform/simulator/faults", json=wrong)
        assert (answer.status_code, "error" in answer.json()) == (422, True)
    without_pipe = await Show().http.patch("http://platform/simulator/faults", json={"route": "pipe"})
    assert (without_pipe.status_code, "pipe-port" in without_pipe.json()["error"]) == (422, True)
    assert show.pusher.faults == Faults(duplicates=0.5, route="both")
    await show.http.put("http://platform/simulator/room", json={"live": False})
    assert (await show.http.get("http://platform/simulator")).json()["room"]["live"] is False


@virtual_time
async def test_a_tester_can_act_as_a_viewer() -> None:
    show = Show()
    deeds: list[dict[str, Any]] = [
        {"text": "hi"}, {"gift_fen": 500}, {"likes": 3}, {"follow": True}, {"fans_club": True},
    ]  # fmt: skip
    async with show.lydia(), show.audience(gifts(1, 1)):
        await asyncio.sleep(8)
        for deed in deeds:
            answer = (await show.http.post("http://platform/simulator/events", json=deed)).json()
            assert (bool(answer["msg_id"]), answer["outcome"]) == (True, "waiting")
        await asyncio.sleep(1)
    kinds = [event.WhichOneof("kind") for event in await show.bus.audience()]
    assert sorted(map(str, kinds[1:])) == ["chat", "fans_club", "follow", "gift", "like"]


@virtual_time
async def test_a_tester_is_told_why_a_deed_reaches_nobody() -> None:
    show = Show(Options())
    for deed, outcome in (({"text": "hello"}, "no_task"), ({"text": "xyz"}, "filtered")):
        answer = await show.http.post("http://platform/simulator/events", json=deed)
        assert answer.json()["outcome"] == outcome
        show.platform.room.tasks["live_comment"] = 3
    for wrong in ({}, {"text": ""}, {"text": "hi", "likes": 1}, {"gift_fen": 2**70}, {"viewer": "", "follow": True}):
        assert (await show.http.post("http://platform/simulator/events", json=wrong)).status_code == 422


@virtual_time
async def test_room_info_is_refused_when_the_ability_is_not_granted() -> None:
    show = Show()
    show.platform.set_room(live=True, mounted=True, granted=False)
    with pytest.raises(DouyinError) as caught:
        await api_of(show).room_of(show.options.launch_token)
    assert caught.value.code == 40002


@virtual_time
async def test_internal_errors_of_the_platform_delay_but_lose_nothing() -> None:
    show = Show(Options(unfiltered=True, faults=Faults(system_errors=0.5)))
    show.platform.keep_failed("live_gift", json.dumps([gift(1)]))
    async with show.lydia(), show.audience(gifts(10, 10)):
        await asyncio.sleep(4)
        show.platform.keep_failed("live_fansclub", json.dumps([{"msg_id": "f1", "sec_openid": "u"}]))
        await asyncio.sleep(600)
        assert all(show.platform.pushes(name) for name in show.options.push_secrets)
    events = await show.bus.audience()
    assert {"g1", "f1"} <= {event.message_id for event in events}
    calls = show.network.count("/token")
    assert calls >= 1


@virtual_time
async def test_it_says_why_its_pushes_failed() -> None:
    show = Show(Options(unfiltered=True, faults=Faults(bad_signature=1)))
    async with show.lydia(), show.audience(gifts(1, 3)):
        await asyncio.sleep(10)
    assert show.pusher.refusals == {"live_gift: 401 signature": 3}


def test_the_command_line_sets_every_option() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert options_of(parser.parse_args([])) == Options()
    arguments = [
        "--profile", "busy", "--seed", "7", "--keyword", "a", "--keyword", "b", "--unfiltered", "--pipe-port", "9000",
        "--room-id", "1999", "--fault", "duplicates=0.1", "--fault", "seconds", "--fault", "route=both",
    ]  # fmt: skip
    options = options_of(parser.parse_args(arguments))
    assert options == Options(
        profile="busy", seed=7, keywords=("a", "b"), unfiltered=True, pipe_port=9000, room_id="1999",
        faults=Faults(duplicates=0.1, seconds=True, route="both"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--fault", "duplicates=2"], "--fault duplicates: .*less than or equal to 1"),
        (["--fault", "typo=1"], "--fault typo: there is no such fault; there are duplicates, "),
        (["--fault", "route=["], "--fault route: .*'webhook', 'pipe' or 'both'"),
        (["--fault", "route=pipe"], "--fault route=pipe needs pipe-port"),
        (["--room-id", "lydia"], "--room-id must be digits"),
        (["--room-id", "１２"], "--room-id must be digits"),
        (["--room-id", "9223372036854775808"], "--room-id must be digits"),
        (["--target", "localhost"], "--target must be an address like http"),
        (["--port", "99999"], "--port must be from 1 to 65535"),
        (["--pipe-port", "0"], "--pipe-port must be from 1 to 65535"),
        (["--batch", "0"], "--batch must be from 1"),
        (["--breaker-s", "-1"], "--breaker-s must be from 0"),
        (["--breaker-s", "nan"], "--breaker-s must be from 0"),
        (["--keyword", ""], "--keyword must not be empty"),
    ],
)
def test_a_wrong_option_is_refused_with_what_it_must_be(wrong: list[str], says: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(ValueError, match=says):
        options_of(parser.parse_args(wrong))


def test_the_demo_settings_are_valid_settings_of_lydia() -> None:
    options = Options()
    settings = Settings.model_validate(demo_settings(options))
    assert settings.room == options.room_id == settings.douyin.rooms[0]
    assert settings.douyin.gifts["SIMULATEDGIFT0001=="].name == "仙女棒"


@virtual_time
async def test_the_platform_hands_out_the_settings_with_which_lydia_plays_in_it() -> None:
    show = Show(Options(pipe_port=9000))
    text = (await show.http.get("http://platform/simulator/settings")).text
    assert Settings.model_validate(yaml.safe_load(text)) == Settings.model_validate(demo_settings(show.options))
