"""Reports to Douyin which messages were received and which were performed. Best effort: statistics, not money."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import groupby

from services.core import topics
from services.core.bus.port import Bus, Delivery
from services.core.clock import Clock
from services.core.events import AudienceEvent, Performed, Turn
from services.core.state.port import StateUnavailable
from services.core.telemetry import Telemetry
from services.core.worker import Verdict, Worker
from services.gateway.douyin_api import Ack, AckType, DouyinApi
from services.gateway.douyin_calls import PASSING, DouyinError
from services.gateway.douyin_items import PLATFORM, TYPE_OF_KIND
from services.gateway.service import Gateway

log = logging.getLogger(__name__)

FLUSH_S = 1.0
BATCH = 50
"""Douyin does not say how many lines a report may have."""
WAITING = 10_000
"""Overflow drops the oldest."""
REMEMBERED = 10_000
"""Turns, and events, that may still be performed."""


class Acks:
    """Gathers reports and sends them every second, by room and kind of report. They wait while the platform fails.

    Of several gateways each reports what it received itself. They follow the bus without a group, so a gateway that
    is gone leaves nothing behind that would hold records back.
    """

    def __init__(self, api: DouyinApi, gateway: Gateway, bus: Bus, clock: Clock, telemetry: Telemetry) -> None:
        self._api = api
        self._clock = clock
        self._metrics = telemetry.metrics
        self._worker = Worker(bus, telemetry, service="gateway")
        self._waiting: deque[tuple[str, AckType, Ack]] = deque()
        self._received: OrderedDict[str, None] = OrderedDict()
        self._turns: OrderedDict[str, Sequence[AudienceEvent]] = OrderedDict()
        gateway.listen(self._note_received)

    async def run(self) -> None:
        """Follows turns and their performances, and sends, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                self._worker.run(
                    topics.TURNS,
                    topics.PERFORMED,
                    handle=self._note,
                    group=None,
                    start="latest",
                    may_wait_s=FLUSH_S,
                ),
                name="douyin acks: notes",
            )
            tasks.create_task(self._send(), name="douyin acks: reports")

    def _note_received(self, events: Sequence[AudienceEvent]) -> None:
        ours = [event for event in events if event.platform == PLATFORM]
        self._received.update(dict.fromkeys(event.event_id for event in ours))
        while len(self._received) > REMEMBERED:
            self._received.popitem(last=False)
        self._add(ours, AckType.RECEIVED, self._clock.now_ms())

    async def _note(self, event: Turn | Performed, _: Delivery) -> Verdict:
        if isinstance(event, Turn):
            if any(caused.event_id in self._received for caused in event.audience.events):
                # All of them: which viewer a segment thanks is counted over the whole turn.
                self._turns[event.turn_id] = event.audience.events
            while len(self._turns) > REMEMBERED:
                self._turns.popitem(last=False)
        elif event.state in (Performed.STATE_FINISHED, Performed.STATE_STOPPED):
            heard = _performed(self._turns.pop(event.turn_id, ()), event)
            self._add([one for one in heard if one.event_id in self._received], AckType.PROCESSED, event.at_ms)
        return Verdict.DONE

    def _add(self, events: Iterable[AudienceEvent], ack_type: AckType, at_ms: int) -> None:
        self._wait(
            (event.room_id, ack_type, Ack(event.message_id, TYPE_OF_KIND[event.WhichOneof("kind") or ""], at_ms))
            for event in events
        )

    def _wait(self, reports: Iterable[tuple[str, AckType, Ack]]) -> None:
        self._waiting.extend(reports)
        while len(self._waiting) > WAITING:
            self._waiting.popleft()
            self._metrics.acks.labels("dropped").inc()

    async def _send(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(FLUSH_S)
            batches: defaultdict[tuple[str, AckType], list[Ack]] = defaultdict(list)
            while self._waiting:
                room_id, ack_type, ack = self._waiting.popleft()
                batches[room_id, ack_type].append(ack)
            trouble = ""
            for (room_id, ack_type), acks in batches.items():
                for start in range(0, len(acks), BATCH):
                    part = acks[start : start + BATCH]
                    if trouble:
                        self._wait((room_id, ack_type, ack) for ack in part)
                        continue
                    try:
                        await self._api.ack(room_id, ack_type, part)
                    except (DouyinError, StateUnavailable) as error:
                        if str(error) != told:
                            told = str(error)
                            log.warning("Douyin takes no reports now. %s", error)
                        if isinstance(error, DouyinError) and error.code not in PASSING:
                            self._metrics.acks.labels("dropped").inc(len(part))
                        else:
                            trouble = told
                            self._wait((room_id, ack_type, ack) for ack in part)
                    else:
                        self._metrics.acks.labels("sent").inc(len(part))
                        told = ""


def _performed(events: Sequence[AudienceEvent], report: Performed) -> Iterable[AudienceEvent]:
    """The events that the room has heard an answer to.

    All of a finished turn. Of a stopped one, segment k of a thanks was for the k-th viewer; any other answer counts
    once a segment of it was heard.
    """
    if report.state == Performed.STATE_FINISHED:
        return events
    if events and events[0].WhichOneof("kind") not in ("gift", "fans_club"):
        return events if report.heard_segments else ()
    viewers = [list(group) for _, group in groupby(events, key=lambda event: event.viewer.id)]
    return [event for group in viewers[: report.heard_segments] for event in group]
