"""What a replica of the audience application answers, in Ray Serve's local testing mode, over a real Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ray import serve
from starlette.requests import Request

from deploy.local.process import running
from deploy.local.redis import RedisServer
from services.audience.batch import Taken, answer, pack
from services.audience.remote import SESSION
from services.audience.serve_app import build
from services.core import topics
from services.core.bus.port import Record
from services.core.bus.redis_streams import RedisBus
from services.core.clock import SystemClock
from services.core.envelope import seal
from services.core.events import AudienceEvent, Gift, Viewer
from tests.contract.listening import until


def request(method: str, path: str, room: str, body: bytes = b"") -> Request:
    """As the proxy hands it on."""
    headers = [(SESSION.encode(), quote(room, safe="").encode())] if room else []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}, receive)


async def test_a_replica_takes_batches_and_refuses_what_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = SystemClock().now_ms()
    async with running(RedisServer(tmp_path)) as redis, RedisBus(redis.url) as bus:
        monkeypatch.setenv("LYDIA_REDIS__URL", redis.url)
        replica = serve.run(build(), _local_testing_mode=True)

        alive = await replica.remote(request("GET", "/healthz", ""))
        assert (alive.status_code, json.loads(alive.body)) == (200, {"status": "alive"})
        assert (await replica.remote(request("GET", "/elsewhere", "a"))).status_code == 404
        assert (await replica.remote(request("POST", "/batch", "a", b"\xff"))).status_code == 400
        foreign = pack([Record(topics.VOICE, "a", b"")])
        assert (await replica.remote(request("POST", "/batch", "a", foreign))).status_code == 400

        event = AudienceEvent(
            event_id="1", room_id="50% 房/间", viewer=Viewer(id="v"), gift=Gift(gift_id="rose", count=1, value_fen=10)
        )
        record = seal(topics.AUDIENCE, event, event_id="1", room_id="50% 房/间", source="gateway", now_ms=now_ms)
        taken = await replica.remote(request("POST", "/batch", "50% 房/间", pack([record])))
        assert answer(taken.body) == Taken(1, lives=True)
        assert [turn.key async for turn in bus.read(topics.TURNS)] == ["50% 房/间"]

        await replica.options(method_name="__del__").remote()

        async def ended() -> bool:
            try:
                await replica.options(method_name="check_health").remote()
            except RuntimeError:
                return True
            return False

        await until(ended)  # it lives in a thread of this process, and would go on in it
