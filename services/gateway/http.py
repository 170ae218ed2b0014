"""The gateway over HTTP. README.md beside this file lists every answer."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from services.core.bus.port import BusUnavailable
from services.core.clock import Clock
from services.core.telemetry import Telemetry
from services.gateway.direct import Direct
from services.gateway.douyin import Receiver
from services.gateway.platform import Incoming, Unreadable
from services.gateway.service import Gateway, Refused, RoomsFull, not_now

PUSH_PATH = "/platforms/douyin/push"
MAX_PUSH_BYTES = 4 * 1024 * 1024
MAX_MESSAGE_BYTES = 16 * 1024
MAX_DISCARDED_BYTES = 16 * 1024 * 1024
ANSWER_WITHIN_S = 1.8
"""Douyin counts an answer after two seconds as a failure."""
PUSHES_AT_ONCE = 16
"""Pushes that are worked on at the same time. Were all begun that a platform can send, none would be finished in time,
and the work on each would be lost.
"""
WAIT_S = 0.3
"""How long another push waits for its turn before it is refused."""

RoomPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the room")]


def router(
    gateway: Gateway,
    direct: Direct,
    clock: Clock,
    telemetry: Telemetry,
    *,
    douyin: Receiver | None,
    message_token: str | None = None,
) -> APIRouter:
    """The gateway's routes. Without `douyin` a push is answered 404; with `message_token` messages must carry it."""
    routes = APIRouter()
    turns = asyncio.Semaphore(PUSHES_AT_ONCE)

    async def answer(platform: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """Runs the work within the time an answer may take, and counts what was refused."""
        try:
            with telemetry.metrics.push_seconds.labels(platform).time():
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    return await work()
        except TimeoutError:
            refused = Refused(503, "too_slow", f"the request was not finished within {ANSWER_WITHIN_S} s")
        except Refused as error:
            refused = error
        telemetry.metrics.refused.labels(platform, refused.reason).inc()
        headers = {"connection": "close"} if refused.status == 413 else {}
        if refused.status == 401:
            headers["www-authenticate"] = "Bearer" if platform == "direct" else "Signature"
        if refused.status in (429, 503):
            headers["retry-after"] = "1"
        return JSONResponse({"error": refused.reason, "message": str(refused)}, refused.status, headers)

    @routes.head(PUSH_PATH, summary="Douyin's self-test asks whether this address is alive")
    async def probe() -> Response:
        return Response()

    @routes.post(PUSH_PATH, summary="Douyin pushes a batch of events")
    async def push(request: Request) -> Response:
        async def work() -> Response:
            if douyin is None:
                raise Refused(404, "not_configured", "Douyin is not configured: set douyin.push_secrets")
            checked = douyin.check(request.headers)
            body = await _body(request, MAX_PUSH_BYTES)
            with gateway.in_hand():
                async with _a_turn(turns):
                    taken = await douyin.receive(checked, body)
            return JSONResponse(
                {
                    "err_no": 0,
                    "accepted": taken.accepted,
                    "duplicates": taken.duplicates,
                    "rejected": taken.rejected,
                    "unknown": taken.unknown,
                    "shed": taken.shed,
                }
            )

        return await answer("douyin", work)

    @routes.post("/rooms/{room_id}/messages", summary="A message without a platform", status_code=202)
    async def message(room_id: RoomPath, request: Request) -> Response:
        async def work() -> Response:
            _authorise(request, message_token)
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise Refused(415, "content_type", "content-type must be application/json")
            body = await _body(request, MAX_MESSAGE_BYTES)
            try:
                parsed = direct.parse(Incoming(room_id, body, clock.now_ms()))
            except Unreadable as error:
                raise Refused(400, "unreadable", str(error)) from None
            if parsed.bad:
                raise Refused(400, "bad_message", parsed.bad[0].reason)
            try:
                receipt = await gateway.accept(parsed.events, vouched=message_token is not None)
            except (BusUnavailable, RoomsFull) as error:
                raise not_now(error) from None
            if receipt.shed:
                raise Refused(429, "busy", "more messages come than she can choose from: try again later")
            return JSONResponse({"event_id": parsed.events[0].event_id}, 202)

        return await answer("direct", work)

    return routes


@asynccontextmanager
async def _a_turn(turns: asyncio.Semaphore) -> AsyncIterator[None]:
    """Waits for one of the turns and holds it. Raises Refused, 503, when none comes free within WAIT_S."""
    try:
        async with asyncio.timeout(WAIT_S):
            await turns.acquire()
    except TimeoutError:
        raise Refused(503, "busy", f"{PUSHES_AT_ONCE} pushes are under way: send it again") from None
    try:
        yield
    finally:
        turns.release()


def _authorise(request: Request, token: str | None) -> None:
    if token is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Refused(401, "token", "send the message token: authorization: Bearer …")


async def _body(request: Request, limit: int) -> bytes:
    """The whole body, of which never more than the limit is held. Raises Refused: 413 when it is larger.

    The rest of a larger body is read and thrown away up to MAX_DISCARDED_BYTES, since many clients read no answer
    before they have sent everything; after that the connection is cut.
    """
    body, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= limit:
                body += chunk
            elif size > limit + MAX_DISCARDED_BYTES:
                break
            else:
                body.clear()
    except ClientDisconnect:
        raise Refused(400, "disconnected", "the connection ended before the body did") from None
    if size > limit:
        raise Refused(413, "too_large", f"the body is over {limit} bytes")
    return bytes(body)
