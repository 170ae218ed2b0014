"""The stage's outside surface: pages, the stream of the performance, and the console's calls."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, WebSocket, WebSocketDisconnect
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, RedirectResponse, Response
from google.protobuf.json_format import MessageToDict
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from services.core.bus.port import BusUnavailable
from services.core.events import (
    MODE_APPROVE,
    MODE_AUTO,
    MODE_TAKEOVER,
    Approve,
    Control,
    Mode,
    Mute,
    Panic,
    Say,
    SetMode,
    Skip,
    Stop,
)
from services.core.state.port import StateUnavailable
from services.stage.room import Room, numbered
from services.stage.service import NotNow, Stage, StageFull, Unsayable

ROOM_ID = r"^[A-Za-z0-9_-]{1,64}$"
RoomId = Annotated[str, PathParameter(pattern=ROOM_ID)]

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Played(BaseModel):
    """Where a renderer is in the performance."""

    drift_ms: float = Field(
        allow_inf_nan=False, description="by how much it plays later (+) or earlier (-) than it would"
    )


class Report(BaseModel):
    """What a renderer tells about once a second."""

    played: Played
    label_shown: bool | None = Field(None, description="whether it shows the AI label; unset by those that cannot tell")


class ControlBody(BaseModel):
    """What an operator asks for."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["stop", "skip", "say", "mute", "panic", "mode", "approve"]
    event_id: str = Field("", max_length=64)
    turn_id: str = Field("", max_length=64)
    text: str = Field("", max_length=500)
    muted: bool = True
    released: bool = False
    mode: Literal["auto", "approve", "takeover"] = "auto"
    operator: str = Field("operator", max_length=64, pattern=r"^[\w .-]{1,64}$")

    def control(self) -> Control:
        """The event. Raises HTTPException for an action that lacks its part, and for another service's name."""
        if self.operator in ("audience", "stage"):  # whose own orders are not obeyed again
            raise HTTPException(422, f"{self.operator!r} is a service; name who gives the order")
        modes: dict[str, Mode] = {"auto": MODE_AUTO, "approve": MODE_APPROVE, "takeover": MODE_TAKEOVER}
        match self.action:
            case "stop":
                return Control(stop=Stop())
            case "skip":
                return Control(skip=Skip(event_id=self.event_id, turn_id=self.turn_id))
            case "say" if self.text.strip():
                return Control(say=Say(text=self.text.strip()))
            case "mute":
                return Control(mute=Mute(muted=self.muted))
            case "panic":
                return Control(panic=Panic(released=self.released))
            case "mode":
                return Control(set_mode=SetMode(mode=modes[self.mode]))
            case "approve" if self.event_id:
                return Control(approve=Approve(event_id=self.event_id))
        missing = "text" if self.action == "say" else "event_id"
        raise HTTPException(422, f"the action {self.action!r} needs {missing!r}")


