"""The simulated platform over HTTP: Douyin's calls under their own paths, and `/simulator` for its tester."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Self

import yaml
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.core.events import AudienceEvent, Chat, FansClub, Follow, Gift, Like, Viewer
from services.core.ids import Ids
from services.gateway.simulator.options import Faults, Options
from services.gateway.simulator.platform import CallFailed, Platform
from services.gateway.simulator.push import Pusher
from services.gateway.simulator.words import GIFTS


class RoomChange(BaseModel):
    """What the anchor does with the live."""

    model_config = ConfigDict(extra="forbid")
    live: bool = True
    mounted: bool = True
    granted: bool = True


class Deed(BaseModel):
    """What the tester lets a viewer do: exactly one of text, gift_fen, likes, follow, fans_club."""

    model_config = ConfigDict(extra="forbid")
    viewer: str = Field("Tester", min_length=1, max_length=64)
    text: str | None = Field(None, min_length=1, max_length=1000)
    gift_fen: int | None = Field(None, ge=1, le=10**9)
    likes: int | None = Field(None, ge=1, le=10_000)
    follow: bool = False
    fans_club: bool = False

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        things = (self.text is not None, self.gift_fen is not None, self.likes is not None, self.follow, self.fans_club)
        if sum(things) != 1:
            raise ValueError("exactly one of text, gift_fen, likes, follow, fans_club is needed")
        return self


def build(platform: Platform, pusher: Pusher, ids: Ids) -> FastAPI:
    """The app. It needs no start-up of its own."""
    app = FastAPI(title="Simulated Douyin", docs_url=None, redoc_url=None)
    chance = random.Random(platform.options.seed + 2)

    def in_order(failure: int) -> None:
        """Raises CallFailed as often as the fault says."""
        if chance.random() < pusher.faults.system_errors:
            raise CallFailed(failure, "system error")

    def enveloped(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The envelope of the live data calls."""
        try:
            in_order(10001)
            return {"err_no": 0, "err_msg": "ok", "logid": ids.new(), "data": work()}
        except CallFailed as error:
            return {"err_no": error.code, "err_msg": str(error), "logid": ids.new(), "data": {}}

    @app.post("/api/apps/v2/token")
    async def token(request: Request) -> dict[str, Any]:
        body = await _object(request)
        try:
            in_order(-1)
            data = platform.issue_token(body.get("appid"), body.get("secret"), body.get("grant_type"))
        except CallFailed as error:
            return {"err_no": error.code, "err_tips": str(error), "data": {"access_token": "", "expires_in": 0}}
        return {"err_no": 0, "err_tips": "success", "data": data}

    @app.post("/api/webcastmate/info")
    async def room_info(request: Request) -> dict[str, Any]:
        body = await _object(request)
        try:
            in_order(-1)
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
        past_end = None if pusher.faults.past_end == "empty" else int(pusher.faults.past_end)
        return enveloped(lambda: platform.failed_data(_token(request), dict(request.query_params), past_end))

    @app.post("/api/live_data/ack")
    async def ack(request: Request) -> dict[str, Any]:
        body = await _object(request)

        def record() -> dict[str, Any]:
            try:
                messages = json.loads(body["data"])
            except (KeyError, TypeError, ValueError, RecursionError):
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
            "refusals": dict(pusher.refusals),
            "acks": len(platform.acks),
        }

    @app.patch("/simulator/faults")
    async def change_faults(request: Request) -> Any:
        try:
            faults = Faults.model_validate(pusher.faults.model_dump() | await _object(request))
            platform.options.check(faults)
        except ValidationError as error:
            return JSONResponse({"error": json.loads(error.json(include_url=False, include_context=False))}, 422)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 422)
        pusher.faults = faults
        return faults.model_dump()

    @app.get("/simulator/settings")
    async def settings() -> Response:
        """Settings with which Lydia plays in the simulated room, as her YAML file."""
        return Response(yaml.safe_dump(lydia_settings(platform.options), allow_unicode=True), media_type="text/yaml")

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
        return {"msg_id": message_id, "outcome": pusher.offer(_event(deed), message_id)}

    return app


def lydia_settings(options: Options) -> dict[str, Any]:
    """What to set for Lydia so that she plays in the simulated room, in the shape of her YAML file."""
    base = f"http://{options.host}:{options.port}"
    douyin: dict[str, Any] = {
        "app_id": options.app_id,
        "app_secret": options.app_secret,
        "push_secrets": dict(options.push_secrets),
        "token_url": f"{base}/api/apps/v2/token",
        "api_url": base,
        "rooms": [options.room_id],
        "gifts": {gift.gift_id: {"name": gift.name, "price_fen": gift.price_fen} for gift in GIFTS},
    }
    if options.pipe_port is not None:
        douyin["pipe_port"] = options.pipe_port
    return {"room": options.room_id, "douyin": douyin}


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
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
