"""`python -m loadtests.rolling`: every service restarted, one after the other, in the middle of a show.

Real servers, every service a process of its own, one room with gifts and messages that never stop. Each service is told
to stop as an orchestrator tells it, finishes what it has begun, is started again, and the next one follows once it is
ready. Afterwards the bus says what became of every gift and of every sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.cluster import Cluster, cluster
from deploy.local.kafka import KafkaServer
from deploy.local.process import ServerFailed, free_port
from deploy.local.redis import RedisServer
from loadtests.bench import machine
from loadtests.faults.room import People, Watcher, watching
from loadtests.kill import thanks
from services.core import topics
from services.core.bus import Bus
from services.core.bus.kafka import open_kafka
from services.core.bus.redis_streams import RedisBus
from services.core.envelope import unseal
from services.core.events import Performed
from services.core.settings import Kafka, Redis
from services.names import NAMES, Name

SEED = 2112
SPEAKS_S = 60.0
"""How long it may take until she speaks, at the beginning and after a restart."""
BEFORE_S = (2.0, 6.0)
"""She speaks so long before a service is told to stop."""
READY_S = 180.0
"""How long a service may take to be ready again."""
LOOK_S = 0.1
THANKED_S = 180.0
"""How long it may take at the end until all gifts are thanked."""
SETTLE_S = 3.0
"""How long one looks afterwards whether a gift is thanked again."""
MEANT = ("superseded", "supersede")
"""Why a sentence may end early: something more urgent took its place, or it gave way to a better answer."""


@dataclass(frozen=True)
class Restart:
    """One service's restart."""

    service: Name
    drained_s: float
    """From being told to stop until it had gone, at most what it may take to finish."""
    away_s: float
    """From then until it was ready again."""
    silence_s: float
    """The longest time without new voice, from being told to stop until she spoke again."""
    spoke: bool


@dataclass(frozen=True)
class Ends:
    """How the turns ended that were on the stage."""

    whole: int = 0
    """Heard to their end."""
    gave_way: int = 0
    """Ended early because they were meant to."""
    cut: tuple[str, ...] = ()
    """Ended early for another reason, or never ended: the reasons."""


@dataclass(frozen=True)
class Outcome:
    """What became of everything."""

    restarts: tuple[Restart, ...]
    sent: int
    lost: int
    doubled: int
    """Gifts given; accepted but never thanked, thanked more than once."""
    ends: Ends
    old: int
    """Voice, captions or frames of a dead epoch."""

    @property
    def well(self) -> bool:
        """Whether nobody in the room could have noticed a loss."""
        spoke = all(each.spoke for each in self.restarts)
        return spoke and not (self.lost or self.doubled or self.ends.cut or self.old)


Tell = Callable[[str], None]


