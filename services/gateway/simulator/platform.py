"""The simulated platform's server side: tokens, the room, push tasks, failed data, reports and their limits.

It keeps the documented rules of Douyin's live data service; where the documents are silent, it takes the stricter
reading.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from services.core.clock import Clock
from services.core.ids import Ids
from services.gateway.douyin_items import FANS_CLUB, GIFT
from services.gateway.simulator.options import Options

TOKEN_LIFE_S = 7200
OLD_TOKEN_LIFE_S = 300
LAUNCH_TOKEN_LIFE_S = 1800
CALLS_PER_S = 10
KEPT_S = 86_400
KEPT_ENTRIES = 100_000
KEPT_ACKS = 100_000
ABSENT, STOPPED, RUNNING = 1, 2, 3


class CallFailed(Exception):
    """The platform's answer is an error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class AckReport:
    """One report as it came in."""

    room_id: str
    ack_type: int
    messages: tuple[dict[str, Any], ...]


@dataclass
class Room:
    """The one room. Its tasks end with the live or when the game is unmounted."""

    live: bool = True
    mounted: bool = True
    granted: bool = True
    tasks: dict[str, int] = field(default_factory=dict)


class Platform:
    """See the module's text. Every method but the properties may raise CallFailed."""

    def __init__(self, options: Options, clock: Clock, ids: Ids) -> None:
        self.options = options
        self.room = Room()
        self.acks: deque[AckReport] = deque(maxlen=KEPT_ACKS)
        self._clock = clock
        self._ids = ids
        self._started = clock.monotonic()
        self._tokens: dict[str, float] = {}
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)
        self._failed: defaultdict[str, deque[tuple[float, str]]] = defaultdict(deque)

    def issue_token(self, app_id: object, secret: object, grant_type: object) -> dict[str, Any]:
        """A new access token; the ones before die within five minutes."""
        if app_id != self.options.app_id:
            raise CallFailed(40015, "bad appid")
        if secret != self.options.app_secret:
            raise CallFailed(40017, "bad secret")
        if grant_type != "client_credential":
            raise CallFailed(40020, "bad grant_type")
        now = self._clock.monotonic()
        self._tokens = {token: min(end, now + OLD_TOKEN_LIFE_S) for token, end in self._tokens.items() if end > now}
        token = "0801" + self._ids.new()
        self._tokens[token] = now + TOKEN_LIFE_S
        return {"access_token": token, "expires_in": TOKEN_LIFE_S}

    def room_info(self, access_token: str, launch_token: object) -> dict[str, Any]:
        """The room that a launch token was issued in; `room_id` is a number."""
        self._limit("webcastmate/info", 40007)
        self._authorise(access_token, 40004)
        if not self.room.granted:
            raise CallFailed(40002, "you don't have permission")
        expired = self._clock.monotonic() - self._started > LAUNCH_TOKEN_LIFE_S
        if launch_token != self.options.launch_token or expired:
            raise CallFailed(40001, "invalid token")
        return {
            "ack_cfg": [],
            "linker_info": {"linker_id": 0, "linker_status": 0, "master_status": 0},
            "info": {
                "room_id": int(self.options.room_id),
                "anchor_open_id": "_000simulatedanchor",
                "avatar_url": "https://avatars.invalid/anchor.png",
                "nick_name": "Lydia",
            },
        }

    def start_task(self, access_token: str, task: dict[str, Any]) -> dict[str, Any]:
        """Starts pushes of a type; starting twice is starting once."""
        message_type = self._task(access_token, task, "task/start", over_limit=5003019)
        room = self.room
        if task["roomid"] != self.options.room_id or not (room.live and room.mounted and room.granted):
            raise CallFailed(5003019, "conditions not met")
        room.tasks[message_type] = RUNNING
        return {"task_id": self._ids.new()}

    def stop_task(self, access_token: str, task: dict[str, Any]) -> dict[str, Any]:
        """Stops pushes of a type."""
        message_type = self._task(access_token, task, "task/stop", over_limit=40007)
        if message_type in self.room.tasks:
            self.room.tasks[message_type] = STOPPED
        return {}

    def task_status(self, access_token: str, task: dict[str, Any]) -> dict[str, Any]:
        """1 no such task, 2 not started, 3 running."""
        message_type = self._task(access_token, task, "task/get", over_limit=40007)
        known = task["roomid"] == self.options.room_id
        return {"status": self.room.tasks.get(message_type, ABSENT) if known else ABSENT}

    def set_room(self, *, live: bool, mounted: bool, granted: bool) -> None:
        """The anchor begins or ends the live, mounts or unmounts the game; or the ability is granted or withdrawn."""
        self.room.live, self.room.mounted, self.room.granted = live, mounted, granted
        if not (live and mounted and granted):
            self.room.tasks = dict.fromkeys(self.room.tasks, STOPPED)

    def pushes(self, message_type: str) -> bool:
        """Whether a type is being pushed now."""
        return self.room.tasks.get(message_type) == RUNNING

    def keep_failed(self, message_type: str, payload: str) -> None:
        """Remembers a push that failed, for a day, if it is of a kind that is kept; the first 100,000."""
        if message_type in (GIFT, FANS_CLUB):
            self._expire(message_type)
            if len(self._failed[message_type]) < KEPT_ENTRIES:
                self._failed[message_type].append((self._clock.monotonic(), payload))

    def failed_data(self, access_token: str, query: dict[str, Any], past_end: int | None = None) -> dict[str, Any]:
        """A page of the pushes that failed. One after the last is empty, or fails with the code `past_end`."""
        message_type = self._task(access_token, query, "fail_data/get", over_limit=40007)
        try:
            page, size = int(query.get("page_num", "")), int(query.get("page_size", ""))
        except ValueError:
            raise CallFailed(10001, "bad paging") from None
        if message_type not in (GIFT, FANS_CLUB) or page < 1 or not 1 <= size <= 100:
            raise CallFailed(10001, "bad paging")
        self._expire(message_type)
        entries = self._failed[message_type] if query["roomid"] == self.options.room_id else deque()
        if past_end is not None and page > 1 and (page - 1) * size >= len(entries):
            raise CallFailed(past_end, "bad paging")
        return {
            "page_num": page,
            "total_count": len(entries),
            "data_list": [
                {"roomid": self.options.room_id, "msg_type": message_type, "payload": payload}
                for _, payload in islice(entries, (page - 1) * size, page * size)
            ],
        }

    def ack(
        self, access_token: str, room_id: object, app_id: object, ack_type: object, messages: Sequence[Any]
    ) -> None:
        """Records a report."""
        self._authorise(access_token, 40022)
        if room_id != self.options.room_id or app_id != self.options.app_id:
            raise CallFailed(40001, "bad parameter")
        if not isinstance(ack_type, int) or ack_type not in (1, 2) or not all(map(_is_ack, messages)):
            raise CallFailed(40001, "bad parameter")
        self.acks.append(AckReport(self.options.room_id, ack_type, tuple(messages)))

    def _task(self, access_token: str, task: dict[str, Any], call: str, *, over_limit: int) -> str:
        self._limit(call, over_limit)
        missing = [name for name in ("roomid", "appid", "msg_type") if not isinstance(task.get(name), str)]
        if missing or task["appid"] != self.options.app_id:
            raise CallFailed(40023, "missing required parameter")
        self._authorise(access_token, 40022)
        return str(task["msg_type"])

    def _authorise(self, access_token: str, code: int) -> None:
        if self._tokens.get(access_token, 0.0) <= self._clock.monotonic():
            raise CallFailed(code, "invalid access token")

    def _limit(self, call: str, code: int) -> None:
        now, calls = self._clock.monotonic(), self._calls[call]
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= CALLS_PER_S:
            raise CallFailed(code, "too frequent")
        calls.append(now)

    def _expire(self, message_type: str) -> None:
        entries = self._failed[message_type]
        while entries and entries[0][0] <= self._clock.monotonic() - KEPT_S:
            entries.popleft()


def _is_ack(message: object) -> bool:
    """Whether it is a line of a report as documented: `client_time` is a number of milliseconds."""
    return (
        isinstance(message, dict)
        and all(isinstance(message.get(name), str) and message[name] for name in ("msg_id", "msg_type"))
        and isinstance(message.get("client_time"), int)
        and message["client_time"] > 10**11
    )
