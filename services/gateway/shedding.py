"""What the gateway leaves out when more comes than can be chosen from. What was paid for always passes.

She answers a message in several seconds. Beyond some dozens a second nobody could tell whether a message was among
those that she chose from, but every one would cost the whole way over the bus and through the audience, where one
process reads a room, with every other room that it has.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.audience.selection import at_a_glance
from services.core import topics
from services.core.bus.port import Bus, BusUnavailable
from services.core.clock import Clock
from services.core.events import LANE_AMBIENT, LANE_CHAT, LANE_PAID, AudienceEvent, Lane
from services.core.lanes import lane_of
from services.core.metrics import Metrics
from services.core.settings import Gateway as Settings
from services.core.state.port import State, StateUnavailable

BURST_S = 5.0
"""After a calm so many seconds' worth may come at once."""
ROOMS = 10_000
"""Rooms whose rates are known here. One that is forgotten begins with a calm."""
LANES = {LANE_CHAT: "chat", LANE_AMBIENT: "ambient"}
ASK_S = 0.2
"""How long to wait for the state: a platform's answer must not be late for the sake of what is left out."""
ALONE_S = 1.0
"""How long to do without the state after it did not answer."""
AHEAD_S = 0.2
"""So many seconds' worth of a room's messages are allowed for before they come, so that one of a calm room need not
wait for the state.
"""
GATHER_S = 0.05
"""What was used of that is asked for again so much later, when these messages are on their way."""
LATE_S = 0.05
"""While one of several pushes has been unanswered for so long, what would only be chosen from does not wait behind it:
the platform must be answered in time for what was paid, and stops pushing to whom answers too late.
"""
READER = "audience"
"""The group that decides on what is taken in."""
LOOK_S = 1.0
"""How often it is asked for how far behind it is."""


@dataclass(slots=True)
class _Allowance:
    """So many events may come; it fills up with time."""

    left: float
    filled_at: float
    """Seconds of the clock."""

    def take(self, number: int, per_s: float, now: float) -> int:
        """How many of them may."""
        self.left = min(self.left + (now - self.filled_at) * per_s, _burst(per_s))
        self.filled_at = now
        given = min(number, int(self.left))
        self.left -= given
        return given


