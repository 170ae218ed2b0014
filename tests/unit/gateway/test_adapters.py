"""Each adapter keeps the contract of all, and reads its own platform's spellings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.core.events import AudienceEvent, FansClub, Follow
from services.core.ids import SeededIds
from services.gateway.direct import Direct
from services.gateway.douyin_items import Items, PipeItems, WebhookItems
from services.gateway.platform import Adapter, Incoming, Parsed, Unreadable
from tests.unit.gateway.adapter_contract import RECEIVED_MS, AdapterContract
from tests.unit.gateway.world import GIFTS, comment, gift


class TestDouyinWebhook(AdapterContract):
    message_type = "live_comment"

    def adapter(self) -> Adapter:
        return WebhookItems(Items(GIFTS))

    def one(self, message_id: str, text: object, *, viewer: object = "u1", name: object = "Mei") -> dict[str, Any]:
        return {"msg_id": message_id, "sec_openid": viewer, "nickname": name, "content": text, "timestamp": 1}

    def many(self, items: list[object]) -> object:
        return items


class TestDouyinFailedData(TestDouyinWebhook):
    def adapter(self) -> Adapter:
        return WebhookItems(Items(GIFTS), transport="fail_data")


class TestDouyinWebhookInItsObjectForm(TestDouyinWebhook):
    def many(self, items: list[object]) -> object:
        return {"roomid": "room", "msg_type": "live_comment", "payload": json.dumps(items)}


class TestDouyinPipe(AdapterContract):
    def adapter(self) -> Adapter:
        return PipeItems(Items(GIFTS))

    def one(self, message_id: str, text: object, *, viewer: object = "u1", name: object = "Mei") -> dict[str, Any]:
        item = {"msg_id": message_id, "sec_open_id": viewer, "nickname": name, "content": text}
        return item | {"msg_type": 2, "msg_type_str": "live_comment"}

    def many(self, items: list[object]) -> object:
        return {"type": "event", "eventName": "OPEN_LIVE_DATA", "params": {"payload": items}}


class TestDirect(AdapterContract):
    batches = False

    def adapter(self) -> Adapter:
        return Direct(SeededIds(1))

    def one(self, message_id: str, text: object, *, viewer: object = "u1", name: object = "Mei") -> dict[str, Any]:
        return {"id": message_id, "viewer": {"id": viewer, "name": name}, "text": text}

    def many(self, items: list[object]) -> object:
        return items[0]


def webhook(message_type: str, *items: object) -> Parsed:
    return WebhookItems(Items(GIFTS)).parse(Incoming("7", json.dumps(items).encode(), RECEIVED_MS, message_type))


def only(parsed: Parsed) -> AudienceEvent:
    assert not parsed.bad, parsed.bad[0].reason
    (event,) = parsed.events
    return event


def pipe(*items: object) -> Parsed:
    line = {"type": "event", "eventName": "OPEN_LIVE_DATA", "params": {"payload": items}}
    return PipeItems(Items(GIFTS)).parse(Incoming("7", json.dumps(line).encode(), RECEIVED_MS))


def test_a_gift_keeps_the_value_of_the_whole_message_and_gets_its_name_from_the_table() -> None:
    event = only(webhook("live_gift", gift(1, gift_num=3, gift_value=30, test=True, audience_sec_open_id="guest")))
    assert (event.gift.gift_id, event.gift.name) == ("FAKEGIFTID0001==", "仙女棒")
    assert (event.gift.count, event.gift.value_fen, event.gift.receiver_id) == (3, 30, "guest")
    assert event.test


def test_a_gift_the_table_does_not_know_has_no_name() -> None:
    event = only(webhook("live_gift", gift(1, sec_gift_id="UNLISTED==", gift_value=990)))
    assert (event.gift.name, event.gift.value_fen, event.test) == ("", 990, False)


@pytest.mark.parametrize("value", [12, "12", " 12 ", "+12", 12.0])
def test_numbers_may_be_text(value: object) -> None:
    assert only(webhook("live_like", {"msg_id": "1", "sec_openid": "u", "like_num": value})).like.count == 12


@pytest.mark.parametrize("value", ["xxxx", "", None, 0, -1, 2**32, 1.5, True, [], "1e3", "١٢", 1e400, 10**400])
def test_a_count_that_is_none_makes_a_bad_item(value: object) -> None:
    body = json.dumps([{"msg_id": "1", "sec_openid": "u", "like_num": value}])
    parsed = WebhookItems(Items(GIFTS)).parse(Incoming("7", body.encode(), RECEIVED_MS, "live_like"))
    assert len(parsed.bad) == 1


@pytest.mark.parametrize("value", [-1, 2**63, "much", {}])
def test_a_senseless_gift_value_makes_a_bad_item(value: object) -> None:
    assert len(webhook("live_gift", gift(1, gift_value=value)).bad) == 1


@pytest.mark.parametrize(
    ("value", "expected_ms"),
    [
        (1757000000123, 1757000000123),
        (1649068964, 1649068964000),
        ("1757000000123", 1757000000123),
        ("1649068964", 1649068964000),
        (None, RECEIVED_MS),
        ("yesterday", RECEIVED_MS),
        (-5, RECEIVED_MS),
        (10**18, RECEIVED_MS),
    ],
)
def test_time_stamps_in_seconds_or_as_text_are_understood(value: object, expected_ms: int) -> None:
    assert only(webhook("live_comment", comment(1, timestamp=value))).occurred_at_ms == expected_ms


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1, FansClub.REASON_LEVEL_UP),
        (2, FansClub.REASON_JOINED),
        ("2", FansClub.REASON_JOINED),
        (16, FansClub.REASON_LEFT),
        (99, FansClub.REASON_UNSPECIFIED),
    ],
)
def test_fans_club_reasons(number: object, reason: FansClub.Reason) -> None:
    item = {"msg_id": "1", "sec_openid": "u", "fansclub_reason_type": number, "fansclub_level": 4}
    event = only(webhook("live_fansclub", item))
    assert (event.fans_club.reason, event.fans_club.level, event.viewer.fans_club_level) == (reason, 4, 4)


@pytest.mark.parametrize("field", ["user_follow_action", "use_follow_action"])
def test_following_in_both_spellings(field: str) -> None:
    actions = [
        only(webhook("live_follow", {"msg_id": "1", "sec_openid": "u", field: number})).follow.action
        for number in (1, 2, 3, 9)
    ]
    assert actions == [
        Follow.ACTION_FOLLOWED, Follow.ACTION_UNFOLLOWED, Follow.ACTION_FOLLOWED_BACK, Follow.ACTION_UNSPECIFIED,
    ]  # fmt: skip


@pytest.mark.parametrize("message_type", ["live_enter", "live_user_enter_leave", "live_enter_room"])
def test_entering_under_every_name_and_in_both_spellings(message_type: str) -> None:
    snake = only(webhook(message_type, {"msg_id": "1", "sec_openid": "u", "nickname": "n", "enter_room_type": 2}))
    camel = only(webhook(message_type, {"MsgId": "1", "SecOpenId": "u", "NickName": "n", "EnterRoomType": 1}))
    assert (snake.enter.left, camel.enter.left, camel.viewer.name) == (True, False, "n")


def test_a_bad_item_names_the_field_as_the_platform_spells_it() -> None:
    (bad,) = webhook("live_gift", gift(1, sec_gift_id=None)).bad
    assert bad.reason == "live_gift: sec_gift_id must be a text of 1 to 256 characters"


def test_a_number_as_message_id_stays_exact() -> None:
    assert only(webhook("live_comment", comment(1, msg_id=7250000000000000001))).message_id == "7250000000000000001"


def test_an_avatar_that_is_no_web_address_is_left_out() -> None:
    assert only(webhook("live_comment", comment(1, avatar_url="javascript:alert(1)"))).viewer.avatar_url == ""


@pytest.mark.parametrize(("name", "value"), [("roomid", "8"), ("msg_type", "live_gift")])
def test_the_object_form_must_not_contradict_the_signed_headers(name: str, value: str) -> None:
    body = {"roomid": "7", "msg_type": "live_comment", "payload": "[]"} | {name: value}
    with pytest.raises(Unreadable, match=name):
        WebhookItems(Items({})).parse(Incoming("7", json.dumps(body).encode(), RECEIVED_MS, "live_comment"))


def test_the_plugins_items_carry_levels_but_no_gift_value() -> None:
    levels = {"user_privilege_level": 7, "fansclub_level": 3}
    sent = {"msg_id": "1", "sec_open_id": "u", "nickname": "Carol", "sec_gift_id": "FAKEGIFTID0001==", "gift_num": 4}
    event = only(pipe({**sent, **levels, "msg_type": 3, "msg_type_str": "live_gift"}))
    assert (event.viewer.level, event.viewer.fans_club_level) == (7, 3)
    assert (event.gift.count, event.gift.value_fen, event.gift.name) == (4, 40, "仙女棒")


def test_the_plugins_types_are_known_by_number_too() -> None:
    item = {"msg_id": "1", "sec_open_id": "u", "content": "x", "like_num": 1, "sec_gift_id": "g", "gift_num": 1}
    kinds = [only(pipe({**item, "msg_type": number})).WhichOneof("kind") for number in (1, 2, 3, 4, 5, 7)]
    assert kinds == ["like", "chat", "gift", "fans_club", "follow", "enter"]
    assert pipe({**item, "msg_type": 6}).unknown == 1


def test_what_is_no_event_of_the_plugin_is_ignored() -> None:
    adapter = PipeItems(Items({}))
    for line in ({"type": "response", "reqId": "1"}, {"type": "event", "eventName": "OTHER", "params": {}}):
        assert adapter.parse(Incoming("7", json.dumps(line).encode(), RECEIVED_MS)).unknown == 1


def test_one_message_by_three_routes_is_one_event() -> None:
    by_pipe = only(pipe({"msg_id": "1", "sec_open_id": "u", "content": "x", "msg_type_str": "live_comment"}))
    by_webhook = only(webhook("live_comment", comment(1, msg_id="1")))
    assert by_pipe.event_id == by_webhook.event_id
    assert {by_pipe.transport, by_webhook.transport} == {"pipe", "webhook"}
