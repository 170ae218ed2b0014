"""What the audience will do, computed before the run begins: who does what, in which room, by which way, and when.

The audience is the simulator's own, so one seed gives one plan. The only thing a run adds is its name, which goes into
rooms and message ids: a platform never uses an id twice.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Literal

from services.core.events import LANE_AMBIENT, LANE_CHAT, LANE_PAID, AudienceEvent, Chat, Viewer
from services.core.lanes import lane_of
from services.gateway.platform import event_id
from services.gateway.simulator.audience import PROFILES, audience
from services.gateway.simulator.push import PUSHES_PER_S
from services.gateway.simulator.wire import webhook_item

Way = Literal["douyin", "direct"]
WAYS: tuple[Way, ...] = ("douyin", "direct")
BATCH_EVERY_S = 0.2
"""Douyin gathers items of one type this long."""
BATCH_ITEMS = 50
REPEAT_AFTER_S = 1.0
"""How much later an item is delivered a second time."""
DIRECT = ("chat", "gift", "like", "enter", "follow")
"""Kinds that a plain message can tell of; going away is not among them."""
CLOSING_S = 0.5
"""After the audience's last act somebody says good night in every room: a room keeps its order, so whatever was taken
before that and has no decision when that has one, is lost and not merely late.
"""
LANES = {LANE_PAID: "paid", LANE_CHAT: "chat", LANE_AMBIENT: "ambient", None: "silent"}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a viewer will do."""

    event_id: str
    """As the gateway derives it, so that it is known before anything is sent."""
    room_id: str
    profile: str
    kind: str
    lane: str
    """paid, chat, ambient, or silent: there is nothing to say about it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the target."""

    at_s: float
    """When it is sent, whatever happens. Seconds since the run's begin."""
    room_id: str
    way: Way
    event_ids: tuple[str, ...]
    content: Any
    """JSON: a message, or the items of a push."""
    message_type: str = ""
    """Of a push."""
    repeated: bool = False
    """All of it was delivered before."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room and its way in."""

    room_id: str
    profile: str
    way: Way
    seed: int


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for."""

    rooms: Mapping[str, int]
    """Profile → in how many rooms."""
    seconds: float
    seed: int = 2112
    ways: tuple[Way, ...] = WAYS
    """Room after room takes the next one."""
    only: tuple[str, ...] = ()
    """Kinds of events that are sent; empty: all."""
    repeated: float = 0.02
    """Share of Douyin's items that come twice."""
    run: str = "load"
    """Goes into rooms and message ids."""

    def __post_init__(self) -> None:
        """Raises ValueError with what is wrong."""
        for profile, number in self.rooms.items():
            if profile not in PROFILES:
                raise ValueError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
            if number < 1:
                raise ValueError(f"{profile}: at least one room is needed")
        if not self.rooms or not self.ways or self.seconds <= 0 or not 0 <= self.repeated <= 1:
            raise ValueError("needed: a profile, a way, seconds above 0, a share of repetitions from 0 to 1")


@dataclass(frozen=True)
class Plan:
    """Everything that will be sent, in order of time."""

    load: Load
    rooms: tuple[Room, ...]
    events: Mapping[str, Event]
    requests: tuple[Request, ...]
    not_pushed: Mapping[str, int] = field(default_factory=dict)
    """Kind → items that the platform would not have delivered, because an app gets 100 pushes a second at most."""

    def parts(self, count: int) -> list[Plan]:
        """The same in at most `count` parts of whole rooms, about equally many requests in each."""
        load: Counter[str] = Counter(request.room_id for request in self.requests)
        shares: list[set[str]] = [set() for _ in range(min(count, len(self.rooms)))]
        for room in sorted(self.rooms, key=lambda room: -load[room.room_id]):
            min(shares, key=lambda share: sum(load[room_id] for room_id in share)).add(room.room_id)
        return [self._of(share) for share in shares]

    def _of(self, rooms: Collection[str]) -> Plan:
        return replace(
            self,
            rooms=tuple(room for room in self.rooms if room.room_id in rooms),
            events={key: event for key, event in self.events.items() if event.room_id in rooms},
            requests=tuple(request for request in self.requests if request.room_id in rooms),
        )


def plan(load: Load) -> Plan:
    """The plan of a load. A profile with bursts is entered so that a burst begins after a quarter of the time."""
    names = [(profile, number) for profile, count in load.rooms.items() for number in range(count)]
    rooms = [
        Room(f"{load.run}-{profile}-{number}", profile, load.ways[place % len(load.ways)], load.seed + place)
        for place, (profile, number) in enumerate(names)
    ]
    events: dict[str, Event] = {}
    requests: list[Request] = []
    for room in rooms:
        acts = [*_acts(room, load), _closing(room, load)]
        for _, event in acts:
            known = Event(event.event_id, room.room_id, room.profile, _kind(event), LANES[lane_of(event)])
            events[known.event_id] = known
        requests += _pushes(room, acts, load) if room.way == "douyin" else _messages(room, acts)
    requests.sort(key=lambda request: request.at_s)
    kept, lost = _within_cap(requests, events)
    return Plan(
        load, tuple(rooms), {key: event for key, event in events.items() if key not in lost}, kept, _kinds(lost)
    )


