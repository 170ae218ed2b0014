"""Breaks one thing after the other in the middle of a show, and counts what it cost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.local.cluster import cluster
from deploy.local.kafka import KafkaServer
from deploy.local.process import ServerFailed, free_port
from deploy.local.slow import slow_way
from loadtests.faults.kinds import World, faults
from loadtests.faults.room import People, Watcher, watching
from loadtests.kill import thanks
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
SETTINGS = {"LYDIA_RAY__MIN_REPLICAS": "2", "LYDIA_RAY__MAX_REPLICAS": "2"}


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

    A cluster in which something did not come back is thrown away, and the next fault gets a new one.
    """
    left = list(names)
    attempt = 0
    while left:
        try:
            await _show(folder / f"cluster{attempt}", left, times, seed, voice, tell, done)
        except _Broken as broken:
            tell(f"{broken}; a new cluster is started")
        attempt += 1


class _Broken(Exception):
    """The cluster is of no use any more."""


async def _show(
    folder: Path, left: list[str], times: int, seed: int, voice: str, tell: Tell, done: Callable[[Round], None]
) -> None:
    """One cluster, and faults in it as long as it stays whole. Takes those from `left` that are counted."""
    async with AsyncExitStack() as stack:
        way = await stack.enter_async_context(slow_way())
        made = await stack.enter_async_context(
            cluster(
                folder,
                port=free_port(),
                without=("prometheus", "spans"),
                replicas=True,
                settings=SETTINGS | {"LYDIA_SPEECH__OWN_VOICE": voice, "LYDIA_DATA_DIR": str(folder / "data")},
                way_to_redis=way,
                say=tell,
            )
        )
        broker = made.servers["kafka"]
        assert isinstance(broker, KafkaServer), "it is ours to kill"
        bus = await stack.enter_async_context(open_kafka(Kafka(bootstrap_servers=broker.servers)))
        address = made.url.removeprefix("http://")
        watcher = await stack.enter_async_context(watching(address))
        world = World(made, way, made.places["replicas"])
        people = People(address, random.Random(seed))
        while left:
            name = left[0]
            giving = asyncio.create_task(people.run(), name="people")
            try:
                rounds = [
                    await _round(world, watcher, people, name, number, seed, tell) for number in range(1, times + 1)
                ]
            finally:
                people.enough.set()
                await giving
            tell(f"{name}: counting the thanks")
            counted = await _counted(bus, people, rounds)
            left.pop(0)
            for each in counted:
                done(each)
            if any(each.again_s is None or each.lost for each in counted):
                raise _Broken(f"{name}: not everything came back")


async def _round(
    world: World, watcher: Watcher, people: People, name: str, number: int, seed: int, tell: Tell
) -> Round:
    chance = random.Random(f"{seed} {name} {number}")
    people.label = f"{name} {number}"
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