def main() -> int:
    """The command. 0: as promised; 1: something was not; 2: the cluster does not start, or again."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.rolling", description=__doc__)
    parser.add_argument("--times", type=int, default=1, help="how often each service is restarted (1)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of people and moments ({SEED})")
    parser.add_argument("--voice", default="fast", help="which of her own voices speaks: fast, lydia, lydia-soft")
    parser.add_argument("--only", default=NAMES, nargs="+", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--without",
        default=[],
        nargs="+",
        choices=("kafka", "triton"),
        metavar="PART",
        help="leave out: kafka (Redis carries the events too), triton (services have their models in themselves)",
    )
    parser.add_argument("--json", type=Path, default=Path("rolling.json"), help="where the figures go (rolling.json)")
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    console, progress, begun = Console(), Console(stderr=True, highlight=False), time.monotonic()

    def tell(text: str) -> None:
        progress.print(f"[{time.monotonic() - begun:7.1f} s] {text}", markup=False, soft_wrap=True)

    with tempfile.TemporaryDirectory(prefix="lydia-rolling-") as scratch:
        try:
            outcome = asyncio.run(
                run(Path(scratch), given.only * given.times, given.seed, given.voice, given.without, tell)
            )
        except (ServerFailed, TimeoutError) as error:
            tell(f"the cluster does not start, or a service of it did not come back: {error}")
            return 2
    where = machine()
    figures = {"machine": where, "seed": given.seed, "voice": given.voice, "without": given.without, **asdict(outcome)}
    given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    console.print(where)
    console.print(table(outcome))
    console.print(f"{outcome.sent} gifts: {outcome.lost} lost, {outcome.doubled} thanked twice")
    ends = outcome.ends
    cut = f": {', '.join(ends.cut)}" if ends.cut else ""
    console.print(f"turns: {ends.whole} heard to their end, {ends.gave_way} gave way, {len(ends.cut)} cut{cut}")
    return 0 if outcome.well else 1


def table(outcome: Outcome) -> Table:
    """A line for each restart."""
    drawn = Table(title="Every service restarted in the middle of a show")
    drawn.add_column("service")
    for heading in ("stopped after, s", "ready again after, s", "longest silence, s", "speaks again"):
        drawn.add_column(heading, justify="right")
    for each in outcome.restarts:
        figures = (f"{figure:.1f}" for figure in (each.drained_s, each.away_s, each.silence_s))
        drawn.add_row(each.service, *figures, "yes" if each.spoke else "NO")
    return drawn


async def run(
    folder: Path, names: Sequence[Name], seed: int, voice: str, without: Collection[str], tell: Tell
) -> Outcome:
    """Starts a cluster, restarts these of its services, and counts. Raises ServerFailed, TimeoutError."""
    settings = {"LYDIA_SPEECH__OWN_VOICE": voice, "LYDIA_DATA_DIR": str(folder / "data")}
    left_out = ("prometheus", "spans", *without)
    async with cluster(folder, port=free_port(), without=left_out, settings=settings, say=tell) as made:
        address = made.url.removeprefix("http://")
        chance, people = random.Random(seed), People(address, random.Random(seed))
        async with _bus(made) as bus, watching(address) as watcher:
            giving = asyncio.create_task(people.run(), name="people")
            try:
                if await watcher.speaks(time.perf_counter(), SPEAKS_S) is None:
                    raise ServerFailed("she does not speak before anything is restarted")
                restarts = [await _restart(made, name, watcher, chance, tell) for name in names]
            finally:
                people.enough.set()
                await giving
            tell("counting")
            gifts = await _thanked(bus, people)
            return Outcome(
                tuple(restarts),
                len(people.sent),
                lost=sum(gifts[event_id] == 0 for event_id in people.accepted)
                + len(people.sent)
                - len(people.accepted),
                doubled=sum(gifts[event_id] > 1 for event_id in people.accepted),
                ends=await ended(bus),
                old=watcher.old,
            )


def _bus(made: Cluster) -> AbstractAsyncContextManager[Bus]:
    """What carries the events, and tells afterwards what happened."""
    match made.servers.get("kafka"), made.servers["redis"]:
        case KafkaServer() as broker, _:
            return open_kafka(Kafka(bootstrap_servers=broker.servers))
        case None, RedisServer() as redis:
            return RedisBus(Redis(url=redis.url).login, timeout_s=5)
        case _:
            raise ServerFailed("the cluster's bus is not ours. Mend: unset LYDIA_KAFKA_BOOTSTRAP_SERVERS")


async def _restart(made: Cluster, name: Name, watcher: Watcher, chance: random.Random, tell: Tell) -> Restart:
    await asyncio.sleep(chance.uniform(*BEFORE_S))
    service, begun = made.services[name], time.perf_counter()
    await service.stop()
    gone = time.perf_counter()
    await service.start()
    await _ready(made, name)
    back = time.perf_counter()
    spoke = await watcher.speaks(back, SPEAKS_S)
    silence = watcher.longest_silence_s(begun, spoke or time.perf_counter())
    tell(f"{name}: stopped after {gone - begun:.1f} s, ready {back - gone:.1f} s later")
    return Restart(name, gone - begun, back - gone, silence, spoke is not None)


async def _ready(made: Cluster, name: Name) -> None:
    async with asyncio.timeout(READY_S):
        while True:
            if name not in await made.unready():
                return
            await asyncio.sleep(LOOK_S)


async def _thanked(bus: Bus, people: People) -> Counter[str]:
    """How often each gift was thanked, once all were or it has taken too long."""
    until_s, times = time.perf_counter() + THANKED_S, Counter[str]()
    while time.perf_counter() < until_s and not people.accepted.keys() <= times.keys():
        await asyncio.sleep(1)
        times = await thanks(bus)
    await asyncio.sleep(SETTLE_S)
    return await thanks(bus)


async def ended(bus: Bus) -> Ends:
    """How every turn ended that the stage began, from what the bus kept.

    A turn that is performed again after it was cut, whole, was cut all the same. The newest one may be on the stage
    still.
    """
    reports: dict[str, list[Performed]] = {}
    async for record in bus.read(topics.PERFORMED):
        performed = unseal(record, Performed)
        reports.setdefault(performed.turn_id, []).append(performed)
    whole, gave_way, cut = 0, 0, list[str]()
    for turn_id, of in reports.items():
        early = [each for each in of if each.state in (Performed.STATE_STOPPED, Performed.STATE_FAILED)]
        bad = [each.reason or "no reason" for each in early if each.reason not in MEANT]
        if bad:
            cut += bad
        elif early:
            gave_way += 1
        elif any(each.state == Performed.STATE_FINISHED for each in of):
            whole += 1
        elif turn_id != next(reversed(reports)):
            cut.append("it never ended")
    return Ends(whole, gave_way, tuple(cut))


if __name__ == "__main__":
    sys.exit(main())
