"""`kill -9` in the middle of 500 gifts: is every gift that was accepted thanked, and none twice?"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.progress import Progress
from rich.table import Table

from loadtests.process import Process, lydia
from loadtests.renderer import watching
from services.core import topics
from services.core.bus import Bus
from services.core.bus.redis_streams import RedisBus
from services.core.embedded_redis import embedded_redis
from services.core.envelope import unseal
from services.core.events import Performed, Turn

GIFTS = 500
IN_FLIGHT = 20
SPEED = "50"
"""The show runs this much faster than real time, and only the fast voice does: thanking 500 people takes a quarter of
an hour.
"""
ROOM = "gifts"
WITHIN_S = 180.0


@dataclass
class Run:
    """What one run counted."""

    accepted: int
    unsure: int
    """Sent, but the answer was lost in the kill: may or may not have been accepted."""
    thanked: int
    missing: int
    twice: int


async def kill_runs(folder: Path, count: int, progress: Progress) -> list[Run]:
    """Does it `count` times at random moments, and prints the table."""
    table = Table(title=f"kill -9 in the middle of {GIFTS} gifts", title_justify="left")
    for name in ("run", "accepted", "answer lost", "thanked", "accepted but not thanked", "thanked twice"):
        table.add_column(name, justify="right")
    bar = progress.add_task(f"{count} kills", total=count)
    runs = []
    for number in range(count):
        run = await kill_run(folder / f"kill{number}", seed=number)
        runs.append(run)
        table.add_row(*map(str, (number + 1, run.accepted, run.unsure, run.thanked, run.missing, run.twice)))
        progress.advance(bar)
    progress.console.print(table)
    return runs


async def kill_run(data_dir: Path, seed: int) -> Run:
    """One run: gifts are sent until the kill, then she is started again and thanks until nothing is left."""
    chance = random.Random(seed)
    accepted: set[str] = set()
    unsure = 0
    numbers = itertools.count()
    kill_after = chance.randrange(50, GIFTS - 50)
    settings = {"LYDIA_STAGE__SPEED": SPEED, "LYDIA_SPEECH__OWN_VOICE": "fast"}
    async with lydia(data_dir, settings) as process, process.client() as client:

        async def give() -> None:
            nonlocal unsure
            while (number := next(numbers)) < GIFTS and process.child.returncode is None:
                try:
                    if (event_id := await _give(client, number)) is not None:
                        accepted.add(event_id)
                except httpx.HTTPError:
                    unsure += 1
                if number == kill_after:
                    process.kill()
                await asyncio.sleep(chance.uniform(0, 0.02))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(IN_FLIGHT):
                tasks.create_task(give(), name="giver")
        await process.child.wait()
    async with lydia(data_dir, settings) as process, process.client() as client:
        for number in numbers:
            if number >= GIFTS:
                break
            if (event_id := await _give(client, number)) is not None:
                accepted.add(event_id)
        await _until_thanked(process)
    times = await thanked(data_dir)
    return Run(
        accepted=len(accepted),
        unsure=unsure,
        thanked=len(times),
        missing=len(accepted - times.keys()),
        twice=sum(count > 1 for count in times.values()),
    )


async def _give(client: httpx.AsyncClient, number: int) -> str | None:
    body = {
        "id": f"gift{number}",
        "viewer": {"id": f"giver{number}", "name": f"观众{number}"},
        "gift": {"name": "小心心", "count": 1, "value_fen": 10},
    }
    answer = await client.post(f"/rooms/{ROOM}/messages", json=body)
    return str(answer.json()["event_id"]) if answer.status_code == 202 else None


async def _until_thanked(process: Process) -> None:
    """Until nothing has been left in the queue for a while, or the time is up."""
    async with asyncio.timeout(WITHIN_S), watching(process.address, ROOM) as renderer, process.client() as client:
        calm = 0
        while calm < 3:
            await asyncio.sleep(1)
            waiting = (await client.get(f"/rooms/{ROOM}/queue")).json()["waiting"]
            calm = calm + 1 if not waiting and not renderer.speaking else 0


async def thanked(data_dir: Path) -> Counter[str]:
    """How often each gift was thanked, by event id."""
    async with embedded_redis(data_dir) as url, RedisBus(url) as bus:
        return await thanks(bus)


async def thanks(bus: Bus, notes: Iterable[Performed] = ()) -> Counter[str]:
    """How often each gift was thanked, from what the bus kept: event id → times.

    Segment k of a thanks turn thanks its k-th viewer, and counts once it was heard to its end. `notes` are reports that
    the stage had noted in the state and may not have published when it was stopped.
    """
    heard: Counter[str] = Counter()
    for note in notes:
        heard[note.turn_id] = max(heard[note.turn_id], note.heard_segments)
    turns: dict[str, Turn] = {}
    async for record in bus.read(topics.PERFORMED):
        performed = unseal(record, Performed)
        heard[performed.turn_id] = max(heard[performed.turn_id], performed.heard_segments)
    async for record in bus.read(topics.TURNS):
        turn = unseal(record, Turn)
        turns[turn.turn_id] = turn
    times: Counter[str] = Counter()
    for turn in turns.values():
        viewers = list(dict.fromkeys(event.viewer.id for event in turn.audience.events))
        for event in turn.audience.events:
            if event.HasField("gift") and viewers.index(event.viewer.id) < heard[turn.turn_id]:
                times[event.event_id] += 1
    return times
