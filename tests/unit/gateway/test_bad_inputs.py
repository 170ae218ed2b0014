"""100,000 generated bad inputs, no two alike: nothing crashes, every answer is a documented one, nothing is lost.

What an adapter finds nothing wrong with is tried, but not counted among them.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import httpx

from services.core.ids import SeededIds
from services.core.virtual_time import virtual_time
from services.gateway.direct import Direct
from services.gateway.douyin_items import KNOWN, Items, PipeItems, WebhookItems
from services.gateway.http import PUSH_PATH
from services.gateway.platform import Adapter, Incoming, Unreadable
from tests.unit.gateway.world import GIFTS, World, comment, gift

BAD = 100_000
POSTED = 5_000
TYPES = (*sorted(KNOWN), "live_team", "", "LIVE_GIFT", "💥")
ATOMS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 2**31, 2**53 + 1, 2**63, 10**30, 1.5, 1e308, float("nan"), float("inf"),
    "", "0", "-1", "9" * 30, "abc", "true", " 12 ", "\uff11\uff12", "\ud800", "\x00\x1b[31m", "\u202egnp.exe",
    "\U0001f469\u200d\U0001f467", "\u00e9" * 300, "x" * 3000, [], {}, [[]], {"": ""}, "[{}]", "null", '{"a":',
    "../../etc", "<script>", "%s%n", "'; --",
)  # fmt: skip
NAMES = (
    "msg_id", "sec_openid", "sec_open_id", "SecOpenId", "nickname", "avatar_url", "timestamp", "content", "sec_gift_id",
    "gift_num", "gift_value", "like_num", "test", "fansclub_reason_type", "fansclub_level", "user_follow_action",
    "enter_room_type", "msg_type", "msg_type_str", "user_privilege_level", "roomid", "payload", "type", "eventName",
    "params", "id", "viewer", "text", "gift", "like", "name", "count", "value_fen", "\ud800", "",
)  # fmt: skip


class Mess:
    """Seeded bad inputs: wrong types everywhere, broken JSON, broken bytes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        chance = self.chance
        roll = chance.random()
        if depth > 3 or roll < 0.6:
            return chance.choice(ATOMS)
        if roll < 0.75:
            return [self.value(depth + 1) for _ in range(chance.randrange(4))]
        return {chance.choice(NAMES): self.value(depth + 1) for _ in range(chance.randrange(6))}

    def item(self) -> Any:
        """Nearly right: an item of which some fields went wrong."""
        chance = self.chance
        item: Any = dict(chance.choice((comment, gift))(chance.randrange(1000)))
        for _ in range(chance.randrange(4)):
            item[chance.choice(NAMES)] = self.value()
        return item if chance.random() < 0.9 else self.value()

    def body(self, *shapes: str) -> bytes:
        """Of one of the shapes, most often of the first."""
        chance = self.chance
        shape = shapes[0] if chance.random() < 0.7 else chance.choice((*shapes, "value", "bytes", "deep"))
        match shape:
            case "array":
                thing: Any = [self.item() for _ in range(chance.randrange(4))]
            case "object":
                thing = {"roomid": chance.choice(("1", 1, None)), "payload": json.dumps([self.item()])}
            case "line":
                params = {"payload": [self.item(), self.value()]}
                thing = {"type": "event", "eventName": "OPEN_LIVE_DATA", "params": params}
            case "message":
                viewer: Any = {"id": "u1", "name": self.value()} if chance.random() < 0.7 else self.value()
                thing = {"viewer": viewer, "text": self.value(), chance.choice(NAMES): self.value()}
            case "bytes":
                return chance.randbytes(chance.randrange(60))
            case "deep":
                return b"[" * chance.choice((10, 500, 20_000)) + b"{"
            case _:
                thing = self.value()
        raw = json.dumps(thing, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        if chance.random() < 0.3:
            at = chance.randrange(len(raw) + 1)
            raw = raw[:at] + chance.randbytes(chance.randrange(3)) + raw[at + chance.randrange(4) :]
        return raw


def test_parsing_never_fails_in_an_unforeseen_way() -> None:
    mess, seen, tried = Mess(1), Counter[str](), set[int]()
    items, ids = Items(GIFTS), SeededIds(1)
    adapters: tuple[tuple[Adapter, tuple[str, ...]], ...] = (
        (WebhookItems(items), ("array", "object", "line")),
        (WebhookItems(items, transport="fail_data"), ("array", "object", "message")),
        (PipeItems(items), ("line", "array")),
        (Direct(ids), ("message", "line")),
    )
    while seen["bad"] < BAD:
        number = mess.chance.randrange(len(adapters))
        adapter, shapes = adapters[number]
        body, message_type = mess.body(*shapes), mess.chance.choice(TYPES)
        if (same := hash((number, message_type, body))) in tried:
            seen["again"] += 1
            continue
        tried.add(same)
        try:
            parsed = adapter.parse(Incoming("1", body, 1_767_225_600_000, message_type))
        except Unreadable:
            seen["unreadable"] += 1
            seen["bad"] += 1
            continue
        seen["bad" if parsed.bad or parsed.unknown else "nothing wrong"] += 1
        seen["events"] += len(parsed.events)
        seen["bad items"] += len(parsed.bad)
        seen["unknown"] += parsed.unknown
        for event in parsed.events:
            assert event.SerializeToString()
            assert event.message_id
            assert event.viewer.id
        for bad in parsed.bad:
            json.loads(bad.raw)
    print(f"{BAD} bad inputs parsed: {dict(seen)}")  # noqa: T201
    assert min(seen["unreadable"], seen["events"], seen["bad items"], seen["unknown"]) > 10_000


@virtual_time
async def test_every_answer_over_http_is_a_documented_one() -> None:
    mess, seen = Mess(2), Counter[tuple[str, int, str]]()
    world = World(max_rooms=5)
    kept = accepted = 0
    for number in range(POSTED):
        chance = mess.chance
        body = mess.body("array", "object", "line") if number % 3 else mess.body("message", "line")
        if number % 3:
            message_type = chance.choice(TYPES).encode().decode("latin-1")
            headers = world.headers(
                message_type, body, room="1" if chance.random() < 0.9 else chance.choice(("", "a b", "é"))
            )
            if chance.random() < 0.2:
                headers[chance.choice(list(headers))] = chance.choice(("", "é", "0", "9" * 40, "x" * 500))
            answer = await world.http.post(PUSH_PATH, content=body, headers=encoded(headers))
            name = "push"
        else:
            headers = {"content-type": chance.choice(("application/json", "text/html", ""))}
            answer = await world.http.post("/rooms/1/messages", content=body, headers=encoded(headers))
            name = "message"
        error = answer.json().get("error", "")
        seen[name, answer.status_code, error] += 1
        if name == "push" and answer.status_code == 200:
            kept += answer.json()["rejected"]
            accepted += answer.json()["accepted"]
        accepted += answer.status_code == 202
        kept += name == "push" and error == "unreadable"
    print(f"{POSTED} bad requests answered: {dict(seen)}")  # noqa: T201
    assert set(seen) <= {
        ("push", 200, ""), ("push", 400, "unreadable"), ("push", 400, "bad_room"), ("push", 401, "signature"),
        ("push", 401, "missing_header"), ("push", 401, "stale"), ("push", 401, "replayed"),
        ("message", 202, ""), ("message", 400, "unreadable"), ("message", 400, "bad_message"),
        ("message", 415, "content_type"), ("message", 413, "too_large"),
    }  # fmt: skip
    assert len(await world.bus.dead()) == kept > 100
    assert len(await world.bus.audience()) == accepted > 100


def encoded(headers: dict[str, str]) -> httpx.Headers:
    """Headers as a careless client sends them."""
    return httpx.Headers([(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()])
