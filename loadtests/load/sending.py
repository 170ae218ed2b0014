"""Sends a plan's requests at their times, whatever becomes of those before."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from loadtests.load.plan import Request
from services.core.ids import derived
from services.gateway.douyin import signed_headers
from services.gateway.http import PUSH_PATH

ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A request and its answer. Times are `perf_counter` seconds."""

    request: Request
    scheduled: float
    sent: float
    answered: float
    refusal: str
    """Empty when the target took it; else status and reason, or the error's name."""
    bad: int = 0
    """Items of a push that the target could not read."""
    shed: int = 0
    """Items of a push that the target left out, because it had too many."""


@dataclass(frozen=True)
class Keys:
    """What the target asks for."""

    message_token: str = ""
    push_secrets: Mapping[str, str] | None = None


class Sender:
    """Sends from one process. `begin` is the plan's zero: `perf_counter` seconds."""

    def __init__(self, address: str, keys: Keys, begin: float) -> None:
        self._keys = keys
        self._begin = begin
        self._wall_ms = (time.time() - time.perf_counter()) * 1000
        headers = {"authorization": f"Bearer {keys.message_token}"} if keys.message_token else {}
        self._client = httpx.AsyncClient(
            base_url=f"http://{address}",
            headers=headers,
            timeout=ANSWER_TIMEOUT_S,
            trust_env=False,
            limits=httpx.Limits(max_connections=500, max_keepalive_connections=500),
        )
        self.sent: list[Sent] = []

    async def run(self, requests: Sequence[Request]) -> None:
        """Returns when everything has been answered or given up."""
        async with self._client, asyncio.TaskGroup() as tasks:
            for number, request in enumerate(requests):
                scheduled = self._begin + request.at_s
                path, body, headers = self._made(request, number)  # before its time, so that making it delays nothing
                if (wait := scheduled - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                tasks.create_task(self._send(request, scheduled, path, body, headers), name="request")

    def _made(self, request: Request, number: int) -> tuple[str, bytes, dict[str, str]]:
        if request.way == "direct":
            told = {"content-type": "application/json"}
            return f"/rooms/{request.room_id}/messages", _json(request.content), told
        stamp = int(self._wall_ms + (self._begin + request.at_s) * 1000)
        body = _json([{**item, "timestamp": stamp} for item in request.content])
        headers = signed_headers(
            body,
            (self._keys.push_secrets or {})[request.message_type],
            room_id=request.room_id,
            message_type=request.message_type,
            nonce=derived(request.room_id, request.message_type, stamp, number),
            stamp_ms=stamp,
        )
        return PUSH_PATH, body, headers

    async def _send(
        self, request: Request, scheduled: float, path: str, body: bytes, headers: Mapping[str, str]
    ) -> None:
        sent = time.perf_counter()
        bad = shed = 0
        try:
            answer = await self._client.post(path, content=body, headers=headers)
            refusal = "" if answer.is_success else f"{answer.status_code} {_said(answer, 'error')}"
            if answer.is_success and request.way == "douyin":
                bad, shed = (int(_said(answer, name) or 0) for name in ("rejected", "shed"))
        except httpx.HTTPError as error:
            refusal = type(error).__name__
        self.sent.append(Sent(request, scheduled, sent, time.perf_counter(), refusal, bad, shed))


def _said(answer: httpx.Response, name: str) -> str:
    try:
        return str(answer.json()[name])[:40]
    except (ValueError, LookupError, TypeError):
        return ""


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
