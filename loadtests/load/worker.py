"""One process of the harness: plays its rooms' audience and watches their stages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from loadtests.load.fates import accepted, is_over
from loadtests.load.plan import Plan
from loadtests.load.seen import Seen
from loadtests.load.sending import Keys, Sender, Sent

BACK_S = 0.2
"""How long after a lost stream the next one is tried."""
LOOK_EVERY_S = 0.5
VOICE_WITHIN_S = 5.0
OPEN_WITHIN_S = 30.0
"""How long the target may take to open the rooms' stages before the audience begins all the same."""


@dataclass(frozen=True)
class Order:
    """What a process is to do."""

    address: str
    keys: Keys
    plan: Plan
    drain_s: float
    """How long after the last request the answers may take."""


@dataclass(frozen=True)
class Record:
    """What came of it."""

    sent: tuple[Sent, ...]
    seen: tuple[Seen, ...]
    until: float
    """When it stopped watching."""


def work(parent: Connection) -> None:
    """Runs in a process of its own, so that reading spans or drawing progress cannot make it late.

    Takes an Order; tells None when all stages are open; takes the plan's zero (`perf_counter` seconds, the same clock
    in all processes of a machine); tells the Record.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        parent.send(runner.run(_work(parent.recv(), parent)))


async def _work(order: Order, parent: Connection) -> Record:
    rooms = [Seen(room.room_id) for room in order.plan.rooms]
    async with asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(_watch(order.address, seen), name=f"watch {seen.room_id}") for seen in rooms]
        for _ in range(round(OPEN_WITHIN_S / BACK_S)):
            if all(seen.blind for seen in rooms):
                break
            await asyncio.sleep(BACK_S)
        parent.send(None)
        sender = Sender(order.address, order.keys, begin := await asyncio.to_thread(parent.recv))
        await sender.run(order.plan.requests)
        await _drain(order, begin, sender.sent, rooms)
        for task in watching:
            task.cancel()
    await asyncio.gather(*(_look_at_voice(order.address, seen) for seen in rooms))
    return Record(tuple(sender.sent), tuple(rooms), time.perf_counter())


async def _drain(order: Order, begin: float, sent: Sequence[Sent], rooms: Sequence[Seen]) -> None:
    """Until everything that was taken has come to its end, or the time is up."""
    end = begin + order.plan.load.seconds + order.drain_s
    open_ = accepted(order.plan, sent)
    by_room = {seen.room_id: seen for seen in rooms}
    closing = {request.room_id: request.event_ids[-1] for request in order.plan.requests if not request.repeated}
    while open_ and time.perf_counter() < end:
        await asyncio.sleep(LOOK_EVERY_S)
        # What has no decision when the room's last message has one is lost: it will not get one.
        open_ = [
            event
            for event in open_
            if not is_over(event, by_room[event.room_id])
            and (
                event.event_id in by_room[event.room_id].decisions
                or closing[event.room_id] not in by_room[event.room_id].decisions
            )
        ]


async def _look_at_voice(address: str, seen: Seen) -> None:
    """Which voice spoke last is told to those who join."""
    with suppress(OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
        async with asyncio.timeout(VOICE_WITHIN_S), _stream(address, seen) as socket:
            hello = await socket.recv()
            if isinstance(hello, bytes):
                seen.take(hello, time.perf_counter())


def _stream(address: str, seen: Seen) -> connect:
    return connect(f"ws://{address}/rooms/{seen.room_id}/stream", max_size=None, compression=None, proxy=None)


async def _watch(address: str, seen: Seen) -> None:
    """Watches one room until cancelled; a lost stream is opened anew, and the time without it noted."""
    seen.away_since = time.perf_counter()
    while True:
        try:
            async with _stream(address, seen) as socket:
                async for data in socket:
                    now = time.perf_counter()
                    if seen.away_since is not None:
                        seen.blind.append((seen.away_since, now))
                        seen.away_since = None
                    if isinstance(data, bytes):
                        seen.take(data, now)
        except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
            pass
        seen.away_since = seen.away_since or time.perf_counter()
        await asyncio.sleep(BACK_S)
