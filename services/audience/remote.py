"""Rooms that others have, reached over HTTP: the way from the bridge to the application on Ray Serve.

HTTP rather than a Ray handle: a handle works only beside a Ray node and dies with it, and the bridge must outlive it.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import httpx

from services.audience.batch import Garbled, RoomsAway, Taken, answer, pack
from services.core.bus.port import Record

SESSION = "x-session-id"
"""The header by which Ray Serve chooses the replica: the same room, the same replica while it is there."""
REPLICA = "x-replica"
"""The header of an answer that says who gave it."""


class RemoteRooms:
    """`url` is the application's. Its calls may take as long as the caller waits."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._http = http

    async def take(self, room_id: str, records: Sequence[Record]) -> Taken:
        """As `services.audience.batch.Rooms` says."""
        headers = {SESSION: quote(room_id, safe="")}
        try:
            response = await self._http.post(f"{self._url}/batch", content=pack(records), headers=headers, timeout=None)
        except httpx.HTTPError as error:
            raise RoomsAway(f"{self._url} cannot be reached ({type(error).__name__})") from None
        if response.status_code != httpx.codes.OK:
            raise RoomsAway(f"{self._url} answered {response.status_code}")
        try:
            return answer(response.content)
        except Garbled as error:
            raise RoomsAway(f"{self._url} answered what {error}") from None
