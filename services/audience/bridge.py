"""The bridge: reads what audience decides on from the bus, and hands it to whoever has the room, in another process.

One batch of a room is under way at a time, so its records keep their order whatever fails, save that what is urgent
overtakes the rest; while it is, the room's next records wait here, and the bus pauses when too many do. A record is
finished when the answer says so. What was not answered for is handed in again, as long as it takes: here nothing is
dropped and nothing is decided. Only a record that whoever has the room fails on again and again, and answers again
without it, goes to the dead letters.

Rooms with something unfinished are called now and then without records, so that they go on soon after whoever had them
is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.audience import keys
from services.audience.batch import READS, URGENT, Rooms, RoomsAway, Taken
from services.core.bus.port import Bus, Delivery, Record
from services.core.settings import Ray
from services.core.state.port import State, StateUnavailable
from services.core.telemetry import Telemetry
from services.core.waiting import Waiting
from services.core.worker import back_off_s, bury

log = logging.getLogger(__name__)

GROUP = "audience"
"""The same as of an audience service that reads for itself, so that either goes on where the other was."""
MAX_BATCH_BYTES = 2_000_000
"""A batch holds at least one record, whatever its size."""
TELL_S = 10.0
"""How often the log says that records wait."""
ATTEMPTS = 5
"""How often whoever has the room may die of a record before it goes to the dead letters. Being slow is no death."""


@dataclass(slots=True, eq=False)
class _Feed:
    """What waits for one room."""

    waiting: Waiting = field(default_factory=lambda: Waiting(URGENT))
    hold: bool = False
    """It is to be called without records."""


class Bridge:
    """Feeds `rooms`. `state` says in which rooms something is unfinished."""

    def __init__(self, bus: Bus, state: State, telemetry: Telemetry, rooms: Rooms, settings: Ray) -> None:
        self._bus = bus
        self._state = state
        self._metrics = telemetry.metrics
        self._rooms = rooms
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.calls)
        # Bounded by the bus: it delivers no more while too many records are unfinished.
        self._feeds: dict[str, _Feed] = {}
        self._called: dict[str, float] = {}
        """Rooms in which something goes on, and the loop's time of the last call."""
        self._tell_again = 0.0

    async def run(self) -> None:
        """Feeds until cancelled."""
        async with self._bus.consume(*READS, group=GROUP) as consumer, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_held(tasks), name="bridge: rooms that are held")
            async for delivery in consumer:
                self._metrics.bridge_waiting.inc()
                self._feed(delivery.record.key, tasks).waiting.put(delivery)

    async def drain(self) -> None:
        """Calls nobody any more; returns when the calls under way are answered."""
        for _ in range(self._settings.calls):
            await self._slots.acquire()

    # --- one room -----------------------------------------------------------------------------------------------------

    def _feed(self, room_id: str, tasks: asyncio.TaskGroup) -> _Feed:
        feed = self._feeds.get(room_id)
        if feed is None:
            feed = self._feeds[room_id] = _Feed()
            tasks.create_task(self._run_feed(room_id, feed), name=f"bridge {room_id}")
        return feed

    async def _run_feed(self, room_id: str, feed: _Feed) -> None:
        """One call after another, one in each tick, until nothing waits."""
        loop = asyncio.get_running_loop()
        failures = 0
        deaths: Counter[int] = Counter()
        """By the identity of a delivery that is not finished: how often whoever has the room died of it alone."""
        while feed.waiting or feed.hold:
            begun = loop.time()
            # One by one after two failures: a record on which whoever has the room dies then holds up only later ones.
            alone = failures >= 2 or bool(deaths)
            batch = feed.waiting.take(1 if alone else self._settings.batch, most_bytes=MAX_BATCH_BYTES)
            taken = await self._call(room_id, [delivery.record for delivery in batch])
            finished = taken.finished if taken is not None else 0
            for delivery in batch[:finished]:
                self._finish(delivery)
                del deaths[id(delivery)]
                failures = 0
            left = batch[finished:]
            if taken is not None and not taken.because:
                failures, feed.hold = 0, False
                feed.waiting.put_back(left)
                await asyncio.sleep(begun + self._settings.tick_ms / 1000 - loop.time())
                continue
            await asyncio.sleep(back_off_s(failures))
            failures += 1
            if taken is None and alone and left:
                await self._until_answered(room_id)
                deaths[id(left[0])] += 1
                if deaths[id(left[0])] == ATTEMPTS:
                    await self._bury(left[0])
                    del deaths[id(left[0])]
                    failures, left = 0, []
            feed.waiting.put_back(left)
        del self._feeds[room_id]

    async def _until_answered(self, room_id: str) -> None:
        """Returns when the room is answered for without records. So it is not the server that is away."""
        failures = 0
        while await self._call(room_id, []) is None:
            await asyncio.sleep(back_off_s(failures))
            failures += 1

    async def _bury(self, delivery: Delivery) -> None:
        """Gives a record up."""
        record = delivery.record
        reason = f"whoever had the room died of it {ATTEMPTS} times, and answered again without it each time"
        log.error("a record of %s goes to the dead letters: %s", record.topic, reason)
        await bury(self._bus, record, reason, service=GROUP)
        self._metrics.handled.labels(GROUP, record.topic, "dead_letter").inc()
        self._finish(delivery)

    def _finish(self, delivery: Delivery) -> None:
        delivery.done()
        self._metrics.bridge_waiting.dec()

    async def _call(self, room_id: str, records: Sequence[Record]) -> Taken | None:
        """What became of the records; None when whoever was asked for them is away, or died meanwhile."""
        taken: Taken | None = None
        try:
            async with self._slots:
                with self._metrics.bridge_seconds.time():
                    async with asyncio.timeout(self._settings.call_s):
                        taken = await self._rooms.take(room_id, records)
            because = taken.because
        except RoomsAway as error:
            because = str(error)
        except TimeoutError:
            because = f"no answer within {self._settings.call_s:g} s"
            taken = Taken(0, lives=True, because=because)
        now = asyncio.get_running_loop().time()
        self._metrics.bridge_calls.labels("not_taken" if because else "taken").inc()
        if because:
            self._tell(because, now)
        if taken is None or taken.lives:
            self._called[room_id] = now
        else:
            self._called.pop(room_id, None)
        return taken

    def _tell(self, because: str, now: float) -> None:
        """The log says it now and then, not for each room."""
        if now >= self._tell_again:
            self._tell_again = now + TELL_S
            log.warning("records of a room wait to be taken, and are handed in again: %s", because)

    # --- all rooms ----------------------------------------------------------------------------------------------------

    async def _keep_held(self, tasks: asyncio.TaskGroup) -> None:
        """Calls each room in which something goes on, once it was not called for `hold_s`."""
        loop = asyncio.get_running_loop()
        while True:
            registered = await self._registered()
            due = loop.time() - self._settings.hold_s
            for room_id in registered | set(self._called):
                if self._called.get(room_id, due) <= due:
                    self._feed(room_id, tasks).hold = True
            await asyncio.sleep(self._settings.hold_s)

    async def _registered(self) -> set[str]:
        try:
            return set(await self._state.fields(keys.ROOMS))
        except StateUnavailable as error:
            log.warning("the bridge cannot see which rooms are unfinished: %s", error)
            return set()
