"""What every request to her passes: nothing too large or too slow comes in, and no answer is of use to other sites."""

from __future__ import annotations

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.http import PUSH_PATH

MAX_BODY_BYTES = 16 * 1024 * 1024 + 4 * 1024 * 1024
"""More than any route wants. The gateway's routes answer larger bodies themselves, up to this."""
MAX_CALL_BYTES = 64 * 1024
"""Of a body that is no push and no message; and of what a renderer says at once."""
BODY_WITHIN_S = 30.0
"""Nobody may hold a request open by sending its body drop by drop."""


class Guard:
    """Bounds what a request may send and how long that may take, and keeps other sites from using any answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = scope["path"] == PUSH_PATH or scope["path"].endswith("/messages")
        left = MAX_BODY_BYTES if taken else MAX_CALL_BYTES

        deadline = asyncio.get_running_loop().time() + BODY_WITHIN_S
        whole = False

        async def bounded() -> Message:
            nonlocal left, whole
            if whole:  # who asks now waits for the caller to go away
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the body did not come in time", {"connection": "close"}) from None
            whole = not message.get("more_body", False)
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, "the body is too large", {"connection": "close"})
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-content-type-options"] = "nosniff"
                headers["cross-origin-resource-policy"] = "same-origin"
            await send(message)

        await self._app(scope, bounded, marked)
