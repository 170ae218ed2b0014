"""A push is taken when it is authentic, fresh and new, and answered only when the bus has its events."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator

import httpx
import pytest

from services.core.bus import BusUnavailable
from services.core.clock import LoopClock
from services.core.state import MemoryState, StateUnavailable
from services.core.state.port import Change, Lease
from services.core.virtual_time import virtual_time
from services.gateway.http import MAX_DISCARDED_BYTES, MAX_PUSH_BYTES, PUSH_PATH, PUSHES_AT_ONCE, WAIT_S
from tests.unit.gateway.test_signature import NAMES, VECTORS
from tests.unit.gateway.world import ROOM, World, comment, gift


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "message"}
    assert body["message"]
    return answer.status_code, body["error"]


@virtual_time
async def test_a_right_push_is_on_the_bus_when_it_is_answered() -> None:
    world = World()
    answer = await world.push("live_comment", [comment(1, "唱首歌吧"), comment(2, "hi")])
    assert answer.status_code == 200
    assert answer.json() == {"err_no": 0, "accepted": 2, "duplicates": 0, "rejected": 0, "unknown": 0, "shed": 0}
    first, second = await world.bus.audience()
    assert (first.chat.text, second.chat.text) == ("唱首歌吧", "hi")
    assert (first.room_id, first.platform, first.transport) == (ROOM, "douyin", "webhook")
    assert first.viewer.name == "小明"


@virtual_time
async def test_the_signature_vectors_are_accepted_at_their_time() -> None:
    for name, kinds in (("a comment", ["chat"]), ("gifts with separators, quotes and an emoji", ["gift", "gift"])):
        values, body, _, signature = VECTORS[name]
        headers = dict(zip(NAMES, values, strict=True)) | {"x-signature": signature}
        assert refusal(await World().post(body, headers)) == (401, "stale")
        world = World(start_ms=int(headers["x-timestamp"]) + 290_000)
        assert (await world.post(body, headers)).status_code == 200
        events = await world.bus.audience()
        assert [event.WhichOneof("kind") for event in events] == kinds
    assert (events[0].viewer.name, events[0].test, events[0].gift.value_fen) == ('A&B="c"', True, 30)
    assert events[1].viewer.name == "😀"


@virtual_time
async def test_one_changed_byte_is_refused() -> None:
    world = World()
    body = json.dumps([comment(1)]).encode()
    headers = world.headers("live_comment", body)
    assert refusal(await world.post(body.replace(b"user1", b"user2"), headers)) == (401, "signature")
    assert refusal(await world.post(body + b" ", headers)) == (401, "signature")
    assert await world.bus.audience() == []


@virtual_time
async def test_another_types_secret_is_refused() -> None:
    world = World()
    assert refusal(await world.push("live_gift", [gift(1)], secret="test-secret-comment")) == (401, "signature")


@virtual_time
async def test_a_time_stamp_outside_the_window_is_refused_on_both_sides() -> None:
    world = World()
    now = world.clock.now_ms()
    for off_ms, right in ((-301_000, False), (-299_000, True), (299_000, True), (301_000, False)):
        answer = await world.push("live_comment", [comment(off_ms)], timestamp=str(now + off_ms))
        assert (answer.status_code == 200) is right, off_ms
    assert refusal(await world.push("live_comment", [comment(1)], timestamp="soon")) == (401, "stale")


@virtual_time
async def test_a_repeated_push_is_refused_as_long_as_its_time_stamp_could_be_fresh() -> None:
    world = World()
    body = json.dumps([comment(1)]).encode()
    headers = world.headers("live_comment", body, timestamp=str(world.clock.now_ms() + 299_000))
    assert (await world.post(body, headers)).status_code == 200
    assert refusal(await world.post(body, headers)) == (401, "replayed")
    await asyncio.sleep(597)
    assert refusal(await world.post(body, headers)) == (401, "replayed")
    await asyncio.sleep(10)
    assert refusal(await world.post(body, headers)) == (401, "stale")


@virtual_time
async def test_two_gateways_share_the_memory_of_pushes() -> None:
    one = World()
    other = World(state=one.state)
    body = json.dumps([comment(1)]).encode()
    headers = one.headers("live_comment", body)
    assert (await one.post(body, headers)).status_code == 200
    assert refusal(await other.post(body, headers)) == (401, "replayed")


@virtual_time
async def test_two_pushes_may_have_the_same_nonce() -> None:
    world = World()
    assert (await world.push("live_comment", [comment(1)], nonce="123456")).status_code == 200
    assert (await world.push("live_gift", [gift(1)], nonce="123456")).json()["accepted"] == 1
    assert (await world.push("live_comment", [comment(1), comment(2)], nonce="123456")).json()["duplicates"] == 1


@pytest.mark.parametrize("missing", [*NAMES, "x-signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    @virtual_time
    async def run() -> None:
        world = World()
        headers = world.headers("live_comment", b"[]")
        del headers[missing]
        answer = await world.post(b"[]", headers)
        assert refusal(answer) == (401, "missing_header")
        assert missing in answer.json()["message"]

    run()


@virtual_time
async def test_a_header_sent_twice_cannot_smuggle_another_room_past_the_signature() -> None:
    world = World()
    body = json.dumps([comment(1)]).encode()
    headers = [("x-roomid", "another"), *world.headers("live_comment", body).items()]
    answer = await world.http.post(PUSH_PATH, content=body, headers=headers)
    assert refusal(answer) == (401, "signature")


@virtual_time
async def test_a_known_type_without_a_secret_says_which_setting_is_missing() -> None:
    world = World(secrets={"live_comment": "test-secret-comment"})
    answer = await world.push("live_gift", [gift(1)])
    assert refusal(answer) == (401, "no_secret")
    assert "douyin.push_secrets.live_gift" in answer.json()["message"]


@virtual_time
async def test_without_any_secret_the_push_address_says_what_to_set() -> None:
    answer = await World(secrets={}).push("live_gift", [gift(1)])
    assert refusal(answer) == (404, "not_configured")
    assert "douyin.push_secrets" in answer.json()["message"]


@virtual_time
async def test_an_unknown_type_is_answered_with_success_counted_and_otherwise_ignored() -> None:
    for world, unknown in ((World(), 1), (World(secrets={"live_team": "default"}), 2)):
        answer = await world.push("live_team", [{"anything": 1}, {}])
        assert (answer.status_code, answer.json()["unknown"]) == (200, unknown)
        assert await world.bus.audience() == []
        assert await world.bus.dead() == []


@virtual_time
async def test_both_names_of_entering_use_one_secret() -> None:
    world = World()
    item = {"msg_id": "e1", "sec_openid": "u", "nickname": "n", "enter_room_type": 2}
    assert (await world.push("live_user_enter_leave", [item], secret="test-secret-enter")).status_code == 200
    assert (await world.push("live_enter", [item | {"msg_id": "e2", "enter_room_type": 1}])).status_code == 200
    assert [event.enter.left for event in await world.bus.audience()] == [True, False]


@virtual_time
async def test_head_is_answered_and_get_is_not() -> None:
    world = World()
    assert (await world.http.head(PUSH_PATH)).status_code == 200
    assert (await world.http.get(PUSH_PATH)).status_code == 405


@pytest.mark.parametrize("body", [b"", b"{", b"[{]", b'{"a":1}', b"null", b"7", b'"x"', b"[" * 5000, b"\xff\xfe[]"])
def test_an_unreadable_body_is_refused_and_kept(body: bytes) -> None:
    @virtual_time
    async def run() -> None:
        world = World()
        assert refusal(await world.push("live_comment", body)) == (400, "unreadable")
        (letter,) = await world.bus.dead()
        assert letter.value == body
        assert letter.headers["lydia_reason"].startswith("live_comment: ")

    run()


@virtual_time
async def test_a_bad_item_goes_to_the_dead_letters_and_its_neighbours_are_taken() -> None:
    world = World()
    bad: list[object] = [
        {"msg_id": "x"},
        None,
        7,
        [],
        gift(3, gift_num="many"),
        gift(4, gift_num=0),
        gift(5, msg_id=None),
    ]
    answer = await world.push("live_gift", [gift(1), *bad, gift(2)])
    assert answer.json() == {"err_no": 0, "accepted": 2, "duplicates": 0, "rejected": 7, "unknown": 0, "shed": 0}
    assert [event.message_id for event in await world.bus.audience()] == ["g1", "g2"]
    letters = await world.bus.dead()
    assert [json.loads(letter.value) for letter in letters] == bad
    assert all(letter.headers["lydia_reason"].startswith("live_gift: ") for letter in letters)


@virtual_time
async def test_a_body_of_ten_megabytes_is_refused_and_not_held() -> None:
    world = World()
    body = b"[" + b" " * 10_000_000 + b"]"
    headers = world.headers("live_comment", body)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    tracemalloc.start()
    answer = await world.http.post(PUSH_PATH, content=chunks(), headers=headers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refusal(answer) == (413, "too_large")
    assert answer.headers["connection"] == "close"
    assert peak < 2.5 * MAX_PUSH_BYTES


@virtual_time
async def test_an_endless_body_is_cut_off() -> None:
    world = World()
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    headers = world.headers("live_comment", b"")
    answer = await world.http.post(PUSH_PATH, content=endless(), headers=headers)
    assert refusal(answer) == (413, "too_large")
    assert sent <= MAX_PUSH_BYTES + MAX_DISCARDED_BYTES + 2 * 65_536


@virtual_time
async def test_ten_thousand_items_are_taken() -> None:
    world = World()
    answer = await world.push("live_comment", [comment(number) for number in range(10_000)])
    assert (answer.status_code, answer.json()["accepted"]) == (200, 10_000)
    assert [event.message_id for event in await world.bus.audience()] == [f"c{number}" for number in range(10_000)]


@virtual_time
async def test_a_body_that_does_not_come_in_time_is_given_up_within_two_seconds() -> None:
    world = World()

    async def slow() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(60)
        yield b"]"

    begin = world.clock.monotonic()
    answer = await world.http.post(
        PUSH_PATH, content=slow(), headers=world.headers("live_comment", b"[]"), timeout=None
    )
    assert refusal(answer) == (503, "too_slow")
    assert world.clock.monotonic() - begin < 2


@virtual_time
async def test_a_bus_that_is_away_gives_503_and_the_same_push_passes_afterwards() -> None:
    world = World()
    world.bus.away = True
    body = json.dumps([gift(1)]).encode()
    headers = world.headers("live_gift", body)
    answer = await world.post(body, headers)
    assert refusal(answer) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert world.failed_rooms == [ROOM]
    world.bus.away = False
    assert (await world.post(body, headers)).json()["accepted"] == 1
    assert len(await world.bus.audience()) == 1


@virtual_time
async def test_a_bus_that_dawdles_gives_503_within_two_seconds() -> None:
    world = World()
    world.bus.delay_s = 30
    begin = world.clock.monotonic()
    assert refusal(await world.push("live_gift", [gift(1)])) == (503, "unavailable")
    assert world.clock.monotonic() - begin < 2


@virtual_time
async def test_a_state_that_is_away_gives_503() -> None:
    world = World()

    async def first_time(key: str, *, ttl_s: int) -> bool:
        raise StateUnavailable(f"{key} for {ttl_s}")

    world.state.first_time = first_time  # type: ignore[method-assign]
    assert refusal(await world.push("live_gift", [gift(1)])) == (503, "unavailable")
    assert world.failed_rooms == [ROOM]


class HangingState(MemoryState):
    """As Redis behaves when it takes commands and does not answer."""

    hangs = False

    async def first_time(self, key: str, *, ttl_s: int) -> bool:
        fresh = await super().first_time(key, ttl_s=ttl_s)
        await self._hang()
        return fresh

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        await self._hang()
        await super().apply(*changes, held=held)

    async def _hang(self) -> None:
        end = asyncio.get_running_loop().time() + 2
        while self.hangs:
            if asyncio.get_running_loop().time() > end:
                raise StateUnavailable("no answer within 2 s")
            await asyncio.sleep(0.1)


@virtual_time
async def test_a_state_that_hangs_gives_503_within_two_seconds_and_the_same_push_passes_afterwards() -> None:
    state = HangingState(LoopClock())
    world = World(state=state)
    state.hangs = True
    body = json.dumps([gift(1)]).encode()
    headers = world.headers("live_gift", body)
    begin = world.clock.monotonic()
    assert refusal(await world.post(body, headers)) == (503, "too_slow")
    assert world.clock.monotonic() - begin < 2
    assert world.failed_rooms == [ROOM]
    state.hangs = False
    await asyncio.sleep(1)
    assert (await world.post(body, headers)).json()["accepted"] == 1


@virtual_time
async def test_a_room_too_many_is_refused_until_another_falls_silent() -> None:
    world = World(max_rooms=2)
    for room in ("1", "2"):
        assert (await world.push("live_comment", [comment(1)], room=room)).status_code == 200
    assert refusal(await world.push("live_comment", [comment(1)], room="3")) == (503, "rooms_full")
    assert (await world.push("live_comment", [comment(2)], room="2")).status_code == 200
    await asyncio.sleep(1795)
    assert (await world.push("live_comment", [comment(3)], room="2")).status_code == 200
    await asyncio.sleep(10)
    assert (await world.push("live_comment", [comment(1)], room="3")).status_code == 200


@virtual_time
async def test_a_room_name_that_is_none_is_refused() -> None:
    world = World()
    for room in ("../x", "a b", "x" * 65):
        assert refusal(await world.push("live_comment", [comment(1)], room=room)) == (400, "bad_room")


@virtual_time
async def test_refusals_are_counted_by_reason() -> None:
    world = World()
    await world.push("live_comment", [comment(1)], secret="wrong")
    await world.push("live_comment", [{}])
    count = world.telemetry.metrics.registry.get_sample_value
    assert count("lydia_gateway_refused_total", {"platform": "douyin", "reason": "signature"}) == 1
    assert count("lydia_gateway_refused_total", {"platform": "douyin", "reason": "bad_item"}) == 1


@virtual_time
async def test_a_bus_failure_between_two_parts_of_a_large_push_loses_and_doubles_nothing() -> None:
    world = World()
    items = [gift(number) for number in range(1200)]
    publish, world.bus.publishes = world.bus.publish, 0

    async def second_fails(*records: object) -> None:
        if world.bus.publishes == 1:
            world.bus.publishes += 1
            raise BusUnavailable("for a moment")
        await publish(*records)  # type: ignore[arg-type]

    world.bus.publish = second_fails  # type: ignore[method-assign]
    assert (await world.push("live_gift", items)).status_code == 503
    answer = await world.push("live_gift", items)
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (700, 500)
    events = await world.bus.audience()
    assert [event.message_id for event in events] == [f"g{number}" for number in range(1200)]


@virtual_time
async def test_neither_a_secret_nor_the_right_signature_is_in_an_answer() -> None:
    world = World()
    body = json.dumps([comment(1)]).encode()
    headers = world.headers("live_comment", body)
    right = headers["x-signature"]
    answer = await world.post(body, headers | {"x-signature": right[::-1]})
    assert answer.status_code == 401
    assert "test-secret" not in answer.text
    assert right not in answer.text


@virtual_time
async def test_more_pushes_than_can_be_worked_on_are_refused_soon_and_pass_afterwards() -> None:
    state = HangingState(LoopClock())
    world = World(state=state)
    state.hangs = True
    pushes = [json.dumps([gift(number)]).encode() for number in range(PUSHES_AT_ONCE + 1)]
    headers = [world.headers("live_gift", body) for body in pushes]
    async with asyncio.TaskGroup() as group:
        for body, named in zip(pushes[:-1], headers[:-1], strict=True):
            group.create_task(world.post(body, named))
        await asyncio.sleep(0.1)
        begin = world.clock.monotonic()
        refused = await world.post(pushes[-1], headers[-1])
        assert (refusal(refused), refused.headers["retry-after"]) == ((503, "busy"), "1")
        assert world.clock.monotonic() - begin == pytest.approx(WAIT_S)
        state.hangs = False
    assert (await world.post(pushes[-1], headers[-1])).status_code == 200
    assert len(await world.bus.audience()) == PUSHES_AT_ONCE + 1