def router(
    stage: Stage, *, operator_token: SecretStr, web: Path, avatar: Path, own: Path | None, start_room: str
) -> APIRouter:
    """All routes of the stage.

    `web` holds the built pages, `avatar` the built bodies (lydia.vrm, lydia-lite.vrm); `own` is the VRM file that is
    worn instead of them.
    """
    routes = APIRouter()
    operator = [Depends(_operator(operator_token))]

    @routes.get("/", include_in_schema=False)
    async def start() -> Response:
        return RedirectResponse(f"/rooms/{start_room}")

    @routes.get("/rooms/{room_id}", include_in_schema=False)
    async def stage_page(room_id: RoomId) -> Response:  # noqa: ARG001 - checked; the page reads it from its address
        return _page(web / "stage.html")

    @routes.get("/console", include_in_schema=False)
    async def console_page() -> Response:
        return _page(web / "console.html")

    @routes.get("/assets/{name:path}", include_in_schema=False)
    async def asset(name: str) -> Response:
        return _file(web / "assets", name)

    @routes.get("/avatar/own.vrm", include_in_schema=False)
    async def own_body() -> Response:
        return Response(status_code=204) if own is None else _sent(own)

    @routes.get("/avatar/{name}", include_in_schema=False)
    async def body(name: str) -> Response:
        return _file(avatar, name)

    @routes.websocket("/rooms/{room_id}/stream")
    async def stream(socket: WebSocket, room_id: str, content: str = "all") -> None:
        if not re.match(ROOM_ID, room_id) or not _same_origin(socket):
            await socket.close(1008, "not allowed")
            return
        await socket.accept()
        try:
            room = await stage.open(room_id)
            await _perform(stage, room, socket, console=content == "words")
        except StageFull as full:
            await socket.close(1013, str(full))
        except (StateUnavailable, BusUnavailable):
            await socket.close(1013, "try again later")

    @routes.get("/rooms", dependencies=operator)
    async def rooms() -> list[dict[str, Any]]:
        return [{"room_id": room_id, **_json(status)} for room_id, status in stage.rooms().items()]

    @routes.get("/rooms/{room_id}/queue", dependencies=operator)
    async def queue(room_id: RoomId) -> dict[str, Any]:
        stage.attend(room_id)
        waiting, recent = stage.queue(room_id)
        status = stage.rooms().get(room_id)
        return {
            "waiting": [_json(decision) for decision in waiting],
            "recent": [_json(decision) for decision in recent],
            "status": _json(status) if status is not None else None,
        }

    @routes.post("/rooms/{room_id}/control", status_code=202, dependencies=operator)
    async def control(room_id: RoomId, body: ControlBody) -> dict[str, Any]:
        asked = body.control()
        try:
            told = await stage.control(room_id, asked, issued_by=body.operator)
        except NotNow as held:
            raise HTTPException(409, str(held)) from None
        except Unsayable as found:
            raise HTTPException(422, f"She must not say this ({found}). Word it otherwise.") from None
        except StageFull as full:
            raise HTTPException(503, str(full)) from None
        except (BusUnavailable, StateUnavailable, TimeoutError):
            detail = "Nothing was done: the other services cannot be told. Press again in a moment."
            raise HTTPException(503, detail) from None
        return {"control_id": asked.control_id, "epoch": asked.epoch, "told": told}

    return routes


async def _perform(stage: Stage, room: Room, socket: WebSocket, *, console: bool) -> None:
    """Sends until the renderer leaves or falls too far behind."""
    with stage.joined(room, console=console) as renderer:
        if len(room.renderers) == 1 and not console:
            await stage.announce(room)
        try:
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(_listen(stage, socket), name="renderer reports")
                while not listening.done():
                    content = await renderer.messages.get()
                    if content is None:
                        await socket.close(1013, "too slow")
                        listening.cancel()
                        break
                    await socket.send_bytes(numbered(renderer, content, room.now()))
        except* WebSocketDisconnect:
            pass
    if not room.renderers and not console:
        await stage.announce(room)


async def _listen(stage: Stage, socket: WebSocket) -> None:
    """Takes what the renderer reports of itself, until it leaves. Anything that is no report is ignored."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        try:
            report = Report.model_validate_json(message.get("text") or "")
        except ValidationError:
            continue
        stage.measured(report.played.drift_ms / 1000)
        if report.label_shown is not None:
            stage.labelled(report.label_shown)


def _operator(token: SecretStr) -> Callable[..., None]:
    expected = f"Bearer {token.get_secret_value()}".encode()

    def check(authorization: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(authorization.encode(), expected):
            mend = "send `Authorization: Bearer <operator token>`; `lydia up` prints the console's address with it"
            raise HTTPException(401, mend, {"WWW-Authenticate": "Bearer"})

    return check


def _same_origin(socket: WebSocket) -> bool:
    """Browsers send an Origin; another site's page must not read the room through a viewer's browser."""
    origin = socket.headers.get("origin")
    return origin is None or origin.split("://", 1)[-1] == socket.headers.get("host")


def _page(path: Path) -> Response:
    if not path.is_file():
        raise HTTPException(503, "The pages are not built yet. Mend: run `make setup`.")
    return FileResponse(path, headers=PAGE_HEADERS)


def _file(folder: Path, name: str) -> Response:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise HTTPException(404, "no such file")
    return _sent(path)


def _sent(path: Path) -> Response:
    if not path.is_file():
        raise HTTPException(404, "no such file")
    return FileResponse(path, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"})


def _json(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
