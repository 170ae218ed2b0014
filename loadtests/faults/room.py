"""The room of the faults' test: people who give and write steadily, whatever breaks, and somebody who watches."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from loadtests.bench import TYPED
from services.core.events import StageFrame

ROOM = "faults"
GIFT_EVERY_S = 3.0
TEXT_EVERY_S = 2.0
"""More than she can answer: she is never silent for want of somebody to talk to."""
SMALL_FEN, BIG_FEN = 10, 2_000
"""Every BIG_EVERYth gift is one that cuts in."""
BIG_EVERY = 5
AGAIN_S = 0.5
"""Between two attempts to hand in what was not taken, as a platform pushes it again."""
GIVE_UP_S = 90.0
BACK_S = 0.1


@dataclass
class People:
    """They send through `address` (HOST:PORT). What they do follows from `chance`."""

    address: str
    chance: random.Random
    label: str = ""
    """Of what is sent now; each gift counts for its label."""
    sent: dict[str, str] = field(default_factory=dict)
    """Gift's own id → label."""
    accepted: dict[str, str] = field(default_factory=dict)
    """Event id of a gift that was taken → label."""
    repeats: int = 0
    """How often a gift had to be handed in again."""
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until `enough`; then nothing more begins, and what was begun is handed in."""
        self.enough.clear()
        async with (
            httpx.AsyncClient(base_url=f"http://{self.address}", trust_env=False, timeout=3) as client,
            asyncio.TaskGroup() as tasks,
        ):
            await self._send(client, tasks)

    async def _send(self, client: httpx.AsyncClient, tasks: asyncio.TaskGroup) -> None:
        loop, number = asyncio.get_running_loop(), len(self.sent)
        next_gift = next_text = loop.time()
        while not self.enough.is_set():
            if (now := loop.time()) >= next_gift:
                number += 1
                tasks.create_task(self._give(client, number), name=f"gift {number}")
                next_gift += GIFT_EVERY_S * self.chance.uniform(0.5, 1.5)
            if now >= next_text:
                viewer = f"writer{self.chance.randrange(10_000)}"
                body: dict[str, Any] = {"viewer": {"id": viewer, "name": "小星"}, "text": self.chance.choice(TYPED)}
                tasks.create_task(self._post(client, body), name="text")
                next_text += TEXT_EVERY_S
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(next_gift, next_text)):
                    await self.enough.wait()

    async def _give(self, client: httpx.AsyncClient, number: int) -> None:
        """Hands a gift in, again and again with the same id, until it is taken."""
        value = BIG_FEN if number % BIG_EVERY == 0 else SMALL_FEN
        label, gift_id = self.label, f"gift{number}"
        self.sent[gift_id] = label
        body: dict[str, Any] = {
            "id": gift_id,
            "viewer": {"id": f"giver{number}", "name": f"观众{number}"},
            "gift": {"name": "小心心", "count": 1, "value_fen": value},
        }
        until = time.perf_counter() + GIVE_UP_S
        while (event_id := await self._post(client, body)) is None and time.perf_counter() < until:
            self.repeats += 1
            await asyncio.sleep(AGAIN_S)
        if event_id is not None:
            self.accepted[event_id] = label

    async def _post(self, client: httpx.AsyncClient, body: dict[str, Any]) -> str | None:
        """The event's id, once it is taken."""
        try:
            answer = await client.post(f"/rooms/{ROOM}/messages", json=body)
        except httpx.HTTPError:
            return None
        return str(answer.json()["event_id"]) if answer.status_code == 202 else None


@dataclass
class Watcher:
    """What a renderer of the room saw, over lost streams too. Times are `perf_counter` seconds."""

    epoch: int = 0
    """The newest one that was heard or named in a stop."""
    old: int = 0
    """Voice, captions or frames of an epoch that was dead by then."""
    voices: list[float] = field(default_factory=list)
    """When voice came."""
    _voice: dict[int, float] = field(default_factory=dict)
    _motion: dict[int, float] = field(default_factory=dict)
    """Epoch → when the newest voice, or frames, of it came."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, data: bytes, now: float) -> None:
        """One message of the stage."""
        frame = StageFrame.FromString(data)
        match frame.WhichOneof("content"):
            case "voice":
                self._dead(frame.voice.epoch)
                self.epoch = max(self.epoch, frame.voice.epoch)
                self.voices.append(now)
                self._voice[frame.voice.epoch] = now
            case "motion":
                self._dead(frame.motion.epoch)
                self._motion[frame.motion.epoch] = now
            case "caption":
                self._dead(frame.caption.epoch)
            case "stop":
                self.epoch = max(self.epoch, frame.stop.epoch)
        self._news.set()

    def _dead(self, epoch: int) -> None:
        self.old += 0 < epoch < self.epoch  # frames that perform no turn have none

    async def speaks(self, since: float, within_s: float) -> float | None:
        """When voice and frames of one turn had both come after `since`; None when that took too long."""
        try:
            async with asyncio.timeout(max(since + within_s - time.perf_counter(), 0)):
                while True:
                    both = [
                        max(voice, self._motion[epoch])
                        for epoch, voice in self._voice.items()
                        if voice >= since and self._motion.get(epoch, 0.0) >= since
                    ]
                    if both:
                        return min(both)
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None

    def longest_silence_s(self, begin: float, end: float) -> float:
        """The longest time without new voice between two moments."""
        times = [begin, *(at for at in self.voices if begin < at < end), end]
        return max(late - early for early, late in pairwise(times))


@asynccontextmanager
async def watching(address: str) -> AsyncIterator[Watcher]:
    """A watcher while the context lasts; a stream that is lost is opened anew."""
    watcher = Watcher()

    async def watch() -> None:
        while True:
            try:
                async with connect(
                    f"ws://{address}/rooms/{ROOM}/stream", max_size=None, compression=None, proxy=None
                ) as socket:
                    async for data in socket:
                        if isinstance(data, bytes):
                            watcher.take(data, time.perf_counter())
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                pass
            await asyncio.sleep(BACK_S)

    task = asyncio.create_task(watch(), name="watcher")
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
