"""The platform's hand at its cap: 100 signed pushes a second of 50 items each, open loop.

What a push costs its sender must not be taken from who answers it, on the same few cores: every request is written out
before the first is sent, and goes over a plain connection.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import re
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import uvloop

from loadtests.bench import CROWD
from loadtests.load.target import PUSH_SECRETS
from services.core.events import AudienceEvent, Chat, Gift, Like, Viewer
from services.core.ids import derived
from services.gateway.douyin import signed_headers
from services.gateway.http import PUSH_PATH
from services.gateway.platform import event_id
from services.gateway.simulator.wire import webhook_item

PUSHES_PER_S, ITEMS = 100, 50
ROOMS = tuple(f"intake{number}" for number in range(10))
KINDS = ("gift",) * 4 + ("chat",) * 56 + ("like",) * 40
"""Of a hundred pushes. A push holds items of one kind."""
VIEWERS = 50_000
ANSWER_S = 10.0
IDLE_S = 2.0
"""A connection that was not used for so long is not used again: the server may just be closing it."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Request(NamedTuple):
    """A push, written out."""

    written: bytes
    gifts: list[str]
    """Event ids."""


@dataclass
class Sent:
    """What one run sent, and the answers."""

    latencies_ms: list[float] = field(default_factory=list)
    """From the scheduled time to the answer."""
    refused: Counter[str] = field(default_factory=Counter)
    """Pushes that were not taken, by the answer."""
    accepted: int = 0
    """Items of pushes that were taken."""
    gifts: set[str] = field(default_factory=set)
    """Event ids of gifts that were taken."""
    unsure: set[str] = field(default_factory=set)
    """… and of those whose push had no answer, or a refusal after which the platform would push again."""
    late_ms: float = 0.0
    """The most that a push was sent after its time."""
    cpu_s: float = 0.0
    """What the sending took of this process."""


def push(number: int, chance: random.Random) -> tuple[str, str, list[dict[str, object]], list[str]]:
    """Room, message type, items and event ids of a push."""
    room_id, kind = ROOMS[number % len(ROOMS)], KINDS[number * 37 % 100]
    items, ids, message_type = [], [], ""
    for place in range(ITEMS):
        viewer = f"viewer{chance.randrange(VIEWERS)}"
        message_id = f"intake-{number}-{place}"
        event = AudienceEvent(viewer=Viewer(id=viewer, name=f"观众{viewer[6:]}"), message_id=message_id)
        match kind:
            case "gift":
                event.gift.CopyFrom(Gift(gift_id="heart", name="小心心", count=1, value_fen=10))
            case "chat":
                event.chat.CopyFrom(Chat(text=f"{chance.choice(CROWD)} {chance.randrange(1000)}"))
            case _:
                event.like.CopyFrom(Like(count=chance.randrange(1, 20)))
        message_type, item = webhook_item(event, message_id, 0)
        items.append(item)
        ids.append(event_id("douyin", room_id, message_id))
    return room_id, message_type, items, ids if kind == "gift" else []


def signed(number: int, chance: random.Random, stamp_ms: int) -> tuple[dict[str, str], bytes, list[str]]:
    """Headers, body and the gifts' event ids of a push at that time."""
    room_id, message_type, items, ids = push(number, chance)
    body = json.dumps([item | {"timestamp": stamp_ms} for item in items], ensure_ascii=False).encode()
    headers = signed_headers(
        body,
        PUSH_SECRETS[message_type],
        room_id=room_id,
        message_type=message_type,
        nonce=derived("intake", number, stamp_ms),
        stamp_ms=stamp_ms,
    )
    return headers, body, ids


def requests(address: str, seconds: float, seed: int, *, per_s: float = PUSHES_PER_S, first: int = 0) -> list[Request]:
    """All pushes of a run that begins soon: a push may be some minutes old. `first` is the number of the first one."""
    chance, now_ms, made = random.Random(seed), time.time() * 1000, []
    for number in range(first, first + round(seconds * per_s)):
        headers, body, gifts = signed(number, chance, int(now_ms + (number - first) * 1000 / per_s))
        lines = [f"POST {PUSH_PATH} HTTP/1.1", f"host: {address}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        made.append(Request("\r\n".join([*lines, "", ""]).encode() + body, gifts))
    return made


class _Connections:
    """To one address, as many as pushes are under way."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._free: deque[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = deque()

    async def post(self, written: bytes) -> str:
        """The refusal of a request, "" when it was taken. Raises OSError, EOFError, ValueError."""
        loop = asyncio.get_running_loop()
        while self._free and self._free[0][0] < loop.time() - IDLE_S:
            self._free.popleft()[2].close()
        if self._free:
            _, reader, writer = self._free.pop()
        else:
            reader, writer = await asyncio.open_connection(self._host, int(self._port))
        try:
            writer.write(written)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
        except BaseException:
            writer.close()
            raise
        self._free.append((loop.time(), reader, writer))
        status = head.split(b" ", 2)[1].decode()
        return "" if status == "200" else f"{status} {json.loads(body).get('error', '')}"

    def close(self) -> None:
        for _, _, writer in self._free:
            writer.close()


async def send(address: str, made: Sequence[Request], per_s: float) -> Sent:
    """All pushes, each at its time, whatever becomes of those before."""
    sent, connections = Sent(), _Connections(address)
    begin, cpu_s = time.perf_counter() + 1, time.process_time()

    async def one(scheduled: float, push: Request) -> None:
        sent.late_ms = max(sent.late_ms, (time.perf_counter() - scheduled) * 1000)
        try:
            async with asyncio.timeout(ANSWER_S):
                refusal = await connections.post(push.written)
        except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
            refusal = type(error).__name__
        sent.latencies_ms.append((time.perf_counter() - scheduled) * 1000)
        if refusal:
            sent.refused[refusal] += 1
            sent.unsure.update(push.gifts)
        else:
            sent.accepted += ITEMS
            sent.gifts.update(push.gifts)

    async with asyncio.TaskGroup() as tasks:
        for number, push in enumerate(made):
            scheduled = begin + number / per_s
            await asyncio.sleep(max(scheduled - time.perf_counter(), 0))
            tasks.create_task(one(scheduled, push), name="push")
    connections.close()
    sent.cpu_s = time.process_time() - cpu_s
    return sent


def send_all(address: str, made: Sequence[Request], per_s: float = PUSHES_PER_S) -> Sent:
    """For a process of its own, so that nothing else of the harness makes it late."""
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(send(address, made, per_s))