def _acts(room: Room, load: Load) -> Iterator[tuple[float, AudienceEvent]]:
    """What happens in a room while the run lasts."""
    burst = PROFILES[room.profile].burst
    skipped_s = 0.0 if burst is None else max(burst.every_s - burst.lasts_s - load.seconds / 4, 0)
    for at_s, event in takewhile(lambda act: act[0] < skipped_s + load.seconds, audience(room.seed, room.profile)):
        kind = _kind(event)
        if at_s < skipped_s or (load.only and kind not in load.only):
            continue
        if room.way == "direct" and (kind not in DIRECT or lane_of(event) is None):
            continue
        yield at_s - skipped_s, _placed(event, event.message_id, room, load)


def _closing(room: Room, load: Load) -> tuple[float, AudienceEvent]:
    viewer = Viewer(id=f"{load.run}-closing", name="Mei")
    return load.seconds + CLOSING_S, _placed(
        AudienceEvent(viewer=viewer, chat=Chat(text="晚安")), "closing", room, load
    )


def _placed(event: AudienceEvent, number: str, room: Room, load: Load) -> AudienceEvent:
    """The event as it happens in this room; the simulator's own lives on."""
    sent = AudienceEvent()
    sent.CopyFrom(event)
    sent.room_id, sent.platform, sent.message_id = room.room_id, room.way, f"{load.run}-{number}"
    sent.event_id = event_id(room.way, room.room_id, sent.message_id)
    return sent


def _messages(room: Room, acts: Sequence[tuple[float, AudienceEvent]]) -> Iterator[Request]:
    for at_s, event in acts:
        body: dict[str, Any] = {
            "id": event.message_id,
            "viewer": {"id": event.viewer.id, "name": event.viewer.name},
        }
        match _kind(event):
            case "chat":
                body["text"] = event.chat.text
            case "gift":
                gift = event.gift
                body["gift"] = {"name": gift.name, "count": gift.count, "value_fen": gift.value_fen}
            case "like":
                body["like"] = {"count": event.like.count}
            case kind:
                body[kind] = {}
        yield Request(at_s, room.room_id, "direct", (event.event_id,), body)


def _pushes(room: Room, acts: Sequence[tuple[float, AudienceEvent]], load: Load) -> Iterator[Request]:
    """Batches as the platform makes them, and after each, later, those of its items that come twice."""
    batches: dict[tuple[int, str], list[tuple[str, Any]]] = {}
    for at_s, event in acts:
        message_type, item = webhook_item(event, event.message_id, 0)
        batches.setdefault((int(at_s / BATCH_EVERY_S), message_type), []).append((event.event_id, item))
    twice = 0.0
    for (window, message_type), items in batches.items():
        at_s = (window + 1) * BATCH_EVERY_S + room.seed % 7 / 7 * BATCH_EVERY_S  # rooms do not tick together
        for start in range(0, len(items), BATCH_ITEMS):
            batch = items[start : start + BATCH_ITEMS]
            ids, contents = tuple(key for key, _ in batch), [item for _, item in batch]
            yield Request(at_s, room.room_id, "douyin", ids, contents, message_type)
            twice += load.repeated * len(batch)
            again = min(int(twice), len(batch))
            twice -= again
            if again:
                late = at_s + REPEAT_AFTER_S
                yield Request(late, room.room_id, "douyin", ids[:again], contents[:again], message_type, repeated=True)


def _within_cap(
    requests: Sequence[Request], events: Mapping[str, Event]
) -> tuple[tuple[Request, ...], dict[str, Event]]:
    """The requests that the platform's cap lets through, and the events that it discards."""
    kept: list[Request] = []
    lost: dict[str, Event] = {}
    pushed: deque[float] = deque()
    for request in requests:
        if request.way == "douyin":
            while pushed and pushed[0] <= request.at_s - 1:
                pushed.popleft()
            if len(pushed) >= PUSHES_PER_S:
                if not request.repeated:
                    lost |= {key: events[key] for key in request.event_ids}
                continue
            pushed.append(request.at_s)
            if request.repeated and any(key in lost for key in request.event_ids):
                continue
        kept.append(request)
    return tuple(kept), lost


def _kinds(events: Mapping[str, Event]) -> dict[str, int]:
    return dict(Counter(event.kind for event in events.values()))


def _kind(event: AudienceEvent) -> str:
    return event.WhichOneof("kind") or ""
