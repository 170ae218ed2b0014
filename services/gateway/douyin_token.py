"""Douyin's access token: one per app, shared by all gateways, replaced before it expires.

Fetching a token kills the previous one within five minutes, so gateways that each fetched their own would keep
disabling each other's. It is therefore kept in the state, and whoever finds it half spent replaces it.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeGuard

from services.core.clock import Clock
from services.core.state.port import Put, State, StateUnavailable
from services.gateway.douyin_calls import UNREACHABLE, Calls, DouyinError


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    fresh_until_ms: int
    """Half its life, an hour: afterwards it is replaced."""
    dead_at_ms: int


class Tokens:
    """The token of one app."""

    def __init__(self, calls: Calls, state: State, clock: Clock, *, app_id: str, app_secret: str, url: str) -> None:
        self._calls = calls
        self._state = state
        self._clock = clock
        self._app_id = app_id
        self._app_secret = app_secret
        self._url = url
        self._key = f"douyin:{app_id}:token"
        self._token: _Token | None = None
        self._one_at_a_time = asyncio.Lock()

    async def get(self, *, instead_of: str | None = None) -> str:
        """A token that is accepted now. `instead_of` is one that the platform has just refused.

        Concurrent callers share one fetch. Raises DouyinError, but not while the old token still lives. Without the
        state each gateway fetches its own.
        """
        async with self._one_at_a_time:
            now = self._clock.now_ms()
            old = self._token
            if old is None or old.value == instead_of or now >= old.fresh_until_ms:
                old = await self._stored() or old
            if old is not None and old.value == instead_of:
                old = None
            if old is None or now >= old.fresh_until_ms:
                try:
                    old = await self._fetch(now)
                except DouyinError:
                    if old is None or now >= old.dead_at_ms:
                        raise
            self._token = old
            return old.value

    async def _stored(self) -> _Token | None:
        """The token that a gateway keeps in the state; None when there is none that can be read."""
        with suppress(StateUnavailable, ValueError, TypeError, KeyError):
            stored = json.loads(await self._state.get(self._key) or b"null")
            token = _Token(str(stored["value"]), int(stored["fresh_until_ms"]), int(stored["dead_at_ms"]))
            return token if _is_token(token.value) else None
        return None

    async def _fetch(self, now_ms: int) -> _Token:
        body = {"appid": self._app_id, "secret": self._app_secret, "grant_type": "client_credential"}
        answer = await self._calls.call("token", "POST", self._url, json=body)
        data = answer.get("data")
        value, life_s = (data.get("access_token"), data.get("expires_in")) if isinstance(data, dict) else (None, None)
        if not _is_token(value) or not isinstance(life_s, int) or life_s <= 0:
            raise DouyinError("token", UNREACHABLE, "the answer holds no token")
        token = _Token(value, now_ms + life_s * 500, now_ms + life_s * 1000)
        stored = {"value": value, "fresh_until_ms": token.fresh_until_ms, "dead_at_ms": token.dead_at_ms}
        with suppress(StateUnavailable):
            await self._state.apply(Put(self._key, json.dumps(stored).encode(), life_s))
        return token


def _is_token(value: object) -> TypeGuard[str]:
    """Whether it is a text that can be sent in a header."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and value.strip() != ""
