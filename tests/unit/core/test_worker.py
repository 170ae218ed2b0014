"""A worker handles a room in order and rooms side by side, tries again what may pass, and buries what never will."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from google.protobuf.message import Message

from services.core import topics
from services.core.bus import BusUnavailable, Delivery, MemoryBus, Record
from services.core.clock import LoopClock
from services.core.envelope import seal
from services.core.events import AudienceEvent, Chat, Control
from services.core.state import StateUnavailable
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from services.core.worker import TOGETHER, Rejected, Together, Verdict, Worker

DEAD = topics.dead(topics.AUDIENCE)


class FailingBus(MemoryBus):
    """Refuses so many records before it takes one."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0

    async def publish(self, *records: Record) -> None:
        if self.refusals:
            self.refusals -= 1
            raise BusUnavailable("not now")
        await super().publish(*records)


class Service:
    """A worker whose handler can be told how to behave per record."""

    def __init__(self, bus: MemoryBus | None = None) -> None:
        self.bus = bus or MemoryBus()
        self.telemetry = Telemetry("test")
        self.worker = Worker(self.bus, self.telemetry, service="test")
        self.begun: list[str] = []
        self.done: list[str] = []
        self.failures: dict[str, list[Exception]] = {}
        self.seconds: dict[str, float] = {}
        self.verdict = Verdict.DONE
        self.deliveries: list[Delivery] = []

    async def handle(self, _: Message, delivery: Delivery) -> Verdict:
        event_id = delivery.record.headers["ce_id"]
        self.begun.append(event_id)
        self.deliveries.append(delivery)
        await asyncio.sleep(self.seconds.get(event_id, 0.0))
        if self.failures.get(event_id):
            raise self.failures[event_id].pop(0)
        self.done.append(event_id)
        return self.verdict

    async def say(self, event_id: str, *, room: str = "a") -> None:
        event = AudienceEvent(event_id=event_id, room_id=room, chat=Chat(text="secret words"))
        await self.bus.publish(seal(topics.AUDIENCE, event, event_id=event_id, room_id=room, source="test", now_ms=0))

    async def dead(self) -> list[Record]:
        return [record async for record in self.bus.read(DEAD)]

    async def lag(self) -> int:
        return await self.bus.lag(topics.AUDIENCE, "test")

    def count(self, outcome: str) -> float:
        labels = {"service": "test", "topic": topics.AUDIENCE, "outcome": outcome}
        return self.telemetry.metrics.registry.get_sample_value("lydia_records_handled_total", labels) or 0

    @asynccontextmanager
    async def running(self, together: Together | None = None, *, urgent: str | None = None) -> AsyncIterator[None]:
        read = (topics.AUDIENCE, urgent) if urgent else (topics.AUDIENCE,)
        task = asyncio.create_task(
            self.worker.run(*read, handle=self.handle, together=together, urgent=frozenset(read[1:]))
        )
        await asyncio.sleep(0)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@virtual_time
async def test_a_room_is_handled_in_order_and_rooms_side_by_side() -> None:
    service = Service()
    service.seconds = {"a1": 3.0, "b1": 1.0, "b2": 1.0}
    async with service.running():
        for event_id in ("a1", "b1", "a2", "b2"):
            await service.say(event_id, room=event_id[0])
        await asyncio.sleep(2.5)
        assert service.done == ["b1", "b2"]
        assert "a2" not in service.begun
        await asyncio.sleep(1)
    assert service.done == ["b1", "b2", "a1", "a2"]
    assert await service.lag() == 0
    assert service.count("done") == 4


@virtual_time
async def test_a_room_that_was_idle_is_taken_up_again() -> None:
    service = Service()
    async with service.running():
        await service.say("1")
        await asyncio.sleep(1)
        await service.say("2")
        await asyncio.sleep(1)
    assert service.done == ["1", "2"]


@virtual_time
async def test_a_handler_that_fails_is_tried_again_before_the_rooms_next_record() -> None:
    service = Service()
    service.failures = {"1": [ValueError(), KeyError()]}
    async with service.running():
        await service.say("1")
        await service.say("2")
        await asyncio.sleep(2)
    assert service.begun == ["1", "1", "1", "2"]
    assert service.done == ["1", "2"]
    assert await service.dead() == []
    retries = service.telemetry.metrics.registry.get_sample_value("lydia_handle_retries_total", {"service": "test"})
    assert retries == 2


@virtual_time
async def test_a_handler_that_always_fails_sends_the_record_to_the_dead_letters() -> None:
    service = Service()
    service.failures = {"1": [ValueError("secret words")] * 9}
    async with service.running():
        await service.say("1")
        await service.say("2")
        await asyncio.sleep(5)
    assert service.begun == ["1", "1", "1", "2"]
    (dead,) = await service.dead()
    assert dead.key == "a"
    assert dead.headers["ce_id"] == "1"
    assert dead.headers["lydia_reason"] == "ValueError after 3 attempts"
    assert dead.headers["lydia_service"] == "test"
    assert AudienceEvent.FromString(dead.value).event_id == "1"
    assert await service.lag() == 0
    assert (service.count("done"), service.count("dead_letter")) == (1, 1)


