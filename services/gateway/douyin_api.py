"""Douyin's live data service: rooms, push tasks, failed data and reports.

Documented at developer.open-douyin.com (interaction, server, live-room-scope). The names of parameters differ from call
to call as the platform's do: `roomid` for tasks, `room_id` for reports.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from services.gateway.douyin_calls import BAD_PAGE, INVALID_TOKEN, UNREACHABLE, Calls, DouyinError
from services.gateway.douyin_token import Tokens

PAGE_SIZE = 100


class TaskStatus(IntEnum):
    """What `task/get` says."""

    ABSENT = 1
    STOPPED = 2
    RUNNING = 3


class AckType(IntEnum):
    """What a report says of a message."""

    RECEIVED = 1
    PROCESSED = 2


@dataclass(frozen=True, slots=True)
class Ack:
    """One line of a report."""

    message_id: str
    message_type: str
    client_time_ms: int
    """When it was received or performed. Unix time, milliseconds."""


class DouyinApi:
    """The calls. Every method raises DouyinError; a refused access token is replaced once and the call repeated."""

    def __init__(self, calls: Calls, tokens: Tokens, *, app_id: str, url: str) -> None:
        self._calls = calls
        self._tokens = tokens
        self._app_id = app_id
        self._url = url.rstrip("/")

    async def room_of(self, launch_token: str) -> str:
        """The room that a launch token (valid for 30 minutes) was issued in. Digits; an int64 in the answer."""
        answer = await self._call(
            "room info", "POST", "/api/webcastmate/info", auth_header="x-token", json={"token": launch_token}
        )
        info = _object(_object(answer, "data"), "info")
        room_id = info.get("room_id")
        if isinstance(room_id, bool) or not isinstance(room_id, int | str) or not room_id:
            raise DouyinError("room info", UNREACHABLE, "the answer holds no room_id")
        return str(room_id)

    async def start_task(self, room_id: str, message_type: str) -> str:
        """Asks for pushes of a type and returns the task's id. Repeating it changes nothing."""
        answer = await self._call(
            "task start", "POST", "/api/live_data/task/start", json=self._task(room_id, message_type)
        )
        return str(_object(answer, "data").get("task_id", ""))

    async def stop_task(self, room_id: str, message_type: str) -> None:
        """Ends pushes of a type. What happened before is still pushed."""
        await self._call("task stop", "POST", "/api/live_data/task/stop", json=self._task(room_id, message_type))

    async def task_status(self, room_id: str, message_type: str) -> TaskStatus:
        """Whether a type is being pushed."""
        answer = await self._call(
            "task get", "GET", "/api/live_data/task/get", params=self._task(room_id, message_type)
        )
        try:
            return TaskStatus(_object(answer, "data").get("status", 0))
        except ValueError:
            raise DouyinError("task get", UNREACHABLE, "the answer holds no status") from None

    async def failed(self, room_id: str, message_type: str, page: int) -> tuple[str, ...]:
        """A page, from 1, of at most PAGE_SIZE failed pushes, oldest first: each the JSON array that was to be pushed.

        Kept for gifts and fans club only, one day. A page after the last is empty, also where the platform calls it an
        error; a later page that failed looks like one, and whoever reads on from where it was looks again.
        """
        try:
            answer = await self._call(
                "failed data",
                "GET",
                "/api/live_data/task/fail_data/get",
                params={**self._task(room_id, message_type), "page_num": page, "page_size": PAGE_SIZE},
            )
        except DouyinError as error:
            if page > 1 and error.code in BAD_PAGE:
                return ()
            raise
        entries = _object(answer, "data").get("data_list") or []
        if not isinstance(entries, list):
            raise DouyinError("failed data", UNREACHABLE, "the answer holds no list")
        return tuple(str(entry.get("payload")) if isinstance(entry, dict) else "" for entry in entries)

    async def ack(self, room_id: str, ack_type: AckType, acks: Sequence[Ack]) -> None:
        """Reports messages as received or processed. `data` is JSON inside JSON, as documented."""
        data = [
            {"msg_id": ack.message_id, "msg_type": ack.message_type, "client_time": ack.client_time_ms} for ack in acks
        ]
        body = {"room_id": room_id, "app_id": self._app_id, "ack_type": int(ack_type), "data": json.dumps(data)}
        await self._call("ack", "POST", "/api/live_data/ack", json=body)

    def _task(self, room_id: str, message_type: str) -> dict[str, str]:
        return {"roomid": room_id, "appid": self._app_id, "msg_type": message_type}

    async def _call(
        self,
        name: str,
        method: str,
        path: str,
        *,
        auth_header: str = "access-token",
        json: Mapping[str, object] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        token = await self._tokens.get()
        try:
            return await self._calls.call(
                name, method, self._url + path, headers={auth_header: token}, json=json, params=params
            )
        except DouyinError as error:
            if error.code not in INVALID_TOKEN:
                raise
        token = await self._tokens.get(instead_of=token)
        return await self._calls.call(
            name, method, self._url + path, headers={auth_header: token}, json=json, params=params
        )


def _object(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name of an answer, empty when there is none."""
    found = answer.get(name)
    return found if isinstance(found, dict) else {}