class Shedding:
    """Messages and everything ambient have an allowance each, in every room and in all rooms together.

    A room's is that of all gateways together, since a platform pushes to any of them, and lies in the state; while that
    does not answer, each gateway counts for itself. A little of it a gateway takes ahead. That of all rooms is each
    gateway's own. Where audience is far behind, or gone, nobody would be answered in time: then they have none, and
    what was paid for keeps its place on a bus that would be full one day. Nor have they while the gateway or the bus is
    slower than deliveries come.
    """

    def __init__(self, settings: Settings, bus: Bus, state: State, clock: Clock, metrics: Metrics) -> None:
        self._settings = settings
        self._bus = bus
        self._state = state
        self._clock = clock
        self._metrics = metrics
        now = clock.monotonic()
        self._all = {lane: _Allowance(_burst(settings.all_per_s), now) for lane in LANES}
        self._rooms: OrderedDict[tuple[str, Lane], _Allowance] = OrderedDict()
        """What the rooms may without the state."""
        self._alone_until = now
        self._ahead: OrderedDict[tuple[str, Lane], int] = OrderedDict()
        """Of each room, what was taken of its allowance and not used yet."""
        self._used: dict[tuple[str, Lane], None] = {}
        """Rooms of which some of that was used."""
        self._using = asyncio.Event()
        self._behind = False

    async def run(self) -> None:
        """Looks at how far audience is behind, and takes ahead, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look(), name="gateway: how far audience is behind")
            tasks.create_task(self._take_ahead(), name="gateway: allowances taken ahead")

    async def _look(self) -> None:
        while True:
            with suppress(BusUnavailable):  # what was seen last holds on
                self._behind = await self._bus.lag(topics.AUDIENCE, READER) > self._settings.behind
            await asyncio.sleep(LOOK_S)

    async def _take_ahead(self) -> None:
        most = int(AHEAD_S * self._settings.room_per_s)
        while True:
            await self._using.wait()
            await asyncio.sleep(GATHER_S)
            self._using.clear()
            used, self._used = self._used, {}
            for room in used:
                left = self._ahead.get(room, 0)
                if left < most and (given := await self._ask(*room, most - left)):
                    self._ahead[room] = self._ahead.get(room, 0) + given
                    self._ahead.move_to_end(room)
            while len(self._ahead) > ROOMS:
                self._ahead.popitem(last=False)

    def leaves_out(self, lane: Lane, number: int, waited_s: float) -> bool:
        """Whether nothing of a crowd is taken in now, without a look at it: whoever knows that events are one can
        save the reading. Then they are counted. `waited_s` as in `admitted`.
        """
        if not (self._behind or waited_s > LATE_S):
            return False
        self._metrics.shed.labels(LANES[lane], "audience_behind" if self._behind else "gateway_behind").inc(number)
        return True

    async def admitted(self, events: Sequence[AudienceEvent], *, waited_s: float = 0.0) -> Sequence[AudienceEvent]:
        """Those that are to be taken, in their order; the others are counted, with the reason. `waited_s`: how long
        a platform has waited for the answer to its oldest push.

        Always taken is what was paid for, and what the room's own staff writes. Of messages that come together those
        are taken that she would rather choose.
        """
        crowds: defaultdict[tuple[str, Lane], list[AudienceEvent]] = defaultdict(list)
        taken = set()
        for event in events:
            lane = lane_of(event) or LANE_AMBIENT
            if lane == LANE_PAID or event.viewer.is_moderator or event.viewer.is_anchor:
                taken.add(event.event_id)
            else:
                crowds[event.room_id, lane].append(event)
        for (room_id, lane), crowd in crowds.items():
            if self.leaves_out(lane, len(crowd), waited_s):
                continue
            of_room = await self._of_room(room_id, lane, len(crowd))
            number = self._all[lane].take(of_room, self._settings.all_per_s, self._clock.monotonic())
            if number < len(crowd):
                crowd.sort(key=_worth, reverse=True)  # among equals the first stays the first
                for reason, shed in (("room_busy", len(crowd) - of_room), ("all_busy", of_room - number)):
                    if shed:
                        self._metrics.shed.labels(LANES[lane], reason).inc(shed)
            taken.update(event.event_id for event in crowd[:number])
        return [event for event in events if event.event_id in taken]

    async def _of_room(self, room_id: str, lane: Lane, number: int) -> int:
        room = room_id, lane
        ahead = min(self._ahead.get(room, 0), number)
        if ahead:
            self._ahead[room] -= ahead
        self._used[room] = None
        self._using.set()
        if ahead == number:
            return number
        given = await self._ask(room_id, lane, number - ahead)
        if given is not None:
            return ahead + given
        per_s, now = self._settings.room_per_s, self._clock.monotonic()
        allowance = self._rooms.setdefault(room, _Allowance(_burst(per_s), now))
        self._rooms.move_to_end(room)
        if len(self._rooms) > ROOMS:
            self._rooms.popitem(last=False)
        return ahead + allowance.take(number - ahead, per_s, now)

    async def _ask(self, room_id: str, lane: Lane, number: int) -> int | None:
        """So many of a room's allowance the state gives; None while it does not answer."""
        if self._clock.monotonic() < self._alone_until:
            return None
        per_s = self._settings.room_per_s
        try:
            async with asyncio.timeout(ASK_S):
                return await self._state.take(
                    f"room:{room_id}:gateway:{LANES[lane]}", number, per_s=per_s, most=_burst(per_s)
                )
        except (StateUnavailable, TimeoutError):
            self._alone_until = self._clock.monotonic() + ALONE_S
            return None


def _burst(per_s: float) -> float:
    """How many may come after a calm: one at least, or of a slow rate none ever could."""
    return max(per_s * BURST_S, 1.0)


def _worth(event: AudienceEvent) -> float:
    """Of two events of one crowd, that with more is taken."""
    lane = lane_of(event)
    if lane == LANE_CHAT:
        return at_a_glance(event)
    # Whoever follows or shares did more than who likes or enters; of what is in no lane nothing could be said.
    return 0.0 if lane is None else 1.0 + (event.WhichOneof("kind") in ("follow", "share"))
