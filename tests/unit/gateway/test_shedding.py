"""What is left out when more comes than can be chosen from: nothing paid for, and nothing without being counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from services.core import topics
from services.core.clock import LoopClock
from services.core.events import AudienceEvent, Chat, Enter, FansClub, Follow, Gift, Like, Viewer
from services.core.settings import Gateway as Settings
from services.core.state import MemoryState, State, StateUnavailable
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from services.gateway.service import Gateway, Receipt
from services.gateway.shedding import AHEAD_S, BURST_S, LATE_S, LOOK_S, READER, Shedding
from tests.unit.gateway.world import TroubledBus, World, comment, gift

RATES = Settings(room_per_s=2, all_per_s=6, behind=100)
ROOM_BURST, ALL_BURST = int(2 * BURST_S), int(6 * BURST_S)


def event(number: int, room: str, **kind: Any) -> AudienceEvent:
    return AudienceEvent(
        event_id=f"{room} {number}", room_id=room, platform="p", received_at_ms=1, viewer=Viewer(id="u"), **kind
    )


def chats(count: int, room: str = "r", first: int = 0) -> list[AudienceEvent]:
    return [event(number, room, chat=Chat(text="hi")) for number in range(first, first + count)]


def gateway(state: State | None = None) -> tuple[Gateway, TroubledBus, Telemetry]:
    clock, bus, telemetry = LoopClock(), TroubledBus(), Telemetry("gateway")
    shedding = Shedding(RATES, bus, state or MemoryState(clock), clock, telemetry.metrics)
    return Gateway(bus, clock, telemetry, shedding), bus, telemetry


def shed(telemetry: Telemetry, lane: str, reason: str) -> float:
    labels = {"lane": lane, "reason": reason}
    return telemetry.metrics.registry.get_sample_value("lydia_gateway_shed_total", labels) or 0.0


@virtual_time
async def test_a_room_may_say_a_bursts_worth_at_once_and_its_rate_from_then_on() -> None:
    into, bus, telemetry = gateway()
    assert await into.accept(chats(100)) == Receipt(ROOM_BURST, 0, 100 - ROOM_BURST)
    await asyncio.sleep(3)
    assert await into.accept(chats(100, first=100)) == Receipt(6, 0, 94)
    assert len(await bus.audience()) == ROOM_BURST + 6
    assert shed(telemetry, "chat", "room_busy") == 200 - ROOM_BURST - 6


@virtual_time
async def test_what_was_paid_for_always_passes() -> None:
    into, bus, _ = gateway()
    await into.accept(chats(100))
    paid = [event(number, "r", gift=Gift(name="heart", count=1)) for number in range(1000, 1300)]
    paid.append(event(1300, "r", fans_club=FansClub(reason=FansClub.REASON_JOINED)))
    assert await into.accept(paid) == Receipt(len(paid), 0, 0)
    assert [one.event_id for one in await bus.audience()][ROOM_BURST:] == [one.event_id for one in paid]


@virtual_time
async def test_likes_take_no_room_from_messages() -> None:
    into, _, telemetry = gateway()
    likes = [event(number, "r", like=Like(count=1)) for number in range(1000, 1100)]
    assert (await into.accept(likes)).accepted == ROOM_BURST
    assert (await into.accept(chats(5))).accepted == 5
    assert shed(telemetry, "ambient", "room_busy") == 100 - ROOM_BURST


@virtual_time
async def test_the_rooms_own_staff_is_always_heard() -> None:
    into, _, _ = gateway()
    await into.accept(chats(100))
    from_staff = chats(2, first=100)
    from_staff[0].viewer.is_moderator = from_staff[1].viewer.is_anchor = True
    assert await into.accept(from_staff) == Receipt(2, 0, 0)


@virtual_time
async def test_of_messages_that_come_together_those_pass_that_she_would_rather_choose() -> None:
    into, bus, _ = gateway()
    await into.accept(chats(ROOM_BURST - 3))
    texts = ("哈哈", "@小明 你好", "Lydia，你喜欢什么颜色？", "666", "什么时候唱歌？")
    said = [event(number, "r", chat=Chat(text=text)) for number, text in enumerate(texts, 1000)]
    assert (await into.accept(said)).accepted == 3
    assert [one.chat.text for one in await bus.audience()][-3:] == [texts[0], texts[2], texts[4]]


@virtual_time
async def test_who_follows_passes_before_who_likes_and_that_before_who_left() -> None:
    into, bus, _ = gateway()
    await into.accept([event(number, "r", like=Like(count=1)) for number in range(ROOM_BURST - 2)])
    kinds: list[dict[str, Any]] = [
        {"enter": Enter(left=True)}, {"like": Like(count=1)}, {"follow": Follow(action=Follow.ACTION_FOLLOWED)}
    ]  # fmt: skip
    await into.accept([event(number, "r", **kind) for number, kind in enumerate(kinds, 1000)])
    assert [one.WhichOneof("kind") for one in await bus.audience()][-2:] == ["like", "follow"]


@virtual_time
async def test_a_rooms_rate_is_that_of_all_gateways_together() -> None:
    state = MemoryState(LoopClock())
    gateways = [gateway(state)[0] for _ in range(3)]
    receipts = await asyncio.gather(*(into.accept(chats(6, first=n * 6)) for n, into in enumerate(gateways)))
    assert sum(receipt.accepted for receipt in receipts) == ROOM_BURST


BUSY = Settings(room_per_s=20, all_per_s=500, behind=100_000)


@asynccontextmanager
async def taking_ahead(state: State, *, gateways: int = 1) -> AsyncIterator[list[Gateway]]:
    """Gateways that take allowances of their rooms ahead."""
    clock, bus, made = LoopClock(), TroubledBus(), []
    async with asyncio.TaskGroup() as tasks:
        runs = []
        for _ in range(gateways):
            telemetry = Telemetry("gateway")
            shedding = Shedding(BUSY, bus, state, clock, telemetry.metrics)
            runs.append(tasks.create_task(shedding.run()))
            made.append(Gateway(bus, clock, telemetry, shedding))
        yield made
        for run in runs:
            run.cancel()


@virtual_time
async def test_a_message_of_a_calm_room_does_not_wait_for_the_state() -> None:
    clock = LoopClock()

    class Slow(MemoryState):
        async def take(self, key: str, number: int, *, per_s: float, most: float) -> int:
            await asyncio.sleep(0.1)
            return await super().take(key, number, per_s=per_s, most=most)

    async with taking_ahead(Slow(clock)) as (into,):
        waited = []
        for number in range(20):
            asked = clock.monotonic()
            assert (await into.accept(chats(1, first=number))).accepted == 1
            waited.append(clock.monotonic() - asked)
            await asyncio.sleep(0.2)
    assert waited == [pytest.approx(0.1)] + [0.0] * 19


@virtual_time
async def test_gateways_that_take_ahead_let_in_no_more_together_than_a_room_may() -> None:
    state = MemoryState(LoopClock())
    async with taking_ahead(state, gateways=3) as gateways:
        accepted = 0
        for second in range(30):
            receipts = [await into.accept(chats(50, first=(3 * second + n) * 50)) for n, into in enumerate(gateways)]
            accepted += sum(receipt.accepted for receipt in receipts)
            await asyncio.sleep(1)
    most = BUSY.room_per_s * (BURST_S + 30)
    assert most - 3 * AHEAD_S * BUSY.room_per_s - 20 <= accepted <= most


@virtual_time
async def test_while_the_state_is_away_or_hangs_each_gateway_counts_for_itself() -> None:
    clock, asked = LoopClock(), 0

    class Away(MemoryState):
        async def take(self, key: str, number: int, *, per_s: float, most: float) -> int:
            nonlocal asked
            asked += 1
            await asyncio.sleep(60 * (asked > 1))
            raise StateUnavailable(f"{number} of {most} of {key}, {per_s}")

    into, _, _ = gateway(Away(clock))
    begin = clock.monotonic()
    assert [(await into.accept(chats(7, first=n * 7))).accepted for n in range(3)] == [7, ROOM_BURST - 7, 0]
    await asyncio.sleep(1)
    assert (await into.accept(chats(7, first=100))).accepted == 2
    assert clock.monotonic() - begin < 1.5
    assert asked == 2, "not at every event"


@virtual_time
async def test_a_busy_room_takes_no_room_from_others_until_all_are_too_many() -> None:
    into, _, telemetry = gateway()
    await into.accept(chats(100, "busy"))
    others = [one for room in ("a", "b", "c") for one in chats(ROOM_BURST, room)]
    assert await into.accept(others) == Receipt(ALL_BURST - ROOM_BURST, 0, len(others) - ALL_BURST + ROOM_BURST)
    assert shed(telemetry, "chat", "all_busy") == len(others) - ALL_BURST + ROOM_BURST


@virtual_time
async def test_a_repetition_of_what_was_taken_is_none_too_many_and_what_was_shed_may_come_again() -> None:
    into, _, _ = gateway()
    first = chats(ROOM_BURST + 4)
    await into.accept(first)
    assert await into.accept(first) == Receipt(0, ROOM_BURST, 4)
    await asyncio.sleep(2)
    assert await into.accept(first) == Receipt(4, ROOM_BURST, 0)


@virtual_time
async def test_who_pushes_is_told_how_many_were_left_out_and_who_writes_one_message_to_try_again() -> None:
    world = World(rates=RATES)
    items = [{"msg_id": str(number), "sec_openid": "u", "content": "hi"} for number in range(50)]
    answer = await world.push("live_comment", items)
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["shed"]) == (ROOM_BURST, 50 - ROOM_BURST)
    write = partial(world.http.post, "/rooms/r/messages")
    answers: list[httpx.Response] = [
        await write(json={"viewer": {"id": "u", "name": "Mei"}, "text": "hi"}) for _ in range(ROOM_BURST + 1)
    ]
    assert [one.status_code for one in answers] == [202] * ROOM_BURST + [429]
    assert answers[-1].json()["error"] == "busy"
    assert answers[-1].headers["retry-after"] == "1"
    gift = {"viewer": {"id": "u"}, "gift": {"name": "heart", "count": 1, "value_fen": 10}}
    assert (await write(json=gift)).status_code == 202


@virtual_time
async def test_while_audience_is_far_behind_only_what_was_paid_for_is_taken_and_then_everything_again() -> None:
    clock, bus, telemetry = LoopClock(), TroubledBus(), Telemetry("gateway")
    shedding = Shedding(RATES, bus, MemoryState(clock), clock, telemetry.metrics)
    into = Gateway(bus, clock, telemetry, shedding)
    gifts = [event(number, "r", gift=Gift(name="heart", count=1)) for number in range(200)]
    async with bus.consume(topics.AUDIENCE, group=READER) as audience:
        watch = asyncio.create_task(shedding.run())
        assert await into.accept(gifts[:101]) == Receipt(101, 0, 0)
        await asyncio.sleep(2 * LOOK_S)
        assert await into.accept([*chats(3, first=1000), *gifts[101:]]) == Receipt(99, 0, 3)
        assert shed(telemetry, "chat", "audience_behind") == 3
        left = 200
        async for delivery in audience:
            delivery.done()
            left -= 1
            if left == 0:
                break
        await asyncio.sleep(2 * LOOK_S)
        assert await into.accept(chats(3, first=2000)) == Receipt(3, 0, 0)
        watch.cancel()


@virtual_time
async def test_how_far_audience_was_behind_holds_on_while_the_bus_does_not_say() -> None:
    clock, bus, telemetry = LoopClock(), TroubledBus(), Telemetry("gateway")
    shedding = Shedding(RATES, bus, MemoryState(clock), clock, telemetry.metrics)
    async with bus.consume(topics.AUDIENCE, group=READER):
        watch = asyncio.create_task(shedding.run())
        into = Gateway(bus, clock, telemetry, shedding)
        await into.accept([event(number, "r", gift=Gift(name="heart", count=1)) for number in range(101)])
        await asyncio.sleep(2 * LOOK_S)
        bus.lag_away = True
        await asyncio.sleep(5 * LOOK_S)
        assert await shedding.admitted(chats(1)) == []
        assert not watch.done()
        watch.cancel()


@virtual_time
async def test_a_slow_bus_is_not_given_what_would_only_be_chosen_from_and_many_at_once_are_no_reason() -> None:
    world = World(rates=Settings())
    together = [asyncio.create_task(world.push("live_comment", [comment(number)])) for number in range(30)]
    assert [answer.json()["accepted"] for answer in await asyncio.gather(*together)] == [1] * 30
    world.bus.delay_s = 2 * LATE_S
    gifts = [asyncio.create_task(world.push("live_gift", [gift(number)])) for number in range(30)]
    await asyncio.sleep(1.5 * LATE_S)
    left_out = await world.push("live_comment", [comment(101), comment(102)])
    assert left_out.json()["shed"] == 2
    assert shed(world.telemetry, "chat", "gateway_behind") == 2
    written = await world.http.post("/rooms/r/messages", json={"viewer": {"id": "u", "name": "Mei"}, "text": "hi"})
    assert written.status_code == 202, "only platforms are in a hurry"
    answers = [answer.json() for answer in await asyncio.gather(*gifts)]
    assert [answer["accepted"] for answer in answers] == [1] * len(gifts)
    world.bus.delay_s = 0.0
    assert (await world.push("live_comment", [comment(101)])).json()["accepted"] == 1


@virtual_time
async def test_what_is_left_out_is_not_even_read_and_what_may_have_been_paid_for_is() -> None:
    world = World(rates=Settings())
    world.bus.delay_s = 4 * LATE_S
    slow = asyncio.create_task(world.push("live_gift", [gift(1)]))
    await asyncio.sleep(1.5 * LATE_S)
    for crowd in ("live_comment", "live_like"):
        answer = (await world.push(crowd, [{"no": "event"}, 7])).json()
        assert (answer["shed"], answer["rejected"]) == (2, 0), crowd
    for paid in ("live_gift", "live_fansclub"):
        answer = (await world.push(paid, [{"no": "event"}, 7])).json()
        assert (answer["shed"], answer["rejected"]) == (0, 2), paid
    assert (await slow).json()["accepted"] == 1


@virtual_time
async def test_a_push_that_is_alone_is_not_late_however_long_the_state_takes() -> None:
    class Slow(MemoryState):
        async def first_time(self, key: str, *, ttl_s: int) -> bool:
            await asyncio.sleep(2 * LATE_S)
            return await super().first_time(key, ttl_s=ttl_s)

    world = World(rates=Settings(), state=Slow(LoopClock()))
    for number in range(3):
        answer = (await world.push("live_comment", [comment(number)])).json()
        assert (answer["accepted"], answer["shed"]) == (1, 0)
        await asyncio.sleep(30)


@pytest.mark.parametrize("counted", ["in the state", "alone"])
@pytest.mark.parametrize("slow", ["room_per_s", "all_per_s"])
@virtual_time
async def test_of_a_rate_however_slow_one_passes_after_a_calm(slow: str, counted: str) -> None:
    class Away(MemoryState):
        async def take(self, key: str, number: int, *, per_s: float, most: float) -> int:
            raise StateUnavailable(f"{number} of {most} of {key}, {per_s}")

    clock, bus, telemetry = LoopClock(), TroubledBus(), Telemetry("gateway")
    state = Away(clock) if counted == "alone" else MemoryState(clock)
    into = Gateway(
        bus, clock, telemetry, Shedding(Settings.model_validate({slow: 0.1}), bus, state, clock, telemetry.metrics)
    )
    assert [(await into.accept(chats(2, first=n * 2))).accepted for n in range(2)] == [1, 0]
    await asyncio.sleep(11)
    assert (await into.accept(chats(2, first=4))).accepted == 1
