"""Simulator and gateway as real servers on this machine, in real time."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from deploy.local.process import free_port
from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import SystemClock
from services.core.envelope import unseal
from services.core.events import AudienceEvent
from services.core.ids import RandomIds
from services.core.settings import Douyin as DouyinSettings
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.gateway.direct import Direct
from services.gateway.douyin_service import Douyin
from services.gateway.http import PUSH_PATH, router
from services.gateway.service import Gateway
from services.gateway.simulator.main import demo_settings, serve
from services.gateway.simulator.options import Faults, Options

LIKE = {"msg_id": "1", "msg_type": 1, "sec_open_id": "u", "like_num": 2}
LINE = json.dumps({"type": "event", "eventName": "OPEN_LIVE_DATA", "params": {"payload": [LIKE]}}).encode() + b"\n"


@asynccontextmanager
async def lydia(options: Options, port: int, **changed: Any) -> AsyncIterator[MemoryBus]:
    """The gateway with everything of Douyin, as `lydia up` runs it. `changed` are settings for Douyin."""
    clock, telemetry = SystemClock(), Telemetry("gateway")
    bus, state = MemoryBus(), MemoryState(clock)
    gateway = Gateway(bus, clock, telemetry)
    settings = DouyinSettings.model_validate({**demo_settings(options)["douyin"], **changed})
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as tasks:
        douyin = Douyin(settings, gateway, bus, state, clock, telemetry, lambda: http, room_id="another")
        app = FastAPI()
        app.include_router(router(gateway, Direct(RandomIds()), clock, telemetry, douyin=douyin.receiver))
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
        serving = tasks.create_task(server.serve())
        running = tasks.create_task(douyin.run())
        try:
            yield bus
        finally:
            running.cancel()
            server.should_exit = True
            await serving


@pytest.mark.parametrize("route", ["webhook", "pipe", "both"])
async def test_a_simulated_room_reaches_the_bus_over_real_connections(route: str) -> None:
    port = free_port()
    options = Options(
        target=f"http://127.0.0.1:{port}{PUSH_PATH}", port=free_port(), pipe_port=free_port(), profile="busy",
        unfiltered=True, faults=Faults.model_validate({"route": route}),
    )  # fmt: skip
    seen: dict[str, AudienceEvent] = {}
    async with asyncio.timeout(60), lydia(options, port) as bus:
        simulator = asyncio.create_task(serve(options))
        async with bus.consume(topics.AUDIENCE, group=None) as consumer:
            async for delivery in consumer:
                event = unseal(delivery.record, AudienceEvent)
                assert event.event_id not in seen
                seen[event.event_id] = event
                kinds = {event.WhichOneof("kind") for event in seen.values()}
                if len(seen) > 150 and "gift" in kinds:
                    break
        simulator.cancel()
        await asyncio.gather(simulator, return_exceptions=True)
    assert {event.room_id for event in seen.values()} == {options.room_id}
    # The plugin's events come at once, pushes in batches, so of both the pipe is first.
    assert {event.transport for event in seen.values()} == {"webhook" if route == "webhook" else "pipe"}


async def test_a_forwarder_that_comes_before_the_room_is_known_waits_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.gateway.douyin_outward.RETRY_S", 0.1)
    options = Options(port=free_port(), pipe_port=free_port())
    launched = {"rooms": (), "launch_token": options.launch_token}
    async with asyncio.timeout(30), lydia(options, free_port(), **launched) as bus:
        await asyncio.sleep(0.3)
        _, writer = await asyncio.open_connection("127.0.0.1", options.pipe_port)
        writer.write(LINE)
        simulator = asyncio.create_task(serve(options))
        async with bus.consume(topics.AUDIENCE, group=None) as consumer:
            async for delivery in consumer:
                event = unseal(delivery.record, AudienceEvent)
                break
        assert (event.room_id, event.message_id) == (options.room_id, "1")
        writer.close()
        simulator.cancel()
        await asyncio.gather(simulator, return_exceptions=True)


async def test_a_page_in_a_browser_is_hung_up_on_by_the_plugins_port() -> None:
    options = Options(port=free_port(), pipe_port=free_port())
    async with asyncio.timeout(30), lydia(options, free_port()) as bus, httpx.AsyncClient() as browser:
        await asyncio.sleep(0.3)
        with pytest.raises(httpx.TransportError):
            await browser.post(f"http://127.0.0.1:{options.pipe_port}/", content=b"\n" + LINE)
        assert [record async for record in bus.read(topics.AUDIENCE)] == []


async def test_bodies_over_the_bound_are_answered_and_endless_ones_cut_off() -> None:
    port = free_port()
    async with asyncio.timeout(30), lydia(replace(Options(), port=free_port()), port):
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 65_536
                yield b" " * 65_536

        headers = dict.fromkeys(("x-nonce-str", "x-roomid", "x-signature"), "1")
        headers |= {"x-msg-type": "live_gift", "x-timestamp": str(SystemClock().now_ms())}
        base_url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base_url, transport=httpx.AsyncHTTPTransport(retries=8)) as http:
            assert (await http.head(PUSH_PATH)).status_code == 200
            answer = await http.post(PUSH_PATH, content=b" " * 10_000_000, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
            with pytest.raises((httpx.TransportError, httpx.HTTPStatusError)):
                (await http.post(PUSH_PATH, content=endless(), headers=headers)).raise_for_status()
            # What is under way in the socket buffers comes on top of the bound.
            assert sent < 64 * 1024 * 1024
            message = json.dumps({"viewer": {"id": "u", "name": "n"}, "text": "still here"})
            answer = await http.post("/rooms/r/messages", content=message, headers={"content-type": "application/json"})
            assert answer.status_code == 202


async def test_the_command_says_what_goes_on_and_ends_at_ctrl_c() -> None:
    port, simulated = free_port(), free_port()
    target = f"http://127.0.0.1:{port}{PUSH_PATH}"
    command = [sys.executable, "-m", "services.cli", "simulate", "douyin", "--port", str(simulated), "--target", target]
    async with asyncio.timeout(60):
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        told = [(await process.stderr.readline()).decode() for _ in range(3)]
        assert f"simulated Douyin on http://127.0.0.1:{simulated}" in told[0]
        assert f"waiting for Lydia: {target}" in told[2]
        second = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, complaint = await second.communicate()
        assert (second.returncode, b"choose another --port" in complaint) == (1, True)
        assert b"Traceback" not in complaint
        async with lydia(replace(Options(), port=simulated), port):
            while "pushed are" not in (line := (await process.stderr.readline()).decode()):
                assert line
        process.send_signal(signal.SIGINT)
        rest = (await process.stderr.read()).decode()
        assert await process.wait() == 0
    assert "simulated Douyin ends" in rest
    assert "Traceback" not in rest
