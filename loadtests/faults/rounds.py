"""Breaks one thing after the other in the middle of a show, and counts what it cost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from deploy.local.cluster import cluster
from deploy.local.kafka import KafkaServer
from deploy.local.process import ServerFailed, free_port
from deploy.local.slow import slow_way
from loadtests.faults.kinds import OF_REPLICAS, World, faults
from loadtests.faults.room import ROOM, People, Watcher, watching
from loadtests.kill import thanks
from services.audience.record import record, shown
from services.audience.replay import replay
from services.core.bus.kafka import open_kafka
from services.core.bus.port import Bus
from services.core.settings import Kafka

BEFORE_S = (2.0, 6.0)
"""She speaks so long before something breaks."""
AFTER_S = 4.0
AGAIN_S = 10.0
"""What is promised: so long after the server's return she speaks again, at the latest."""
PATIENCE_S = 60.0
THANKED_S = 120.0
"""Gifts count as lost when for so long none of those that are left was thanked."""
SETTLE_S = 3.0
"""How long one looks afterwards whether a gift is thanked again."""
SETTINGS = {"LYDIA_RAY__MIN_REPLICAS": "2", "LYDIA_RAY__MAX_REPLICAS": "2", "LYDIA_RECORD_TOPIC": "true"}


@dataclass(frozen=True)
class Round:
    """One fault and its cost."""

    fault: str
    number: int
    back_s: float
    """From the fault's beginning to the server's return."""
    again_s: float | None
    """From the server's return until she speaks again; None when she did not, or the server did not come back."""
    silence_s: float
    """The longest time without voice meanwhile."""
    old: int
    """Voice, captions or frames of a dead epoch."""
    sent: int = 0
    thanked: int = 0
    lost: int = 0
    doubled: int = 0
    """Gifts given during the round: handed in, thanked, accepted but never thanked, thanked more than once."""

    @property
    def well(self) -> bool:
        """Whether everything was as promised."""
        spoke = self.again_s is not None and self.again_s <= AGAIN_S
        return spoke and not (self.lost or self.doubled or self.old) and self.thanked == self.sent


Tell = Callable[[str], None]


async def run(
    folder: Path, names: Sequence[str], times: int, seed: int, voice: str, tell: Tell, done: Callable[[Round], None]
) -> None:
    """Every fault of `names` so many times. `done` hears of each round once its gifts are counted.

    A cluster in which something did not come back is thrown away, and the next fault gets a new one. A fault before
    which she does not even speak is left out.
    """
    attempt = 0
    for replicas in (False, True):
        left = [name for name in names if (name in OF_REPLICAS) == replicas]
        while left:
            attempt += 1
            show = _Show(folder / f"cluster{attempt}", times, seed, voice, tell, done, replicas=replicas)
            try:
                await show.run(left)
            except _Broken as broken:
                tell(f"{broken}; a new cluster is started")


class _Broken(Exception):
    """The cluster is of no use any more."""


