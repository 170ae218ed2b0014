"""The service carries out what the director decides, in order, on time, and goes on where it was."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager

import pytest

from services.audience import keys
from services.audience.director import Director, Input
from services.audience.floor import START_MS
from services.audience.ledger import Outputs
from services.audience.service import REST_S, WARY_S
from services.core import topics
from services.core.bus.port import BusUnavailable, Record
from services.core.clock import LoopClock
from services.core.envelope import seal
from services.core.events import AudienceEvent, Control, Decision, Heard, Mute, Panic, Performed, Presence, Turn
from services.core.settings import Audience as Policy
from services.core.state import MemoryState
from services.core.state.port import DAY_S, Change, Drop, Health, Lease, Put, StateUnavailable
from services.core.turns import TurnWorker, epoch_key, next_epoch
from services.core.virtual_time import virtual_time
from tests.unit.audience.fake_stage import FakeStage
from tests.unit.audience.house import House


@virtual_time
async def test_a_message_is_answered_without_any_delay() -> None:
    house = House()
    async with house.running(stage=False):
        await asyncio.sleep(1)
        event = await house.chat("你好呀Lydia")
        before = house.clock.now_ms()
        for _ in range(100):
            await asyncio.sleep(0)
        turns = await house.turns()
    assert house.clock.now_ms() == before
    assert [e.event_id for e in turns[0].audience.events] == [event.event_id]


@virtual_time
async def test_every_event_has_its_turn_and_its_fate_on_the_bus() -> None:
    house = House()
    async with house.running():
        events = [await house.chat(f"这是第{i}个问题，对吗？", f"viewer{i}") for i in range(5)]
        gifts = [await house.gift(10, f"giver{i}") for i in range(5)]
        await asyncio.sleep(20)
    assert all(house.stage.heard[event.event_id] == 1 for event in (*events, *gifts))
    fates = {d.event_id: d.outcome for d in await house.decisions()}
    assert all(fates[e.event_id] in (Decision.OUTCOME_CHOSEN, Decision.OUTCOME_MERGED) for e in (*events, *gifts))
    turns = await house.turns()
    assert [turn.epoch for turn in turns] == sorted({turn.epoch for turn in turns})


@virtual_time
async def test_rooms_do_not_hear_each_other() -> None:
    house = House()
    async with house.running():
        one, other = await house.chat("你好呀Lydia", room="a"), await house.gift(room="b")
        await asyncio.sleep(5)
    rooms = {turn.room_id: [e.event_id for e in turn.audience.events] for turn in await house.turns()}
    assert rooms == {"a": [one.event_id], "b": [other.event_id]}


@virtual_time
async def test_harmful_words_are_not_answered_and_harmful_names_not_passed_on() -> None:
    house = House()
    async with house.running():
        bad = await house.chat("傻 逼")
        named = await house.chat("你好呀Lydia", name="加V信 abc123")
        await asyncio.sleep(3)
    decisions = {d.event_id: d for d in await house.decisions()}
    assert decisions[bad.event_id].reason == Decision.REASON_MODERATED
    assert decisions[bad.event_id].detail == "refused by the rule insult"
    turn = (await house.turns())[0]
    assert turn.audience.events[0].event_id == named.event_id
    assert turn.audience.events[0].viewer.name == ""


@virtual_time
async def test_a_second_delivery_is_counted_and_left_alone() -> None:
    house = House()
    async with house.running():
        event = await house.gift()
        await asyncio.sleep(5)
        await house.publish(event)
        await asyncio.sleep(5)
    assert len(await house.turns()) == 1
    assert house.stage.heard[event.event_id] == 1
    assert house.telemetry.metrics.registry.get_sample_value("lydia_audience_repeated_total") == 1


class Counted(MemoryState):
    """A state that notes what it is asked, and does once what it is asked and gives no answer."""

    def __init__(self, clock: LoopClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []
        self.mute_once = False

    async def get(self, key: str) -> bytes | None:
        self.asked.append("get")
        return await super().get(key)

    async def increment(self, key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
        self.asked.append("increment")
        return await super().increment(key, at_least=at_least, held=held)

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        self.asked.append("apply")
        await super().apply(*changes, held=held)
        if self.mute_once:
            self.mute_once = False
            raise StateUnavailable("it did what was asked, and its answer is lost")


@asynccontextmanager
async def at_home_in_a_room(house: House) -> AsyncIterator[Counted]:
    """The service has had the room for a while."""
    house.state = state = Counted(house.clock)
    async with house.running(stage=False):
        await house.chat("hello")
        await asyncio.sleep(WARY_S + 10)
        state.asked.clear()
        yield state


@virtual_time
async def test_a_message_of_a_room_that_one_is_at_home_in_costs_one_call_of_the_state_before_its_turn() -> None:
    house = House()
    async with at_home_in_a_room(house) as state:
        before = len(await house.turns())
        await house.chat("who are you?", "bea")
        await asyncio.sleep(1)
        assert len(await house.turns()) == before + 1
        assert state.asked == ["apply", "apply"], "the second one after the turn is on the bus"


@virtual_time
async def test_what_is_delivered_again_long_after_is_found_to_be_known() -> None:
    house = House()
    async with house.running():
        event = await house.gift()
        await asyncio.sleep(WARY_S + 10)
        await house.publish(event)
        other = await house.gift()
        await asyncio.sleep(5)
    assert dict(house.stage.heard) == {event.event_id: 1, other.event_id: 1}
    assert house.telemetry.metrics.registry.get_sample_value("lydia_audience_repeated_total") == 1


@virtual_time
async def test_an_epoch_that_an_operator_has_just_taken_is_not_given_to_a_turn() -> None:
    house = House()
    async with at_home_in_a_room(house) as state:
        now_ms = house.clock.now_ms()
        operators = await next_epoch(state, "a", at_least=(await house.turns())[-1].epoch, now_ms=now_ms)
        asked = await house.chat("who are you?", "bea")
        await asyncio.sleep(1)
    turn = (await house.turns())[-1]
    assert [event.event_id for event in turn.audience.events] == [asked.event_id]
    assert turn.epoch > operators


@virtual_time
async def test_a_change_whose_answer_was_lost_is_neither_lost_nor_made_twice() -> None:
    house = House()
    async with at_home_in_a_room(house) as state:
        before = len(await house.turns())
        state.mute_once = True
        event = await house.gift()
        await asyncio.sleep(1)
        assert not state.mute_once
        turns = (await house.turns())[before:]
    assert {event.event_id for turn in turns for event in turn.audience.events} == {event.event_id}
    assert len({turn.turn_id for turn in turns}) == 1
    pending = await state.fields(keys.pending_key("a"))
    assert set(pending) == {event.event_id}, "she still owes thanks for it, since nothing was heard"


@virtual_time
async def test_timers_run_without_further_records() -> None:
    house = House(Policy(quiet_s=20))
    async with house.running():
        await house.control(Control(presence=Presence(renderers=1)))
        await asyncio.sleep(60)
    assert [turn.silence.rundown_index for turn in await house.turns()] == [0, 1]


@virtual_time
async def test_a_turn_goes_on_in_the_trace_of_its_event_and_links_the_others() -> None:
    house = House()
    async with house.running():
        await house.chat("开始聊天吧大家", "zoe")
        await asyncio.sleep(0.1)
        first = await house.chat("你叫什么名字？", "ann")
        await house.chat("你叫什么名字呀", "ben")
        await asyncio.sleep(5)
    spans = house.spans.get_finished_spans()
    opened = [span for span in spans if span.name == "open turn"][1]
    processed = {
        span.attributes["messaging.message.id"]: span
        for span in spans
        if span.attributes and span.name == f"process {topics.AUDIENCE}"
    }
    parent = processed[first.event_id]
    assert opened.parent is not None
    assert parent.context is not None
    assert opened.parent.span_id == parent.context.span_id
    assert opened.context is not None
    assert opened.context.trace_id == parent.context.trace_id
    assert len(opened.links) == 1
    assert opened.links[0].context.trace_id != opened.context.trace_id


@virtual_time
async def test_a_room_at_rest_is_unloaded_and_remembers_when_it_comes_back() -> None:
    house = House()
    audience = house.audience()
    async with house.running(audience):
        event = await house.gift()
        await asyncio.sleep(5 + 300 + 2 * REST_S)
        assert not audience._rooms
        await house.publish(event)
        await house.chat("你好呀Lydia", "ben")
        await asyncio.sleep(5)
        assert len(audience._rooms) == 1
    turns = await house.turns()
    assert len(turns) == 2
    assert turns[1].epoch > turns[0].epoch


async def answered_by_who_stayed_up(house: House, between: Awaitable[None]) -> tuple[int, int]:
    """How many turns a service has handled that is up all the time: before and after."""
    handled: list[Turn] = []
    chat = TurnWorker(house.bus, house.state, house.telemetry, service="chat")

    async def handle(turn: Turn, _: Record) -> None:
        handled.append(turn)

    task = asyncio.create_task(chat.run(topics.TURNS, handle, is_last=lambda _: True))
    async with house.running():
        for number in range(20):
            await house.gift(1000, f"giver{number}")
            await asyncio.sleep(3)
        before = len(handled)
        await between
        await house.gift()
        await asyncio.sleep(5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return before, len(handled) - before


@virtual_time
async def test_a_room_that_rested_for_weeks_is_heard_by_services_that_stayed_up() -> None:
    assert await answered_by_who_stayed_up(House(), asyncio.sleep(15 * DAY_S)) == (20, 1)


@virtual_time
async def test_a_room_whose_state_is_lost_is_heard_by_services_that_stayed_up() -> None:
    house = House()

    async def lose() -> None:
        await asyncio.sleep(300 + 2 * REST_S)
        await house.state.apply(Drop(epoch_key("a")), Drop(keys.show_key("a")))

    assert await answered_by_who_stayed_up(house, lose()) == (20, 1)


@virtual_time
async def test_a_panic_outlives_the_process() -> None:
    house = House()
    async with house.running():
        await house.control(Control(panic=Panic()))
        await asyncio.sleep(1)
        gift = await house.gift()
        await asyncio.sleep(5)
    async with house.running():
        await asyncio.sleep(60)
        assert not await house.turns()
        await house.control(Control(panic=Panic(released=True)))
        await asyncio.sleep(5)
    assert house.stage.heard[gift.event_id] == 1


@virtual_time
async def test_more_rooms_than_allowed_are_refused_with_a_reason() -> None:
    house = House()
    async with house.running(house.audience(max_rooms=2)):
        for room in "abc":
            await house.gift(room=room)
        await asyncio.sleep(3)
    assert await house.dead(topics.AUDIENCE) == ["audience has its 2 rooms"]


@virtual_time
async def test_a_record_under_a_wrong_key_or_without_an_id_becomes_a_dead_letter() -> None:
    house = House()
    async with house.running():
        nameless = seal(topics.AUDIENCE, AudienceEvent(room_id="a"), event_id="", room_id="a", source="x", now_ms=0)
        strange = Record(topics.AUDIENCE, "b", nameless.value, nameless.headers)
        await house.bus.publish(nameless, strange)
        await asyncio.sleep(3)
    assert sorted(await house.dead(topics.AUDIENCE)) == ["has no event id", "its room is not its key"]


class Flaky:
    """Fails two of five calls of the state and the bus."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._random = random.Random(1)

    def _fail(self, error: type[Exception]) -> None:
        if self._random.random() < 0.4:
            raise error("away")

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        self._fail(StateUnavailable)
        await self._house.state.apply(*changes, held=held)

    async def increment(self, key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
        self._fail(StateUnavailable)
        return await self._house.state.increment(key, at_least=at_least, held=held)

    async def publish(self, *records: Record) -> None:
        self._fail(BusUnavailable)
        await self._house.bus.publish(*records)

    def __getattr__(self, name: str) -> object:
        return getattr(self._house.bus if hasattr(self._house.bus, name) else self._house.state, name)


@virtual_time
async def test_a_bus_and_a_state_that_fail_now_and_then_delay_but_change_nothing() -> None:
    house = House()
    flaky = Flaky(house)
    async with house.running(house.audience(flaky, flaky)):  # type: ignore[arg-type]
        gifts = [await house.gift(10, f"giver{i}") for i in range(10)]
        await asyncio.sleep(200)
    assert all(house.stage.heard[gift.event_id] == 1 for gift in gifts)
    turns = await house.turns()
    assert len({turn.SerializeToString() for turn in turns}) == len({turn.turn_id for turn in turns}), (
        "one that is published again is the same"
    )


@virtual_time
async def test_what_a_director_cannot_take_becomes_a_dead_letter_and_the_room_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide = Director.step

    def step(director: Director, happened: Input, now_ms: int) -> Outputs:
        if isinstance(happened, Heard) and happened.event.event_id == "broken":
            raise ZeroDivisionError("secret words")
        return decide(director, happened, now_ms)

    monkeypatch.setattr(Director, "step", step)
    house = House()
    async with house.running():
        gift = await house.gift()
        await house.publish(AudienceEvent(event_id="broken", room_id="a"))
        event = await house.chat("你好呀Lydia")
        await asyncio.sleep(20)
    assert await house.dead(topics.AUDIENCE) == ["ZeroDivisionError after 3 attempts"]
    assert house.stage.heard[gift.event_id] == house.stage.heard[event.event_id] == 1


@virtual_time
async def test_reports_for_a_room_that_is_not_known_are_left_alone() -> None:
    house = House()
    async with house.running():
        report = Performed(performed_id="p", room_id="a", turn_id="gone", state=Performed.STATE_FINISHED)
        await house.bus.publish(
            seal(topics.PERFORMED, report, event_id="p", room_id="a", source="stage", now_ms=house.clock.now_ms())
        )
        await asyncio.sleep(3)
    assert not await house.turns()
    assert keys.ROOMS not in house.state._values


class Counting:
    """Counts what the audience asks of the state and the bus."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> object:
        self.calls[name] += 1
        return getattr(self._house.bus if hasattr(self._house.bus, name) else self._house.state, name)


@virtual_time
async def test_what_waits_together_is_carried_out_together_and_each_has_its_fate() -> None:
    house = House()
    counting = Counting(house)
    await house.control(Control(panic=Panic()))  # so that everything waits
    async with house.running(house.audience(counting, counting)):  # type: ignore[arg-type]
        await asyncio.sleep(1)
        before = counting.calls.copy()
        gifts = [await house.gift(10, f"giver{i}") for i in range(30)]
        for gift in gifts:
            await house.publish(gift)  # the platform sends them once more
        await asyncio.sleep(1)
        took = counting.calls - before
        assert house.telemetry.metrics.registry.get_sample_value("lydia_audience_repeated_total") == 30
        assert took["apply"] + took["publish"] + took["known"] + took["get"] < 30
        await house.control(Control(panic=Panic(released=True)))
        await asyncio.sleep(100)
    assert all(house.stage.heard[gift.event_id] == 1 for gift in gifts)
    fates = Counter((d.event_id, d.outcome) for d in await house.decisions())
    assert all(fates[gift.event_id, Decision.OUTCOME_WAITING] == 1 for gift in gifts)


@virtual_time
async def test_a_batch_that_fails_between_two_of_its_records_loses_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide, failures = Director.step, 0

    def step(director: Director, happened: Input, now_ms: int) -> Outputs:
        nonlocal failures
        if isinstance(happened, Heard) and happened.event.viewer.id == "giver7" and failures < 2:
            failures += 1
            raise ZeroDivisionError
        return decide(director, happened, now_ms)

    monkeypatch.setattr(Director, "step", step)
    house = House()
    gifts = [await house.gift(10, f"giver{i}") for i in range(12)]
    async with house.running():
        await asyncio.sleep(100)
    assert failures == 2
    assert all(house.stage.heard[gift.event_id] == 1 for gift in gifts)
    assert not await house.dead(topics.AUDIENCE)


class Suspended:
    """The state of a process that is stopped, as by SIGSTOP, when its first turn is written and not yet published."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.stopped = asyncio.Event()

    async def apply(self, *changes: Change, held: Lease | None = None) -> None:
        await self._house.state.apply(*changes, held=held)
        opens = any(isinstance(change, Put) and topics.TURNS.encode() in change.value for change in changes)
        if opens and not self.stopped.is_set():
            self.stopped.set()
            await asyncio.sleep(30)

    async def increment(self, key: str, *, at_least: int = 0, held: Lease | None = None) -> int:
        return await self._house.state.increment(key, at_least=at_least, held=held)

    async def get(self, key: str) -> bytes | None:
        return await self._house.state.get(key)

    async def known(self, *keys: str) -> frozenset[str]:
        return await self._house.state.known(*keys)

    async def fields(self, key: str) -> Mapping[str, bytes]:
        return await self._house.state.fields(key)

    async def first_time(self, key: str, *, ttl_s: int) -> bool:
        return await self._house.state.first_time(key, ttl_s=ttl_s)

    async def take(self, key: str, number: int, *, per_s: float, most: float) -> int:
        return await self._house.state.take(key, number, per_s=per_s, most=most)

    async def health(self) -> Health:
        return await self._house.state.health()


@virtual_time
async def test_who_wakes_up_after_another_process_took_the_room_publishes_nothing_old() -> None:
    house = House()
    state, successor = Suspended(house), house.audience()
    async with house.running(house.audience(state=state), stage=False):
        await house.chat("who are you?")
        await state.stopped.wait()
        async with successor.at_work():
            await successor.take("a", [])
            assert len(await house.turns()) == 1
        await asyncio.sleep(60)
    assert len(await house.turns()) == 1


@virtual_time
async def test_thanks_whose_reports_nobody_brings_are_not_said_again() -> None:
    for segment_s in (0.4, 3.0, 7.0):  # heard before, as and after she loses patience
        await heard_once(segment_s)


@virtual_time
async def test_thanks_that_are_heard_after_they_were_given_up_are_not_said_again() -> None:
    # Given up after 40 s, heard 0.3 s later, before the stage knows, and to be said again 0.7 s after that.
    await heard_once(40.3, late_s=2.5, givers=1)


@virtual_time
async def test_a_turn_whose_patience_ends_while_other_rooms_step_is_not_given_up_when_the_stage_has_begun_it() -> None:
    house = House()
    house.stage = FakeStage(house.bus, house.clock, segment_s=20, state=house.state)
    audience = house.audience()
    performing = asyncio.create_task(house.stage.run())
    async with audience.at_work():
        await house.gift(10, "giver")
        gift = [record async for record in house.bus.read(topics.AUDIENCE)]
        await audience.take("a", gift)
        await asyncio.sleep(START_MS / 1000 - 0.1)
        async with audience._stepping:
            stepping = asyncio.create_task(audience.take("a", gift * 2))
            await asyncio.sleep(0.2)
        await stepping
        await asyncio.sleep(1)
    performing.cancel()
    await asyncio.gather(performing, return_exceptions=True)
    assert not [record async for record in house.bus.read(topics.CONTROL)]


async def heard_once(segment_s: float, *, late_s: float = 0.0, givers: int = 2) -> None:
    house = House(Policy(quiet_s=3600, thanks_at_once=2))
    house.stage = FakeStage(house.bus, house.clock, segment_s=segment_s, late_s=late_s, state=house.state)
    audience = house.audience()
    performing = asyncio.create_task(house.stage.run())
    async with audience.at_work():
        gifts = [await house.gift(10, f"giver{i}") for i in range(givers)]
        await audience.take("a", [record async for record in house.bus.read(topics.AUDIENCE)])
        await asyncio.sleep(60)
        await audience.take("a", [record async for record in house.bus.read(topics.PERFORMED)])
        await asyncio.sleep(60)
    performing.cancel()
    await asyncio.gather(performing, return_exceptions=True)
    assert [house.stage.heard[gift.event_id] for gift in gifts] == [1] * givers


@virtual_time
async def test_what_an_operator_orders_is_obeyed_before_what_a_crowd_wrote_earlier() -> None:
    house = House()
    for number in range(100):
        await house.chat(f"question number {number}?", f"viewer{number}")
    mute = Control(control_id="mute", room_id="a", issued_by="Li", mute=Mute(muted=True))
    await house.bus.publish(seal(topics.CONTROL, mute, event_id="mute", room_id="a", source="test", now_ms=0))
    async with house.running():
        await asyncio.sleep(5)
    assert not await house.turns()
