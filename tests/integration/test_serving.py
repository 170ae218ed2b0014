"""A server of hers and callers who take their time, over real connections."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager

import httpx
import pytest
import uvloop
from fastapi import FastAPI, Request

from services import guard, serving
from services.core.settings import Settings
from services.gateway.http import PUSH_PATH
from services.guard import Guard
from services.serving import ACCEPTED_AT_ONCE, Server, application
from tests.unit.gateway.world import World, gift

GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n"
Caller = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def server() -> AsyncIterator[Callable[[], Awaitable[Caller]]]:
    """Yields what connects to it."""
    app = FastAPI()
    app.add_middleware(Guard)

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    @app.post("/rooms/lydia/messages")
    async def messages(request: Request) -> int:
        return len(await request.body())

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        running = Server(app)
        serves = asyncio.create_task(running.serve(sockets=[listener]))
        await running.up.wait()
        try:
            yield lambda: asyncio.open_connection(*listener.getsockname())
        finally:
            running.should_exit = True
            await serves


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_WITHIN_S", 0.3)
    monkeypatch.setattr(guard, "BODY_WITHIN_S", 0.3)


@pytest.mark.parametrize("said", [b"", GET, b"GET /hel"], ids=["nothing", "no end of the headers", "half a line"])
async def test_a_connection_on_which_no_request_comes_to_its_end_is_closed(said: bytes) -> None:
    async with asyncio.timeout(20), server() as connected:
        reader, writer = await connected()
        writer.write(said)
        assert await reader.read() == b""
        writer.close()


async def test_drops_do_not_keep_a_connection_open() -> None:
    async with asyncio.timeout(20), server() as connected:
        reader, writer = await connected()
        writer.write(GET + b"\r\n")
        assert b"hello" in await reader.readuntil(b'"hello"')
        closed = asyncio.create_task(reader.read())
        while not closed.done():
            writer.write(b"\r\n")
            await asyncio.sleep(0.05)
        writer.close()


async def test_a_body_that_does_not_come_in_time_is_answered_with_408() -> None:
    async with asyncio.timeout(20), server() as connected:
        reader, writer = await connected()
        writer.write(b"POST /rooms/lydia/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()


async def test_a_connection_may_carry_one_request_after_the_other_for_longer_than_a_head_may_take() -> None:
    async with asyncio.timeout(20), server() as connected:
        reader, writer = await connected()
        for _ in range(5):
            writer.write(GET + b"\r\n")
            assert b"hello" in await reader.readuntil(b'"hello"')
            await asyncio.sleep(0.1)
        writer.close()


def test_callers_who_come_together_are_taken_together_however_long_the_loop_takes() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(rounds_for(4 * ACCEPTED_AT_ONCE)) < 2 * ACCEPTED_AT_ONCE


async def rounds_for(callers_at_once: int) -> int:
    """How often the loop goes round until as many callers who came together are answered."""
    async with asyncio.timeout(20), server() as connected:
        _, first = await connected()
        host, port = first.get_extra_info("peername")
        with ExitStack() as callers:
            at_once = [callers.enter_context(socket.create_connection((host, port))) for _ in range(callers_at_once)]
            for caller in at_once:
                caller.sendall(GET + b"\r\n")
                caller.setblocking(False)
            rounds = 0
            waiting = set(at_once)
            while waiting:
                await asyncio.sleep(0)
                rounds += 1
                waiting -= set(select.select(list(waiting), [], [], 0)[0])
        first.close()
    return rounds


async def test_a_push_may_come_by_any_name_through_a_proxy_and_nothing_else_may() -> None:
    async def ready() -> str:
        return ""

    world = World()
    app = application(Settings(), world.telemetry, ready)
    app.include_router(world.app.router)
    body = json.dumps([gift(1)]).encode()
    message = {"viewer": {"id": "u"}, "text": "hi"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://live.example.com") as http:
        assert (await http.head(PUSH_PATH)).status_code == 200
        taken = await http.post(PUSH_PATH, content=body, headers=world.headers("live_gift", body))
        assert taken.json()["accepted"] == 1
        forged = world.headers("live_gift", body, secret="guessed")
        assert (await http.post(PUSH_PATH, content=body, headers=forged)).status_code == 401
        for path in ("/healthz", "/metrics", f"{PUSH_PATH}/"):
            assert (await http.get(path)).status_code == 400, path
        assert (await http.post("/rooms/lydia/messages", json=message)).status_code == 400
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as http:
        assert (await http.post("/rooms/lydia/messages", json=message)).status_code == 202
