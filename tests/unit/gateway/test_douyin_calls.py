"""Lydia's calls to the platform: tokens, errors, limits, exact room ids."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from services.core.clock import LoopClock
from services.core.state import MemoryState, StateUnavailable
from services.core.state.port import Change, Lease, Put
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from services.gateway.douyin_api import DouyinApi, TaskStatus
from services.gateway.douyin_calls import MENDS, UNREACHABLE, Calls, DouyinError
from services.gateway.douyin_token import Tokens
from tests.unit.gateway.show import Network, Show


def api_of(show: Show, **changed: str) -> DouyinApi:
    settings = show.settings
    calls = Calls(show.http, show.clock, Telemetry("test"))
    assert settings.app_secret is not None
    given = {"app_id": settings.app_id, "app_secret": settings.app_secret.get_secret_value(), **changed}
    tokens = Tokens(calls, show.state, show.clock, url=settings.token_url, **given)
    return DouyinApi(calls, tokens, app_id=given["app_id"], url=settings.api_url)


@virtual_time
async def test_the_room_id_of_a_launch_token_stays_exact() -> None:
    show = Show()
    room_id = await api_of(show).room_of(show.options.launch_token)
    assert room_id == "1214015683695250235"
    assert int(float(room_id)) != int(room_id)


@virtual_time
async def test_a_launch_token_dies_after_half_an_hour() -> None:
    show = Show()
    await asyncio.sleep(1801)
    with pytest.raises(DouyinError) as caught:
        await api_of(show).room_of(show.options.launch_token)
    assert caught.value.code == 40001
    assert "30 minutes" in str(caught.value)


@virtual_time
async def test_tasks_can_be_started_asked_for_and_stopped() -> None:
    show, room = Show(), Show().options.room_id
    api = api_of(show)
    assert await api.task_status(room, "live_gift") is TaskStatus.ABSENT
    assert await api.start_task(room, "live_gift")
    assert await api.start_task(room, "live_gift")
    assert await api.task_status(room, "live_gift") is TaskStatus.RUNNING
    await api.stop_task(room, "live_gift")
    assert await api.task_status(room, "live_gift") is TaskStatus.STOPPED


@pytest.mark.parametrize(("changed", "code"), [({"app_id": "tt-wrong"}, 40015), ({"app_secret": "wrong"}, 40017)])
def test_a_wrong_app_is_told_with_its_mend(changed: dict[str, str], code: int) -> None:
    @virtual_time
    async def run() -> None:
        show = Show()
        with pytest.raises(
            DouyinError, match=f"({code}): {MENDS[code]}".replace("(", r"\(").replace(")", r"\)")
        ) as caught:
            await api_of(show, **changed).task_status(show.options.room_id, "live_gift")
        assert caught.value.code == code

    run()


@virtual_time
async def test_a_room_that_is_not_live_is_told_in_words() -> None:
    show = Show()
    show.platform.set_room(live=False, mounted=True, granted=True)
    with pytest.raises(DouyinError, match="mount the game"):
        await api_of(show).start_task(show.options.room_id, "live_gift")


@virtual_time
async def test_concurrent_calls_share_one_fetch_of_the_token() -> None:
    show = Show()
    api = api_of(show)
    await asyncio.gather(*(api.task_status(show.options.room_id, "live_gift") for _ in range(20)))
    assert show.network.count("/token") == 1


@virtual_time
async def test_the_token_is_replaced_hourly_and_no_call_ever_fails() -> None:
    show = Show()
    api = api_of(show)
    for _ in range(6 * 60):
        await api.task_status(show.options.room_id, "live_gift")
        await asyncio.sleep(60)
    assert show.network.count("/token") == 6


@virtual_time
async def test_a_token_fetched_elsewhere_kills_ours_after_five_minutes_and_nobody_notices() -> None:
    show = Show()
    api = api_of(show)
    await api.task_status(show.options.room_id, "live_gift")
    options = show.options
    show.platform.issue_token(options.app_id, options.app_secret, "client_credential")
    await asyncio.sleep(299)
    await api.task_status(options.room_id, "live_gift")
    assert show.network.count("/token") == 1
    await asyncio.sleep(2)
    await api.task_status(options.room_id, "live_gift")
    assert show.network.count("/token") == 2


@virtual_time
async def test_gateways_share_one_token_through_the_state() -> None:
    show = Show()
    apis = [api_of(show), api_of(show)]
    for _ in range(200):
        for api in apis:
            await api.task_status(show.options.room_id, "live_gift")
        await asyncio.sleep(60)
    assert show.network.count("/token") == 4


@virtual_time
async def test_while_the_token_address_is_away_the_old_token_serves_until_it_dies() -> None:
    show = Show()
    api = api_of(show)
    await api.task_status(show.options.room_id, "live_gift")
    show.network.away.add("/token")
    await asyncio.sleep(7000)
    assert await api.task_status(show.options.room_id, "live_gift") is TaskStatus.ABSENT
    await asyncio.sleep(300)
    with pytest.raises(DouyinError) as caught:
        await api.task_status(show.options.room_id, "live_gift")
    assert caught.value.code == UNREACHABLE
    show.network.away.clear()
    assert await api.task_status(show.options.room_id, "live_gift") is TaskStatus.ABSENT


class LostState(MemoryState):
    """A state that can be taken away."""

    lost = False

    async def get(self, key: str) -> bytes | None:
        if self.lost:
            raise StateUnavailable("lost")
        return await super().get(key)

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        if self.lost:
            raise StateUnavailable("lost")
        await super().apply(*changes, held=held)


@virtual_time
async def test_while_the_state_is_away_tokens_are_fetched_hourly_all_the_same_and_shared_again_afterwards() -> None:
    show = Show()
    show.state = state = LostState(show.clock)
    state.lost = True
    api = api_of(show)
    for _ in range(3 * 60):
        await api.task_status(show.options.room_id, "live_gift")
        await asyncio.sleep(60)
    assert show.network.count("/token") == 3
    state.lost = False
    await api.task_status(show.options.room_id, "live_gift")
    assert show.network.count("/token") == 4
    await api_of(show).task_status(show.options.room_id, "live_gift")
    assert show.network.count("/token") == 4


@pytest.mark.parametrize("stored", [b"", b"[]", b"{}", b'{"value": 1, "later": 2}', b"\xff"])
def test_a_stored_token_that_cannot_be_read_is_replaced(stored: bytes) -> None:
    @virtual_time
    async def run() -> None:
        show = Show()
        await show.state.apply(Put(f"douyin:{show.options.app_id}:token", stored))
        assert await api_of(show).task_status(show.options.room_id, "live_gift") is TaskStatus.ABSENT

    run()


@virtual_time
async def test_calls_stay_below_the_documented_rate() -> None:
    show = Show()
    api = api_of(show)
    begin = show.clock.monotonic()
    await asyncio.gather(*(api.task_status(show.options.room_id, "live_gift") for _ in range(41)))
    assert show.clock.monotonic() - begin == pytest.approx(5, abs=0.01)


@virtual_time
async def test_called_too_often_all_the_same_the_error_is_told() -> None:
    show = Show()
    apis = [api_of(show), api_of(show)]
    calls = [api.task_status(show.options.room_id, "live_gift") for api in apis for _ in range(10)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, DouyinError)]
    assert {error.code for error in refused} == {40007}


def strange(answer: Response, issued: str = "t") -> tuple[Network, FastAPI]:
    app, network = FastAPI(), Network()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def any_call(request: Request) -> Response:
        if request.url.path.endswith("token"):
            return Response(json.dumps({"err_no": 0, "data": {"access_token": issued, "expires_in": 7200}}))
        return answer

    network.hosts["platform"] = app
    return network, app


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, "{}", UNREACHABLE),
        (200, "no json", UNREACHABLE),
        (200, "[]", UNREACHABLE),
        (200, '{"data": []}', UNREACHABLE),
        (200, '{"data": {"status": 9}}', UNREACHABLE),
        (200, '{"data": {"status": {}}}', UNREACHABLE),
        (200, "[" * 100_000, UNREACHABLE),
        (200, '{"err_no": ' + "9" * 5000 + "}", UNREACHABLE),
        (502, "<html>", UNREACHABLE),
        (500, "{}", UNREACHABLE),
        (200, '{"errcode": 40002, "errmsg": "no"}', 40002),
        (200, '{"error_code": -1}', -1),
        (200, '{"errno": 50001}', 50001),
        (200, '{"err_no": "x"}', UNREACHABLE),
    ],
)
def test_strange_answers_are_errors_and_nothing_worse(status: int, body: str, code: int) -> None:
    @virtual_time
    async def run() -> None:
        network, _ = strange(Response(body, status))
        clock = LoopClock()
        calls = Calls(httpx.AsyncClient(transport=network), clock, Telemetry("test"))
        tokens = Tokens(
            calls, MemoryState(clock), clock, app_id="a", app_secret="s", url="http://platform/api/apps/v2/token"
        )
        api = DouyinApi(calls, tokens, app_id="a", url="http://platform/")
        with pytest.raises(DouyinError) as caught:
            await api.task_status("1", "live_gift")
        assert caught.value.code == code

    run()


@virtual_time
async def test_a_token_that_fits_in_no_header_is_an_error_and_nothing_worse() -> None:
    network, _ = strange(Response('{"data": {"status": 3}}'), issued="\u00e9")
    clock = LoopClock()
    calls = Calls(httpx.AsyncClient(transport=network), clock, Telemetry("test"))
    tokens = Tokens(
        calls, MemoryState(clock), clock, app_id="a", app_secret="s", url="http://platform/api/apps/v2/token"
    )
    with pytest.raises(DouyinError, match="token"):
        await DouyinApi(calls, tokens, app_id="a", url="http://platform/").task_status("1", "live_gift")


@virtual_time
async def test_a_call_without_an_answer_is_given_up() -> None:
    show = Show()
    api = api_of(show)
    await api.task_status(show.options.room_id, "live_gift")

    show.network.silent.add("/task/get")
    begin = show.clock.monotonic()
    with pytest.raises(DouyinError, match="TimeoutError"):
        await api.task_status(show.options.room_id, "live_gift")
    assert show.clock.monotonic() - begin <= 6
