"""A small server that speaks the stage's protocol, for tests of the pages alone.

Her voice is a tone whose loudness swings, and her jaw follows that loudness, so that a test can compare what is heard
with what is seen.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, JSONResponse
from google.protobuf.json_format import MessageToDict

from services.core.events import (
    MODE_AUTO,
    Caption,
    Decision,
    Hello,
    Performing,
    RoomStatus,
    StageFrame,
    StageMotion,
    StageStop,
    StageVoice,
    Turn,
)
from services.motion.face import INDEX, NAMES, SIZE
from services.motion.joints import JOINTS, REST

RATE = 24_000
FRAME = RATE // 60
LABEL = "数字人主播 · 内容由AI生成"
TOKEN = "operator-token"
TONE_HZ = 220
SWING_HZ = 0.4
"""Slow enough that a page drawn by software, one or two pictures a second, can be compared with its sound."""
PIECE = RATE // 10
LEAD = RATE // 5
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self' blob:; form-action 'none'; base-uri 'none'"
)


def loudness(samples: Any) -> Any:
    """How loud she is and how far her jaw is open at these media samples, 0 to 1."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * SWING_HZ * np.asarray(samples) / RATE)


class FakeStage:
    """One room. Fields are set and read by tests while the server runs in a thread of its own."""

    def __init__(self, pages: Path, bodies: Path) -> None:
        self.pages = pages
        self.bodies = bodies
        self.epoch = 1
        self.speaking = True
        self.label = LABEL
        self.status = RoomStatus(
            mode=MODE_AUTO, epoch=1, chat_rung="persona", speech_rung="espeak", motion_rung="rules"
        )
        self.waiting: list[Decision] = []
        self.recent: list[Decision] = []
        self.history: list[StageFrame] = []
        """What a renderer is told of the time before it came."""
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        """(path, Authorization, body) of every POST."""
        self.requests: list[str] = []
        """Path of every request."""
        self.reports: list[str] = []
        self.message_status = 202
        self.control_status = 202
        self.url = ""
        self._opened = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sockets: dict[WebSocket, asyncio.Queue[StageFrame | None]] = {}

    def now(self) -> int:
        """The room's media sample."""
        return int((time.monotonic() - self._opened) * RATE)

    # --- called by tests, from their thread --------------------------------------------------------------------------

    def send(self, *frames: StageFrame) -> None:
        """To all renderers."""
        assert self._loop is not None

        def put() -> None:
            for queue in self._sockets.values():
                for frame in frames:
                    queue.put_nowait(frame)

        self._loop.call_soon_threadsafe(put)

    def perform(self, turn: Turn, text: str, seconds: float = 4) -> None:
        """Shows whom she answers, and a caption over the next seconds."""
        start = self.now() + LEAD
        self.send(
            StageFrame(performing=Performing(turn=turn, start_sample=start, speaking=True)),
            StageFrame(
                caption=Caption(
                    turn_id=turn.turn_id,
                    epoch=self.epoch,
                    text=text,
                    start_sample=start,
                    end_sample=start + int(seconds * RATE),
                )
            ),
        )

    def stop(self) -> float:
        """Ends her voice now. Returns the Unix time at which it was said."""
        self.epoch += 1
        self.speaking = False
        self.send(StageFrame(stop=StageStop(epoch=self.epoch, at_sample=self.now(), fade_ms=50)))
        return time.time()

    def hang_up(self) -> None:
        """Ends all connections, as a restart of the server would."""
        assert self._loop is not None

        def end() -> None:
            for queue in self._sockets.values():
                queue.put_nowait(None)

        self._loop.call_soon_threadsafe(end)

    # --- the server --------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator[FakeStage]:
        """Serves on a free port of loopback."""
        server = uvicorn.Server(uvicorn.Config(self._app(), port=0, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self.hang_up()
            server.should_exit = True
            thread.join(timeout=10)

    def _app(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._loop = asyncio.get_running_loop()
            yield

        app = FastAPI(lifespan=lifespan)

        @app.middleware("http")
        async def note(request: Request, call_next: Any) -> Response:
            self.requests.append(request.url.path)
            response: Response = await call_next(request)
            response.headers["Content-Security-Policy"] = STRICT
            return response

        @app.get("/rooms")
        async def rooms(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return JSONResponse({"detail": "token"}, 401)
            return JSONResponse([{"room_id": "lydia", **_json(self.status)}])

        @app.get("/rooms/{room_id}/queue")
        async def queue(room_id: str) -> dict[str, Any]:  # noqa: ARG001
            return {
                "waiting": [_json(decision) for decision in self.waiting],
                "recent": [_json(decision) for decision in self.recent],
                "status": _json(self.status),
            }

        @app.post("/rooms/{room_id}/{what}")
        async def post(request: Request, what: str) -> Response:
            body = await request.json()
            self.calls.append((request.url.path, request.headers.get("authorization", ""), body))
            if what == "control":
                return JSONResponse({"epoch": self.epoch}, self.control_status)
            return JSONResponse({"event_id": f"own-{len(self.calls)}"}, self.message_status)

        @app.get("/rooms/{room_id}")
        async def stage(room_id: str) -> Response:  # noqa: ARG001
            return FileResponse(self.pages / "stage.html")

        @app.get("/console")
        async def console() -> Response:
            return FileResponse(self.pages / "console.html")

        @app.get("/assets/{name:path}")
        async def asset(name: str) -> Response:
            path = self.pages / "assets" / name
            return FileResponse(path) if path.is_file() else Response(status_code=404)

        @app.get("/avatar/{name}")
        async def avatar(name: str) -> Response:
            path = self.bodies / name
            return FileResponse(path) if path.is_file() else Response(status_code=404)

        @app.websocket("/rooms/{room_id}/stream")
        async def stream(socket: WebSocket, room_id: str) -> None:
            await socket.accept()
            await self._perform(socket, room_id)

        return app

    async def _perform(self, socket: WebSocket, room_id: str) -> None:
        frames: asyncio.Queue[StageFrame | None] = asyncio.Queue(1000)
        self._sockets[socket] = frames
        hello = Hello(
            room_id=room_id,
            sample_rate=RATE,
            frame_rate=60,
            face_names=NAMES,
            joints=JOINTS,
            label=self.label,
            lead_ms=40,
            status=self.status,
        )
        for known in (StageFrame(hello=hello), *self.history):
            frames.put_nowait(known)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(socket))
                tasks.create_task(self._play(frames))
                for sequence in range(1 << 31):
                    frame = await frames.get()
                    if frame is None:
                        await socket.close(1012)
                        raise WebSocketDisconnect
                    frame.sequence, frame.now_sample = sequence, self.now()
                    await socket.send_bytes(frame.SerializeToString())
        except* (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            del self._sockets[socket]

    async def _listen(self, socket: WebSocket) -> None:
        while True:
            self.reports.append(await socket.receive_text())

    async def _play(self, frames: asyncio.Queue[StageFrame | None]) -> None:
        at = (self.now() + LEAD) // PIECE * PIECE
        sequence = 0
        while True:
            samples = at + np.arange(PIECE)
            if self.speaking:
                tone = 0.5 * loudness(samples) * np.sin(2 * np.pi * TONE_HZ * samples / RATE)
                voice = StageVoice(
                    turn_id=f"turn-{self.epoch}",
                    epoch=self.epoch,
                    sequence=sequence,
                    start_sample=at,
                    pcm_s16le=(tone * 32767).astype("<i2").tobytes(),
                )
                frames.put_nowait(StageFrame(voice=voice))
            frames.put_nowait(StageFrame(motion=self._motion(at)))
            sequence += 1
            at += PIECE
            await asyncio.sleep(max(0, (at - LEAD - self.now()) / RATE))

    def _motion(self, at: int) -> StageMotion:
        count = PIECE // FRAME
        face = np.zeros((count, SIZE), np.float32)
        samples = at + np.arange(count) * FRAME
        face[:, INDEX["JawOpen"]] = 0.6 * loudness(samples) * self.speaking
        face[:, [INDEX["MouthSmileLeft"], INDEX["MouthSmileRight"]]] = 0.3
        joints = np.broadcast_to(REST, (count, *REST.shape)).astype(np.float32)
        return StageMotion(
            start_sample=at,
            frame_count=count,
            face_f32le=face.tobytes(),
            joints_f32le=joints.tobytes(),
            epoch=self.epoch,
        )


def _json(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
