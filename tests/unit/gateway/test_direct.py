"""Messages over plain HTTP: for the page, for scripts, for bridges of other platforms."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from services.core.events import AudienceEvent
from services.core.virtual_time import virtual_time
from services.gateway.platform import event_id
from tests.unit.gateway.world import World, gift

MEI = {"id": "u1", "name": "Mei"}


async def send(world: World, body: object, *, room: str = "lydia", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.http.post(f"/rooms/{room}/messages", content=content, headers=sent)


async def only_event(world: World) -> AudienceEvent:
    (event,) = await world.bus.audience()
    return event


@virtual_time
async def test_a_message_is_on_the_bus_when_its_id_is_answered() -> None:
    world = World()
    answer = await send(world, {"viewer": MEI, "text": "  hello\n Lydia "})
    assert answer.status_code == 202
    event = await only_event(world)
    assert answer.json() == {"event_id": event.event_id}
    assert (event.room_id, event.platform, event.transport) == ("lydia", "direct", "http")
    assert (event.chat.text, event.viewer.id, event.viewer.name, event.test) == ("hello Lydia", "u1", "Mei", False)


@virtual_time
async def test_a_message_with_an_id_may_be_sent_again() -> None:
    world = World()
    answers = [await send(world, {"id": "m1", "viewer": MEI, "text": "hello"}) for _ in range(2)]
    assert [answer.json()["event_id"] for answer in answers] == [event_id("direct", "lydia", "m1")] * 2
    assert (await only_event(world)).message_id == "m1"


@virtual_time
async def test_messages_without_an_id_are_all_different() -> None:
    world = World()
    answers = [await send(world, {"viewer": MEI, "text": "hello"}) for _ in range(2)]
    assert len({answer.json()["event_id"] for answer in answers}) == 2


@pytest.mark.parametrize(
    ("deed", "kind"),
    [
        ({"gift": {"name": "Rose", "count": 3, "value_fen": 300}}, "gift"),
        ({"like": {"count": 5}}, "like"),
        ({"follow": {}}, "follow"),
        ({"enter": {}}, "enter"),
    ],
)
def test_simulated_deeds_are_marked_as_a_test(deed: dict[str, Any], kind: str) -> None:
    @virtual_time
    async def run() -> None:
        world = World()
        assert (await send(world, {"viewer": MEI} | deed)).status_code == 202
        event = await only_event(world)
        assert (event.WhichOneof("kind"), event.test) == (kind, True)
        if kind == "gift":
            assert (event.gift.name, event.gift.count, event.gift.value_fen) == ("Rose", 3, 300)

    run()


@pytest.mark.parametrize(
    "body",
    [
        {}, [], "x", 7, None,
        {"viewer": MEI}, {"viewer": MEI, "text": None}, {"viewer": MEI, "text": ""}, {"viewer": MEI, "text": "\x00 \n"},
        {"viewer": MEI, "text": 7}, {"viewer": MEI, "text": {}}, {"viewer": "Mei", "text": "hi"}, {"text": "hi"},
        {"viewer": {"name": "Mei"}, "text": "hi"}, {"viewer": {"id": ""}, "text": "hi"},
        {"viewer": MEI, "text": "hi", "gift": {}}, {"viewer": MEI, "gift": {"count": 0}}, {"viewer": MEI, "gift": 1},
        {"viewer": MEI, "gift": {"value_fen": -1}}, {"viewer": MEI, "like": {"count": "many"}},
        {"id": {}, "viewer": MEI, "text": "hi"}, {"id": "x" * 300, "viewer": MEI, "text": "hi"},
    ],
)  # fmt: skip
def test_a_senseless_message_is_refused_with_the_reason(body: object) -> None:
    @virtual_time
    async def run() -> None:
        world = World()
        answer = await send(world, body)
        assert (answer.status_code, answer.json()["error"]) == (400, "bad_message")
        assert answer.json()["message"]
        assert await world.bus.audience() == []

    run()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"viewer": {}, "text": "hi"}, "viewer.id must be a text of 1 to 256 characters"),
        ({"id": [], "viewer": MEI, "text": "hi"}, "id must be a text of 1 to 256 characters"),
        ({"viewer": MEI, "text": ""}, "text must be a text that is not empty"),
        ({"viewer": MEI, "gift": {"value_fen": -1}}, "gift.value_fen must be a whole number of fen, 0 or more"),
        ({"viewer": MEI, "like": {"count": 0}}, "like.count must be a whole number from 1 to 4294967295"),
        ({"viewer": MEI}, "exactly one of text, gift, like, follow, enter is needed"),
    ],
)
def test_a_refusal_names_the_field_as_it_is_written_and_what_it_must_be(body: object, says: str) -> None:
    @virtual_time
    async def run() -> None:
        assert (await send(World(), body)).json()["message"] == says

    run()


@virtual_time
async def test_an_empty_text_beside_a_gift_does_not_make_the_gift_real() -> None:
    world = World()
    assert (await send(world, {"viewer": MEI, "text": None, "gift": {"value_fen": 100_000}})).status_code == 202
    assert (await only_event(world)).test


@virtual_time
async def test_other_refusals_have_their_own_answers() -> None:
    world = World()
    good = {"viewer": MEI, "text": "hi"}
    for answer, status, error in (
        (await send(world, b"{", room="lydia"), 400, "unreadable"),
        (await send(world, good, content_type="text/plain"), 415, "content_type"),
        (await send(world, {**good, "text": "x" * 20_000}), 413, "too_large"),
    ):
        assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert (await send(world, good, room="a%20b")).status_code == 422
    world.bus.away = True
    assert (await send(world, good)).status_code == 503
    assert await world.bus.audience() == []


@virtual_time
async def test_a_charset_beside_the_content_type_is_fine() -> None:
    world = World()
    answer = await send(world, {"viewer": MEI, "text": "hi"}, content_type="application/json; charset=utf-8")
    assert answer.status_code == 202


@virtual_time
async def test_with_a_token_only_who_knows_it_may_write() -> None:
    world = World(message_token="open sesame")
    good = {"viewer": MEI, "text": "hi"}
    for authorization in ("", "open sesame", "Bearer open", "Basic open sesame"):
        answer = await send(world, good, authorization=authorization)
        assert (answer.status_code, answer.json()["error"]) == (401, "token")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await send(world, good, authorization="bearer open sesame")).status_code == 202


@virtual_time
async def test_when_all_rooms_are_taken_a_new_one_is_refused() -> None:
    world = World(max_rooms=1)
    good = {"viewer": MEI, "text": "hi"}
    assert (await send(world, good, room="one")).status_code == 202
    answer = await send(world, good, room="two")
    assert (answer.status_code, answer.json()["error"]) == (503, "rooms_full")
    assert (await send(world, good, room="one")).status_code == 202


@virtual_time
async def test_rooms_that_anybody_makes_up_give_way_to_pushed_and_named_ones_the_longest_silent_first() -> None:
    world = World(max_rooms=3, named=["lydia"])
    good = {"viewer": MEI, "text": "hi"}
    for room in ("a", "b", "c"):
        assert (await send(world, good, room=room)).status_code == 202
    assert (await send(world, good, room="a")).status_code == 202
    assert (await world.push("live_gift", [gift(1)], room="1")).json()["accepted"] == 1
    assert (await send(world, good, room="lydia")).status_code == 202
    assert [(await send(world, good, room=room)).status_code for room in ("a", "b", "c")] == [202, 503, 503]
    assert (await world.push("live_gift", [gift(1)], room="2")).json()["accepted"] == 1
    assert (await send(world, good, room="a")).status_code == 503
    full = await world.push("live_gift", [gift(1)], room="3")
    assert (full.status_code, full.json()["error"]) == (503, "rooms_full"), "of pushed rooms no more than the bound"


@virtual_time
async def test_a_message_to_a_pushed_room_does_not_make_it_one_that_gives_way() -> None:
    world = World(max_rooms=1)
    assert (await world.push("live_gift", [gift(1)], room="1")).status_code == 200
    assert (await send(world, {"viewer": MEI, "text": "hi"}, room="1")).status_code == 202
    assert (await world.push("live_gift", [gift(1)], room="2")).status_code == 503


@virtual_time
async def test_rooms_of_messages_with_the_token_do_not_give_way() -> None:
    world = World(max_rooms=1, message_token="open sesame")
    good = {"viewer": MEI, "text": "hi"}
    assert (await send(world, good, room="one", authorization="Bearer open sesame")).status_code == 202
    assert (await world.push("live_gift", [gift(1)], room="1")).status_code == 503