@virtual_time
async def test_a_rejected_record_goes_to_the_dead_letters_at_once() -> None:
    service = Service()
    service.failures = {"1": [Rejected("no such room")]}
    async with service.running():
        await service.say("1")
        await asyncio.sleep(0.01)
        assert [record.headers["lydia_reason"] for record in await service.dead()] == ["no such room"]
    assert service.begun == ["1"]


@virtual_time
async def test_a_malformed_record_goes_to_the_dead_letters_and_never_to_the_handler() -> None:
    service = Service()
    async with service.running():
        await service.bus.publish(
            Record(topics.AUDIENCE, "a", b"\xff\xff"),
            Record(topics.AUDIENCE, "a", b"", {"ce_type": "lydia.v1.Turn"}),
        )
        await service.say("1")
        await asyncio.sleep(1)
    assert service.done == ["1"]
    reasons = [record.headers["lydia_reason"] for record in await service.dead()]
    assert reasons[0].startswith("is no lydia.v1.AudienceEvent")
    assert reasons[1] == "holds lydia.v1.Turn, not lydia.v1.AudienceEvent"


@virtual_time
async def test_the_way_of_a_record_is_timed_from_its_stamp_to_its_handling() -> None:
    bus, clock = MemoryBus(), LoopClock()
    telemetry = Telemetry("test", clock=clock)
    worker = Worker(bus, telemetry, service="test")

    async def handle(_event: AudienceEvent, _delivery: Delivery) -> Verdict:
        await asyncio.sleep(1)
        return Verdict.DONE

    sealed = [
        seal(topics.AUDIENCE, AudienceEvent(), event_id=f"{k}", room_id="a", source="test", now_ms=clock.now_ms())
        for k in range(2)
    ]
    await bus.publish(*sealed, Record(topics.AUDIENCE, "b", b"", {"ce_time": "soon"}))
    task = asyncio.create_task(worker.run(topics.AUDIENCE, handle=handle))
    await asyncio.sleep(5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    labels = {"service": "test", "topic": topics.AUDIENCE}
    value = telemetry.metrics.registry.get_sample_value
    assert value("lydia_transit_seconds_count", labels) == 2
    assert value("lydia_transit_seconds_sum", labels) == pytest.approx(1, abs=0.01), "the second waits for the first"


@virtual_time
async def test_a_type_of_a_later_version_is_ignored() -> None:
    service = Service()
    async with service.running():
        await service.bus.publish(Record(topics.AUDIENCE, "a", b"\xff", {"ce_type": "lydia.v9.Marvel"}))
        await service.say("1")
        await asyncio.sleep(1)
    assert service.done == ["1"]
    assert await service.dead() == []
    assert await service.lag() == 0


@pytest.mark.parametrize("failure", [BusUnavailable, StateUnavailable, TimeoutError, ConnectionResetError])
def test_a_failure_of_the_surroundings_is_waited_out(failure: Callable[[str], Exception]) -> None:
    @virtual_time
    async def scene() -> None:
        service = Service()
        service.failures = {"1": [failure("away")] * 50 + [ValueError("and then a mistake of its own")] * 2}
        async with service.running():
            await service.say("1")
            await asyncio.sleep(60)
            assert service.done == []
            assert await service.lag() == 1
            await asyncio.sleep(240)
        assert service.done == ["1"], "waiting does not use up the attempts"
        assert await service.dead() == []

    scene()


@virtual_time
async def test_a_dead_letter_waits_for_the_bus() -> None:
    bus = FailingBus()
    service = Service(bus)
    service.failures = {"1": [Rejected("never")]}
    async with service.running():
        await service.say("1")
        bus.refusals = 20
        await asyncio.sleep(30)
        assert await service.lag() == 1, "a record that is not buried yet is not finished"
        await asyncio.sleep(120)
    assert len(await service.dead()) == 1
    assert await service.lag() == 0


@virtual_time
async def test_a_held_record_is_finished_by_the_handler() -> None:
    service = Service()
    service.verdict = Verdict.HELD
    async with service.running():
        await service.say("1")
        await asyncio.sleep(1)
        assert await service.lag() == 1
        service.deliveries[0].done()
        assert await service.lag() == 0


@virtual_time
async def test_what_was_in_hand_at_the_end_comes_again() -> None:
    service = Service()
    service.seconds = {"2": 10.0}
    async with service.running():
        await service.say("1")
        await service.say("2")
        await asyncio.sleep(1)
    service.begun.clear()
    service.seconds.clear()
    async with service.running():
        await asyncio.sleep(1)
    assert service.begun == ["2"]


@virtual_time
async def test_what_a_handler_finishes_while_it_is_cancelled_is_committed() -> None:
    service = Service()

    async def handle(_: AudienceEvent, delivery: Delivery) -> Verdict:
        try:
            await asyncio.sleep(100)
        finally:
            delivery.done()
        return Verdict.DONE

    task = asyncio.create_task(service.worker.run(topics.AUDIENCE, handle=handle))
    await service.say("1")
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await service.lag() == 0


@virtual_time
async def test_without_a_group_a_worker_gets_everything_from_now_on() -> None:
    service = Service()
    await service.say("before")
    others: list[str] = []

    async def also(event: AudienceEvent, _: Delivery) -> Verdict:
        others.append(event.event_id)
        return Verdict.DONE

    run: list[Awaitable[None]] = [
        service.worker.run(topics.AUDIENCE, handle=handle, group=None, start="latest")
        for handle in (service.handle, also)
    ]
    tasks = [asyncio.ensure_future(one) for one in run]
    await asyncio.sleep(0.1)
    await service.say("now")
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    assert service.done == others == ["now"]


@virtual_time
async def test_logs_never_quote_what_a_handler_choked_on() -> None:
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, keep = logging.getLogger("services.core.worker"), Keep()
    logger.addHandler(keep)
    try:
        service = Service()
        service.failures = {"1": [ValueError("secret words")] * 3}
        async with service.running():
            await service.say("1")
            await asyncio.sleep(5)
    finally:
        logger.removeHandler(keep)
    texts = [logging.Formatter().format(record) for record in records]
    assert len(texts) == 3
    assert all("ValueError" in text and "in handle" in text and "secret words" not in text for text in texts)


class Batches:
    """Handles records together, and fails on every batch that holds one of `failing`."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.taken: list[list[str]] = []
        self.failed = 0

    async def __call__(self, records: Sequence[Record]) -> None:
        ids = [record.headers["ce_id"] for record in records]
        if self.failing & set(ids):
            self.failed += 1
            raise ValueError("secret words")
        self.taken.append(ids)


@virtual_time
async def test_what_waits_of_a_room_is_handled_together_in_order_and_not_too_much_at_once() -> None:
    service, batches = Service(), Batches()
    sent = [str(number) for number in range(TOGETHER + 10)]
    for event_id in sent:
        await service.say(event_id)
    await service.say("alone", room="b")
    async with service.running(batches):
        await asyncio.sleep(1)
    assert [event_id for batch in batches.taken for event_id in batch] == sent
    assert max(map(len, batches.taken)) == TOGETHER
    assert service.done == ["alone"], "one that waits alone is handled alone"
    assert await service.lag() == 0
    assert service.count("done") == len(sent) + 1


@virtual_time
async def test_what_is_urgent_overtakes_what_waits_and_keeps_its_own_order() -> None:
    service = Service()
    service.seconds = {"0": 1.0}
    async with service.running(urgent=topics.CONTROL):
        for number in range(3):
            await service.say(str(number))
        await asyncio.sleep(0.5)
        for control_id in ("stop", "mute"):
            control = Control(control_id=control_id, room_id="a")
            await service.bus.publish(
                seal(topics.CONTROL, control, event_id=control_id, room_id="a", source="test", now_ms=0)
            )
        await asyncio.sleep(1)
    assert service.done == ["0", "stop", "mute", "1", "2"]
    assert await service.lag() == 0


@virtual_time
async def test_what_fails_together_is_handled_one_by_one_and_only_what_is_wrong_is_given_up() -> None:
    service, batches = Service(), Batches("2")
    service.failures = {"2": [ValueError()] * 9}
    for number in range(4):
        await service.say(str(number))
    async with service.running(batches):
        await asyncio.sleep(5)
        for number in range(4, 7):
            await service.say(str(number))
        await asyncio.sleep(1)
    assert batches.failed == 1
    assert service.done + [event_id for batch in batches.taken for event_id in batch] == ["0", "1", "3", "4", "5", "6"]
    assert [record.headers["ce_id"] for record in await service.dead()] == ["2"]
    assert await service.lag() == 0


@virtual_time
async def test_while_it_drains_nothing_is_handled_together() -> None:
    service, batches = Service(), Batches()
    service.seconds = {"0": 2.0}
    async with service.running(batches):
        await service.say("0")
        await asyncio.sleep(1)
        for number in range(1, 5):
            await service.say(str(number))
        await service.worker.drain()
        await asyncio.sleep(5)
    assert service.done == ["0"]
    assert batches.taken == []
    assert await service.lag() == 4


class SlowToJoin(MemoryBus):
    """A bus whose readers miss what is published in the first seconds."""

    @asynccontextmanager
    async def consume(
        self,
        *topics: str,
        group: str | None,
        start: Literal["earliest", "latest"] = "earliest",
        may_wait_s: float = 0.0,
    ) -> AsyncIterator[Any]:
        await asyncio.sleep(3)
        async with super().consume(*topics, group=group, start=start, may_wait_s=may_wait_s) as consumer:
            yield consumer


@virtual_time
async def test_a_worker_says_when_it_misses_nothing_any_more() -> None:
    service = Service(SlowToJoin())
    run = service.worker.run(topics.AUDIENCE, handle=service.handle, group=None, start="latest")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run)
        await service.say("missed")
        await service.worker.listening(1)
        await service.say("heard")
        await asyncio.sleep(1)
        task.cancel()
    assert service.done == ["heard"]
