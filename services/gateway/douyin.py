"""Douyin's signed pushes: is this one authentic, fresh and new, and does the bus have what it brought?"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from services.core.bus.port import BusUnavailable
from services.core.clock import Clock
from services.core.ids import derived
from services.core.state.port import Drop, State, StateUnavailable
from services.core.telemetry import Telemetry
from services.gateway import fields as read
from services.gateway.douyin_items import ALIASES, CROWD, KNOWN, PLATFORM, WebhookItems
from services.gateway.platform import BadItem, Incoming, Unreadable
from services.gateway.service import Gateway, Refused, RoomsFull, not_now

SIGNED = ("x-msg-type", "x-nonce-str", "x-roomid", "x-timestamp")
FORGET_S = 0.2
"""How long the answer waits for a push that could not be taken to be forgotten."""
_ROOM = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def sign(headers: Mapping[str, str], body: bytes | str, secret: str) -> str:
    """The `x-signature` of a push: base64 of the MD5 over the signed headers, the raw body and the secret.

    The headers, named in any case, are sorted and joined as `k=v` with `&`; body and secret follow without a
    separator. Raises KeyError when a signed header is missing.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    signed = "&".join(f"{name}={by_name[name]}" for name in SIGNED).encode() + raw + secret.encode()
    return base64.b64encode(hashlib.md5(signed, usedforsecurity=False).digest()).decode()


def signed_headers(
    body: bytes, secret: str, *, room_id: str, message_type: str, nonce: str, stamp_ms: int
) -> dict[str, str]:
    """All headers of a push, as the platform sends it. `stamp_ms`: Unix time."""
    headers = {
        "content-type": "application/json",
        "x-nonce-str": nonce,
        "x-timestamp": str(stamp_ms),
        "x-roomid": room_id,
        "x-msg-type": message_type,
    }
    return headers | {"x-signature": sign(headers, body, secret)}


def verify(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether `x-signature` is right, compared in constant time. Raises KeyError like `sign`."""
    by_name = {name.lower(): value for name, value in headers.items()}
    return hmac.compare_digest(by_name.get("x-signature", "").encode(), sign(by_name, body, secret).encode())


@dataclass(frozen=True, slots=True)
class Push:
    """A push that may be read on."""

    headers: Mapping[str, str]
    """The five signed headers, each once and in lower case: what is verified is what is used."""
    secret: str | None
    """None for a type that this version does not know and that has no secret: its body is never looked at."""

    @property
    def message_type(self) -> str:
        return self.headers["x-msg-type"]

    @property
    def room_id(self) -> str:
        return self.headers["x-roomid"]


@dataclass(frozen=True, slots=True)
class Taken:
    """How many of a push's items were accepted, known already, bad, of an unknown type, or left out as too many."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    unknown: int = 0
    shed: int = 0


class Receiver:
    """Takes pushes. Every step that can refuse comes before the parsing, and none keeps a refused body.

    `secrets` by message type; `window_s` is how far a push's time stamp may be off; `failed(room_id)` is told when
    an authentic push could not be taken: of gifts and fans club Douyin then keeps a copy to be fetched.
    """

    def __init__(
        self,
        gateway: Gateway,
        adapter: WebhookItems,
        state: State,
        clock: Clock,
        telemetry: Telemetry,
        *,
        secrets: Mapping[str, str],
        window_s: int = 300,
        failed: Callable[[str], None] = lambda _room_id: None,
    ) -> None:
        self._gateway = gateway
        self._adapter = adapter
        self._state = state
        self._clock = clock
        self._metrics = telemetry.metrics
        self._secrets = dict(secrets)
        self._window_s = window_s
        self._failed = failed
        self._forgetting: set[asyncio.Task[None]] = set()

    def check(self, headers: Mapping[str, str]) -> Push:
        """What can be refused before the body has been read. Raises Refused."""
        once = {name: headers.get(name, "") for name in (*SIGNED, "x-signature")}
        missing = [name for name, value in once.items() if not value]
        if missing:
            raise Refused(401, "missing_header", f"{', '.join(missing)} must be sent")
        message_type = once["x-msg-type"]
        if not _ROOM.fullmatch(once["x-roomid"]):
            raise Refused(400, "bad_room", "x-roomid must be 1 to 64 letters, digits, - or _")
        secret = self._secrets.get(message_type) or self._secrets.get(ALIASES.get(message_type, ""))
        if secret is None and message_type in KNOWN:
            raise Refused(
                401, "no_secret", f"no data secret for {message_type}: set douyin.push_secrets.{message_type} (console)"
            )
        sent_ms = read.time_ms(once["x-timestamp"], 0)
        if abs(self._clock.now_ms() - sent_ms) > self._window_s * 1000:
            raise Refused(401, "stale", f"x-timestamp is more than {self._window_s} s away from this server's clock")
        return Push(once, secret)

    async def receive(self, push: Push, body: bytes) -> Taken:
        """Returns when the bus has the push's events.

        Raises Refused: 401 for a wrong signature or a repetition, 400 for a body without items, 503 when bus or
        state cannot take the events now or all rooms are taken.
        """
        if push.secret is None:
            self._metrics.refused.labels(PLATFORM, "unknown_type").inc()
            return Taken(unknown=1)
        if not verify(push.headers, body, push.secret):
            raise Refused(
                401, "signature", f"x-signature does not fit the raw body and the secret of {push.message_type}"
            )
        # Of the signature, which covers the nonce: nothing says how long nonces are, so two pushes may have the same.
        seen = f"room:{push.room_id}:douyin:push:{derived(push.headers['x-signature'])}"
        try:
            # A stamp may be a window in the future, and stays fresh for a window after that.
            if not await self._state.first_time(seen, ttl_s=2 * self._window_s):
                raise Refused(401, "replayed", "this very push came before")
            return await self._take(push, body)
        except (BusUnavailable, StateUnavailable, RoomsFull, asyncio.CancelledError) as error:
            self._failed(push.room_id)
            # The platform may send the very same request again. A state that hangs must not hold up the answer.
            forgetting = asyncio.create_task(self._forget(seen))
            self._forgetting.add(forgetting)
            forgetting.add_done_callback(self._forgetting.discard)
            if isinstance(error, asyncio.CancelledError):
                raise
            await asyncio.wait({forgetting}, timeout=FORGET_S)
            raise not_now(error) from None

    async def _forget(self, seen: str) -> None:
        with suppress(StateUnavailable):
            await self._state.apply(Drop(seen))

    async def _take(self, push: Push, body: bytes) -> Taken:
        incoming = Incoming(push.room_id, body, self._clock.now_ms(), push.message_type)
        try:
            items = self._adapter.items(incoming)
        except Unreadable as error:
            await self._gateway.bury(PLATFORM, push.room_id, [BadItem(body, f"{push.message_type}: {error}")])
            raise Refused(400, "unreadable", f"{error}; it was kept in the dead letters") from None
        lane = CROWD.get(ALIASES.get(push.message_type, push.message_type))
        if lane is not None and self._gateway.leaves_out(lane, len(items)):
            return Taken(shed=len(items))
        parsed = self._adapter.events(items, incoming)
        receipt = await self._gateway.accept(parsed.events, vouched=True, waited_s=self._gateway.waited_s())
        if parsed.bad:
            await self._gateway.bury(PLATFORM, push.room_id, parsed.bad)
        if parsed.unknown:
            self._metrics.refused.labels(PLATFORM, "unknown_type").inc(parsed.unknown)
        return Taken(receipt.accepted, receipt.duplicates, len(parsed.bad), parsed.unknown, receipt.shed)
