"""The simulated platform over HTTP: Douyin's calls under their own paths, and `/simulator` for its tester."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.core.events import AudienceEvent, Chat, FansClub, Follow, Gift, Like, Viewer
from services.core.ids import Ids
from services.gateway.simulator.options import Faults
from services.gateway.simulator.platform import CallFailed, Platform
from services.gateway.simulator.push import Pusher


class RoomChange(BaseModel):
    """What the anchor does with the live."""

    model_config = ConfigDict(extra="forbid")
    live: bool = True
    mounted: bool = True
    granted: bool = True


class Deed(BaseModel):
    """What the tester lets a viewer do: one of text, gift (fen), likes, follow, fans_club."""

    model_config = ConfigDict(extra="forbid")
    viewer: str = Field("Tester", max_length=64)
    text: str | None = None
    gift_fen: int | None = Field(None, ge=1)
    likes: int | None = Field(None, ge=1)
    follow: bool = False
    fans_club: bool = False


def build(platform: Platform, pusher: Pusher, ids: Ids) -> FastAPI:
    """The app. It needs no start-up of its own."""
    app = FastAPI(title="Simulated Douyin", docs_url=None, redoc_url=None)

    def enveloped(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The envelope of the live data calls."""
        try:
            return {"err_no": 0, "err_msg": "ok", "logid": ids.new(), "data": work()}
        except CallFailed as error:
            return {"err_no": error.code, "err_msg": str(error), "logid": ids.new(), "data": {}}

    @app.post("/api/apps/v2/token")
    async def token(request: Request) -> dict[str, Any]:
        body = await _object(request)
        try:
            data = platform.issue_token(body.get("appid"), body.get("secret"), body.get("grant_type"))
        except CallFailed as error:
            return {"err_no": error.code, "err_tips": str(error), "data": {"access_token": "", "expires_in": 0}}
        return {"err_no": 0, "err_tips": "success", "data": data}

    @app.post("/api/webcastmate/info")
    async def room_info(request: Request) -> dict[str, Any]:
        body = await _object(request)
        try:
            return {"data": platform.room_info(request.headers.get("x-token", ""), body.get("token"))}
        except CallFailed as error:
            return {"errcode": error.code, "errmsg": str(error)}

    @app.post("/api/live_data/task/start")
    async def start(request: Request) -> dict[str, Any]:
        body = await _object(request)
        return enveloped(lambda: platform.start_task(_token(request), body))

    @app.post("/api/live_data/task/stop")
    async def stop(request: Request) -> dict[str, Any]:
        body = await _object(request)
        return enveloped(lambda: platform.stop_task(_token(request), body))

    @app.get("/api/live_data/task/get")
    async def status(request: Request) -> dict[str, Any]:
        return enveloped(lambda: platform.task_status(_token(request), dict(request.query_params)))

    @app.get("/api/live_data/task/fail_data/get")
    async def failed(request: Request) -> dict[str, Any]:
        return enveloped(lambda: platform.failed_data(_token(request), dict(request.query_params)))

    @app.post("/api/live_data/ack")
    async def ack(request: Request) -> dict[str, Any]:
        body = await _object(request)

        def record() -> dict[str, Any]:
            try:
                messages = json.loads(body["data"])
            except (KeyError, TypeError, ValueError):
                raise CallFailed(40001, "data is no JSON string") from None
            if not isinstance(messages, list):
                raise CallFailed(40001, "data is no array")
            platform.ack(_token(request), body.get("room_id"), body.get("app_id"), body.get("ack_type"), messages)
            return {}

        return enveloped(record)

    @app.get("/simulator")
    async def state() -> dict[str, Any]:
        return {
            "online": pusher.online,
            "breaker_open": pusher.breaker.open,
            "profile": platform.options.profile,
            "seed": platform.options.seed,
            "room": vars(platform.room),
            "faults": pusher.faults.model_dump(),
            "counts": dict(pusher.counts),
            "acks": len(platform.acks),
        }

    @app.patch("/simulator/faults")
    async def change_faults(request: Request) -> dict[str, Any]:
        try:
            pusher.faults = Faults.model_validate(pusher.faults.model_dump() | await _object(request))
        except ValidationError as error:
            return {"error": json.loads(error.json(include_url=False, include_context=False))}
        return pusher.faults.model_dump()

    @app.put("/simulator/room")
    async def change_room(change: RoomChange) -> dict[str, Any]:
        platform.set_room(live=change.live, mounted=change.mounted, granted=change.granted)
        return vars(platform.room)

    @app.get("/simulator/acks")
    async def acks() -> list[dict[str, Any]]:
        return [
            {"room_id": report.room_id, "ack_type": report.ack_type, "messages": report.messages}
            for report in platform.acks
        ]

    @app.post("/simulator/events")
    async def act(deed: Deed) -> dict[str, str]:
        message_id = ids.new()
        pusher.offer(_event(deed), message_id)
        return {"msg_id": message_id}

    return app


def _event(deed: Deed) -> AudienceEvent:
    event = AudienceEvent(viewer=Viewer(id=f"_000tester{deed.viewer}", name=deed.viewer))
    if deed.gift_fen is not None:
        event.gift.CopyFrom(Gift(gift_id="SIMULATEDGIFTTEST==", count=1, value_fen=deed.gift_fen))
    elif deed.likes is not None:
        event.like.CopyFrom(Like(count=deed.likes))
    elif deed.follow:
        event.follow.CopyFrom(Follow(action=Follow.ACTION_FOLLOWED))
    elif deed.fans_club:
        event.fans_club.CopyFrom(FansClub(reason=FansClub.REASON_JOINED, level=1))
    else:
        event.chat.CopyFrom(Chat(text=deed.text or ""))
    return event


def _token(request: Request) -> str:
    return request.headers.get("access-token", "")


async def _object(request: Request) -> dict[str, Any]:
    """The request's JSON object; an empty one for anything else, which then lacks its parameters."""
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
