"""What the gateway leaves out when more comes than can be chosen from. What was paid for always passes.

She answers a message in several seconds. Beyond some dozens a second nobody could tell whether a message was among
those that she chose from, but every one would cost the whole way over the bus and through the audience.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from services.core.clock import Clock
from services.core.events import LANE_AMBIENT, LANE_CHAT, LANE_PAID, AudienceEvent
from services.core.lanes import lane_of
from services.core.metrics import Metrics
from services.core.settings import Gateway as Settings

BURST_S = 5.0
"""After a calm so many seconds' worth may come at once."""
ROOMS = 10_000
"""Rooms whose rates are known. One that is forgotten begins with a calm."""
LANES = {LANE_CHAT: "chat", LANE_AMBIENT: "ambient"}


@dataclass(slots=True)
class _Allowance:
    """So many events may come; it fills up with time."""

    left: float
    filled_at: float
    """Seconds of the clock."""

    def take(self, per_s: float, now: float) -> bool:
        self.left = min(self.left + (now - self.filled_at) * per_s, per_s * BURST_S)
        self.filled_at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Shedding:
    """Messages and everything ambient have an allowance each, in every room and in all rooms together."""

    def __init__(self, settings: Settings, clock: Clock, metrics: Metrics) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        now = clock.monotonic()
        self._all = {lane: _Allowance(settings.all_per_s * BURST_S, now) for lane in LANES}
        self._rooms: OrderedDict[str, dict[int, _Allowance]] = OrderedDict()

    def admits(self, event: AudienceEvent) -> bool:
        """Whether an event is to be taken; one that is not is counted, with the reason."""
        lane = lane_of(event) or LANE_AMBIENT
        if lane == LANE_PAID:
            return True
        now = self._clock.monotonic()
        if not self._room(event.room_id, now)[lane].take(self._settings.room_per_s, now):
            reason = "room_busy"
        elif not self._all[lane].take(self._settings.all_per_s, now):
            reason = "all_busy"
        else:
            return True
        self._metrics.shed.labels(LANES[lane], reason).inc()
        return False

    def _room(self, room_id: str, now: float) -> dict[int, _Allowance]:
        room = self._rooms.get(room_id)
        if room is None:
            full = self._settings.room_per_s * BURST_S
            room = self._rooms[room_id] = {lane: _Allowance(full, now) for lane in LANES}
            if len(self._rooms) > ROOMS:
                self._rooms.popitem(last=False)
        self._rooms.move_to_end(room_id)
        return room
