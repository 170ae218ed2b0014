"""One HTTP call to Douyin: its several spellings of success and failure as one, paced to the documented limits.

Token answers say `err_tips`, live data answers `err_msg`, webcastmate answers `errcode`/`errmsg` or, on success,
nothing at all. A missing code is success, as in the platform's own tools.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import httpx

from services.core.clock import Clock
from services.core.telemetry import Telemetry

CALL_TIMEOUT_S = 5.0
CALLS_PER_S = 8
"""The documented limit is 10 a second per app and call; this leaves room for a second gateway's occasional call."""
UNREACHABLE = -2
"""Our own code for a call that got no answer in the platform's form."""

INVALID_TOKEN = frozenset({40022, 40004})
CONDITIONS_NOT_MET = 5003019
BAD_PARAMETER = 40001
BAD_PAGE = frozenset({10001, 10011})
"""Of a page that there is not: the present documents and older ones. The first is that of internal errors, too."""
PASSING = frozenset({UNREACHABLE, -1, 10001, 40000, 40004, 40007, 40022, 50001})
"""Failures that say nothing against the call itself: the same one may pass later."""
LASTING = frozenset({BAD_PARAMETER, 40002, 40005, 40011, 40012, 40015, 40017, 40020, 40023})
"""Failures that somebody must mend first."""
MENDS = {
    UNREACHABLE: "the platform did not answer; check douyin.api_url, douyin.token_url and the network",
    -1: "the platform failed; it will be tried again",
    10001: "the platform failed; it will be tried again",
    10011: "the platform finds not even the first page of failed data; it will be asked for again",
    40000: "the platform's network failed; it will be tried again",
    BAD_PARAMETER: "a parameter is wrong; check douyin.rooms and douyin.launch_token (valid for 30 minutes)",
    40002: "the app lacks this ability; apply for it in the developer console",
    40004: "the access token was refused; a new one will be fetched",
    40005: "app id and secret do not fit; check douyin.app_id and douyin.app_secret",
    40007: "called too often; another process may use the same app",
    40011: "the app id is not allowed; check douyin.app_id",
    40012: "the signature was refused; check douyin.app_secret",
    40015: "no such app; check douyin.app_id",
    40017: "the app secret is wrong; check douyin.app_secret",
    40020: "the grant type was refused; check that douyin.token_url is the app token address",
    40022: "the access token was refused; a new one will be fetched",
    40023: "a required parameter is missing; check douyin.rooms and douyin.app_id",
    CONDITIONS_NOT_MET: (
        "the room is unknown or its live has ended, the game is not mounted in it, the ability is not granted, or the "
        "push rate is over the limit; mount the game in the live companion while the room is live"
    ),
}
"""What to do about the documented error codes."""


class DouyinError(Exception):
    """The platform refused a call."""

    def __init__(self, call: str, code: int, message: str) -> None:
        self.call = call
        self.code = code
        mend = MENDS.get(code, "see the platform's error code page")
        super().__init__(f"{call}: {message or 'error'} ({code}): {mend}")


class Calls:
    """Makes the calls of one app. `http` has no base address and belongs to the caller."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock, telemetry: Telemetry) -> None:
        self._http = http
        self._clock = clock
        self._telemetry = telemetry
        self._next: defaultdict[str, float] = defaultdict(float)

    async def call(
        self,
        name: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        """The answer's JSON object. Raises DouyinError for any other outcome."""
        await self._pace(name)
        with self._telemetry.span(f"douyin {name}"):
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    answer = await self._http.request(method, url, headers=headers, json=json, params=params)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
                body: dict[str, Any] = {}
                code, message = UNREACHABLE, type(error).__name__
            else:
                body, (code, message) = _read(answer)
            self._telemetry.metrics.platform_calls.labels(name, str(code)).inc()
            if code != 0:
                raise DouyinError(name, code, message)
            return body

    async def _pace(self, name: str) -> None:
        """Waits until the next call of this name may be made."""
        now = self._clock.monotonic()
        start = max(now, self._next[name])
        self._next[name] = start + 1 / CALLS_PER_S
        if start > now:
            await asyncio.sleep(start - now)


def _read(answer: httpx.Response) -> tuple[dict[str, Any], tuple[int, str]]:
    """The answer's object, and its outcome as code and message, whichever way they are spelt."""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return {}, (UNREACHABLE, f"HTTP {answer.status_code} without a JSON object")
    code = next((body[name] for name in ("err_no", "errcode", "error_code", "errno") if name in body), 0)
    message = next((body[name] for name in ("err_tips", "err_msg", "errmsg") if name in body), "")
    if not isinstance(code, int) or (code == 0 and not answer.is_success):
        return body, (UNREACHABLE, f"HTTP {answer.status_code}")
    return body, (code, str(message)[:200])
