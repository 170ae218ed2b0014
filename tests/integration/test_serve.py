"""A service of a cluster comes and goes: when it says that it is ready, and in which order it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpx
import pytest
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect

from services import serve as root
from services.building.part import Part
from services.core.bus.memory import MemoryBus
from services.core.clock import SystemClock
from services.core.settings import Settings
from services.core.state.memory import MemoryState
from tests.contract.listening import until

AT_LAST_S = 20


@dataclass
class Life:
    """What the service under test sees of its own life."""

    listens: asyncio.Event = field(default_factory=asyncio.Event)
    ends: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    async def run(self) -> None:
        await asyncio.Event().wait()

    def build(self, *_: object) -> Part:
        routes = APIRouter()

        @routes.websocket("/rooms/lydia/stream")
        async def stream(viewer: WebSocket) -> None:
            await viewer.accept()
            try:
                await viewer.receive()
                await viewer.receive()
            except (WebSocketDisconnect, RuntimeError):
                pass
            finally:
                self.ends.append("connection")
                self.ended.set()

        return Part({"stage": self}, routes=(routes,), listening=self.listening)

    async def listening(self) -> None:
        await self.listens.wait()

    def servers(self, *_: object) -> Life:
        """In place of the cluster's."""
        return self

    async def look(self) -> str:
        return ""

    async def reach(self, stack: AsyncExitStack) -> tuple[MemoryBus, MemoryState, None]:
        stack.callback(self.ends.append, "bus")
        return MemoryBus(), MemoryState(SystemClock()), None

    async def ready(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://{self.address}/readyz")).status_code == 200


@asynccontextmanager
async def serving(life: Life, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[], None]]:
    """The service; yields what asks it to stop."""
    monkeypatch.setattr(root, "Servers", life.servers)
    monkeypatch.setattr(root, "importlib", SimpleNamespace(import_module=lambda _: life))
    up = asyncio.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        life.address = "{}:{}".format(*listener.getsockname())
        task = asyncio.create_task(root.serve("stage", Settings(), listener, up.set))
        try:
            async with asyncio.timeout(AT_LAST_S):
                await up.wait()
                yield lambda: signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            await task


async def test_a_service_is_ready_only_when_it_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life()
    async with serving(life, monkeypatch):
        for _ in range(20):
            assert not await life.ready()
        life.listens.set()
        await until(life.ready)


async def test_who_is_connected_goes_before_the_bus_does(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life()
    life.listens.set()
    async with serving(life, monkeypatch) as stop:
        await until(life.ready)
        async with connect(f"ws://{life.address}/rooms/lydia/stream", proxy=None):
            stop()
            await life.ended.wait()
    assert life.ends == ["connection", "bus"]