@dataclass
class _Show:
    """One cluster, and faults in it as long as it stays whole."""

    folder: Path
    times: int
    seed: int
    voice: str
    tell: Tell
    done: Callable[[Round], None]
    _: KW_ONLY
    replicas: bool

    async def run(self, left: list[str]) -> None:
        """Takes those from `left` that are counted, or cannot be begun. Raises _Broken, ServerFailed."""
        settings = SETTINGS | {"LYDIA_SPEECH__OWN_VOICE": self.voice, "LYDIA_DATA_DIR": str(self.folder / "data")}
        async with AsyncExitStack() as stack:
            way = await stack.enter_async_context(slow_way())
            made = await stack.enter_async_context(
                cluster(
                    self.folder,
                    port=free_port(),
                    without=("prometheus", "spans"),
                    replicas=self.replicas,
                    settings=settings,
                    way_to_redis=way,
                    say=self.tell,
                )
            )
            broker = made.servers["kafka"]
            assert isinstance(broker, KafkaServer), "it is ours to kill"
            bus = await stack.enter_async_context(open_kafka(Kafka(bootstrap_servers=broker.servers)))
            address = made.url.removeprefix("http://")
            watcher = await stack.enter_async_context(watching(address))
            people = People(address, random.Random(self.seed))
            while left:
                name = left.pop(0)
                rounds = await self._rounds(World(made, way), watcher, people, name)
                self.tell(f"{name}: counting the thanks")
                for each in (counted := await _counted(bus, people, rounds)):
                    self.done(each)
                if any(each.again_s is None or each.lost for each in counted):
                    raise _Broken(f"{name}: not everything came back")
            self.tell(await self._replayed(bus))

    async def _replayed(self, bus: Bus) -> str:
        """Records the room from its topics and replays it, whatever was broken in it."""
        path = self.folder / "room.lydialog"
        recorded = await record(bus, ROOM, path)
        told, _ = shown(recorded, ROOM, path)
        if not recorded.entries:
            return told
        result = await asyncio.to_thread(replay, path)
        return f"{told}. Replayed: {result.difference or 'equal, byte for byte'}"

    async def _rounds(self, world: World, watcher: Watcher, people: People, name: str) -> list[Round]:
        giving = asyncio.create_task(people.run(), name="people")
        try:
            return [
                await _round(world, watcher, people, name, number, self.seed, self.tell)
                for number in range(1, self.times + 1)
            ]
        finally:
            people.enough.set()
            await giving


async def _round(
    world: World, watcher: Watcher, people: People, name: str, number: int, seed: int, tell: Tell
) -> Round:
    chance = random.Random(f"{seed} {name} {number}")
    people.label = f"{name} {number}"
    for server in (*world.made.servers.values(), *world.made.services.values()):
        if not server.running:
            tell(f"{server.name} had ended by itself and is started again")
            await server.start()
    if await watcher.speaks(time.perf_counter(), PATIENCE_S) is None:
        raise _Broken(f"{name}, round {number}: she does not speak before anything is broken")
    await asyncio.sleep(chance.uniform(*BEFORE_S))
    old, begun = watcher.old, time.perf_counter()
    came_back = True
    try:
        await faults()[name](world, number)
    except (ServerFailed, TimeoutError) as error:
        came_back = False
        why = next(iter(str(error).splitlines()), "no answer")
        tell(f"{name}, round {number}: it does not come back: {why}")
    back = time.perf_counter()
    spoke = await watcher.speaks(back, PATIENCE_S) if came_back else None
    silence = watcher.longest_silence_s(begun, spoke or time.perf_counter())
    await asyncio.sleep(AFTER_S)
    again = None if spoke is None else spoke - back
    said = "she does not speak" if again is None else f"she speaks {again:.1f} s later"
    tell(f"{name}, round {number}: back after {back - begun:.1f} s, {said}")
    return Round(name, number, back - begun, again, silence, watcher.old - old)


async def _counted(bus: Bus, people: People, rounds: Sequence[Round]) -> list[Round]:
    """The rounds with what became of their gifts, once all are thanked or it has taken too long."""
    left, since = len(people.accepted) + 1, time.perf_counter()
    while left and time.perf_counter() - since < THANKED_S:
        await asyncio.sleep(1)
        still = len(people.accepted.keys() - (await thanks(bus)).keys())
        if still < left:
            left, since = still, time.perf_counter()
    await asyncio.sleep(SETTLE_S)
    times = await thanks(bus)
    counted = []
    for each in rounds:
        label = f"{each.fault} {each.number}"
        events = [event_id for event_id, of in people.accepted.items() if of == label]
        counted.append(
            Round(
                each.fault,
                each.number,
                each.back_s,
                each.again_s,
                each.silence_s,
                each.old,
                sent=sum(of == label for of in people.sent.values()),
                thanked=sum(times[event_id] > 0 for event_id in events),
                lost=sum(times[event_id] == 0 for event_id in events),
                doubled=sum(times[event_id] > 1 for event_id in events),
            )
        )
    return counted
