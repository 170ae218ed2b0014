"""`python -m loadtests.intake [up|cluster]`: what comes of the platform's cap, 100 pushes a second of 50 items each.

Open loop: each push has its time before the run begins, and its answer counts from that time. Ten quiet seconds go
before, because no show begins at the cap: rooms open and whatever compiles itself does so; their answers do not count.
Every accepted gift is looked for afterwards, those of the quiet seconds too, among what waits, in what was thanked, and
in the topic as far as that was not read to its end; what was shed is counted by its reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, Mapping, Sequence, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from deploy.local.cluster import cluster
from deploy.local.kafka import KafkaServer
from deploy.local.process import free_port
from deploy.local.redis import RedisServer
from loadtests.bench import machine, percentile
from loadtests.kill import thanks
from loadtests.load.target import PUSH_SECRETS
from loadtests.process import lydia
from loadtests.pushing import ITEMS, PUSHES_PER_S, ROOMS, Sent, requests, send_all
from services.audience import keys
from services.audience.service import SERVICE
from services.core import topics
from services.core.bus.kafka import open_kafka
from services.core.bus.port import Bus
from services.core.bus.redis_streams import RedisBus
from services.core.embedded_redis import embedded_redis
from services.core.events import Performed
from services.core.settings import Kafka
from services.core.state.redis_state import RedisState
from services.core.turns import heard_key

MACHINE, SENDER = "the whole machine", "the sender of the pushes"
CALM_S = 5.0
"""Nothing more is decided when for so long nothing was."""
PATIENCE_S = 300.0
P99_MS = 500.0
QUIET_S, QUIET_PER_S, QUIET_FIRST = 10.0, PUSHES_PER_S / 10, 1_000_000
"""Before the run, so many pushes come for so long, numbered from there."""
GROWTH = 0.10
"""Of a process's memory, over the second half of the run."""
SETTINGS = {
    "LYDIA_SPEECH__OWN_VOICE": "fast",
    "LYDIA_AUDIENCE__QUIET_S": "3600",
    "LYDIA_DOUYIN__PUSH_SECRETS": str(PUSH_SECRETS),
}


@dataclass
class Found:
    """What the target made of it."""

    lost: int = 0
    """Gifts that are neither waiting nor thanked, nor still to be read."""
    doubled: int = 0
    """Gifts thanked twice."""
    thanked: int = 0
    waiting: int = 0
    unread: int = 0
    """Records that the audience had not come to by the end."""
    decided: dict[str, float] = field(default_factory=dict)
    """Lane, outcome and reason → events."""
    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    """Process → its resident memory, once a second."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Process → the CPU seconds it took while pushes were sent; the sender's, and the whole machine's among them."""
    sending_s: float = 0.0
    """How long that was."""
    load: float = 0.0
    """The machine's, averaged over a minute, when the sending ended."""


@dataclass
class Target:
    """What is measured."""

    name: str
    address: str
    metrics: tuple[str, ...]
    """Addresses whose metrics tell of decisions."""
    pids: Mapping[str, int]
    servers: Mapping[str, int]
    """Processes that are none of Lydia's: they count for the CPU, their memory is their own business."""
    look: Callable[[Sent, Found], Awaitable[None]]
    """Fills in what became of the gifts; only after `stop`."""
    stop: Callable[[], Awaitable[None]]


@asynccontextmanager
async def one_process(folder: Path) -> AsyncIterator[Target]:
    """`lydia up`."""
    data = folder / "data"
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(lydia(data, SETTINGS))

        async def look(sent: Sent, found: Found) -> None:
            async with embedded_redis(data) as url, RedisBus(url) as bus, RedisState(url) as state:
                await _look(bus, state, sent, found)

        pid, address = process.child.pid, process.address
        yield Target("lydia up", address, (address,), {"lydia": pid}, _redis_of(pid), look, stack.aclose)


@asynccontextmanager
async def whole_cluster(folder: Path, tell: Callable[[str], None]) -> AsyncIterator[Target]:
    """A local cluster, its gateway behind the front."""
    settings = SETTINGS | {"LYDIA_DATA_DIR": str(folder / "data")}
    async with cluster(
        folder, port=free_port(), without=("prometheus", "spans", "triton"), settings=settings, say=tell
    ) as made:
        broker, redis = made.servers["kafka"], made.servers["redis"]
        assert isinstance(broker, KafkaServer)
        assert isinstance(redis, RedisServer)

        async def look(sent: Sent, found: Found) -> None:
            kafka = Kafka(bootstrap_servers=broker.servers)
            async with open_kafka(kafka) as bus, RedisState(redis.url) as state:
                await _look(bus, state, sent, found)

        async def stop() -> None:
            """It can be looked into as it runs."""

        yield Target(
            "the cluster's gateway",
            made.url.removeprefix("http://"),
            tuple(f"127.0.0.1:{made.ports[name]}" for name in ("gateway", "audience")),
            {name: server.pid for name, server in made.services.items()},
            {"Kafka": broker.pid, "Redis": redis.pid},
            look,
            stop,
        )


async def _look(bus: Bus, state: RedisState, sent: Sent, found: Found) -> None:
    waiting: set[str] = set()
    for room_id in ROOMS:
        waiting |= (await state.fields(keys.pending_key(room_id))).keys()
    notes = [Performed.FromString(await state.get(heard_key(room_id)) or b"") for room_id in ROOMS]
    times = await thanks(bus, notes)
    found.unread = await bus.lag(topics.AUDIENCE, SERVICE)
    on_topic = {record.headers["ce_id"] async for record in bus.read(topics.AUDIENCE)}
    account(sent, found, times, waiting, on_topic if found.unread else ())


def account(sent: Sent, found: Found, thanked: Mapping[str, int], waiting: Set[str], unread: Container[str]) -> None:
    """Counts what became of the gifts. `thanked`: event id → times; `unread`: what the audience may still come to.

    What a gift was read from may be trimmed from its topic while the gift waits for its thanks.
    """
    found.thanked = sum(1 for gift in sent.gifts if thanked.get(gift))
    found.waiting = len(sent.gifts & waiting)
    found.lost = sum(1 for gift in sent.gifts if not thanked.get(gift) and gift not in waiting and gift not in unread)
    found.doubled = sum(1 for count in thanked.values() if count > 1)


async def measure(target: Target, seconds: float, seed: int, tell: Callable[[str], None]) -> tuple[Sent, Found]:
    """Sends, watches the memory, waits until all is decided, and looks for every gift."""
    found = Found(memory_mb={name: [] for name in target.pids})
    tell(f"{target.name}: writing the pushes")
    made = await asyncio.to_thread(requests, target.address, seconds, seed)
    watched = {**target.pids, **target.servers, MACHINE: 0}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        await asyncio.to_thread(pool.apply, _nothing)  # its imports are no part of the run
        tell(f"{target.name}: {QUIET_S:g} quiet seconds")
        quiet = await asyncio.to_thread(
            pool.apply,
            send_all,
            (
                target.address,
                requests(target.address, QUIET_S, seed + 1, per_s=QUIET_PER_S, first=QUIET_FIRST),
                QUIET_PER_S,
            ),
        )
        before = {name: cpu_s(pid) for name, pid in watched.items()}
        sending = pool.apply_async(send_all, (target.address, made))
        begun = told = time.monotonic()
        while not sending.ready():
            for name, pid in target.pids.items():
                found.memory_mb[name].append(memory_mb(pid))
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"{target.name}: {told - begun:.0f} of {seconds:g} s")
            await asyncio.sleep(1)
        sent = sending.get()
        sent.gifts |= quiet.gifts
        sent.unsure |= quiet.unsure
        found.cpu_s = {name: cpu_s(pid) - before[name] for name, pid in watched.items()} | {SENDER: sent.cpu_s}
        found.sending_s, found.load = time.monotonic() - begun, os.getloadavg()[0]
    tell(f"{target.name}: everything is sent, waiting until it is decided")
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        since = until = time.monotonic()
        while since - until < CALM_S and time.monotonic() - begun < seconds + PATIENCE_S:
            decided = await _decided(client, target.metrics)
            since = time.monotonic()
            if decided is None or decided != found.decided:
                found.decided, until = decided or found.decided, since
            await asyncio.sleep(1)
    await target.stop()
    await target.look(sent, found)
    return sent, found


async def _decided(client: httpx.AsyncClient, addresses: Sequence[str]) -> dict[str, float] | None:
    """Without what is chosen by and by: the thanks go on for long. None when a process is too busy to tell."""
    counts: Counter[str] = Counter()
    for address in addresses:
        try:
            told = (await client.get(f"http://{address}/metrics")).text
        except httpx.HTTPError:
            return None
        for family in text_string_to_metric_families(told):
            for sample in family.samples:
                labels = sample.labels
                if sample.name == "lydia_decisions_total" and labels["outcome"] in ("dropped", "waiting"):
                    counts[f"{labels['lane']} {labels['outcome']}: {labels['reason']}"] += int(sample.value)
                elif sample.name == "lydia_gateway_shed_total":
                    counts[f"{labels['lane']} shed: {labels['reason']}"] += int(sample.value)
    return dict(counts)


def memory_mb(pid: int) -> float:
    """Resident memory of a process, as Linux tells it; 0 elsewhere or when it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, or of the whole machine for 0, as Linux counts them; 0 when there are none."""
    try:
        told = Path(f"/proc/{pid or ''}/stat").read_text()
    except OSError:
        return 0.0
    if pid:
        user, system = told.rpartition(")")[2].split()[11:13]
        ticks = int(user) + int(system)
    else:
        user, nice, system, _idle, _waiting, interrupts, soft = told.splitlines()[0].split()[1:8]
        ticks = sum(map(int, (user, nice, system, interrupts, soft)))
    return ticks / os.sysconf("SC_CLK_TCK")


def _redis_of(pid: int) -> dict[str, int]:
    """The Redis that a `lydia up` has started, as far as Linux tells."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            if b"redis" in Path(f"/proc/{child}/cmdline").read_bytes():
                return {"Redis": int(child)}
    return {}


def _nothing() -> None:
    """What a process is given to do that is only to start."""


def growth(samples: Sequence[float]) -> float:
    """From the half of the run to its end, as a share. The first half fills what is bounded."""
    half = samples[len(samples) // 2 :]
    return half[-1] / half[0] - 1 if half and half[0] else 0.0


def verdict(sent: Sent, found: Found) -> Iterator[str]:
    """What was not as promised."""
    if found.lost:
        yield f"{found.lost} gifts were taken and are lost"
    if found.doubled:
        yield f"{found.doubled} gifts were thanked twice"
    if found.unread:
        yield f"{found.unread} records were not decided on within {PATIENCE_S:g} s"
    if refused := sum(sent.refused.values()):
        yield f"{refused} pushes were refused"
    if (p99 := percentile(sent.latencies_ms, 0.99)) >= P99_MS:
        yield f"p99 of the answers is {p99:.0f} ms"
    for name, samples in found.memory_mb.items():
        if growth(samples) > GROWTH:
            yield f"{name} grew by {growth(samples):.0%} in the second half"


def show(console: Console, name: str, seconds: float, sent: Sent, found: Found) -> None:
    """The tables of one target."""
    pushes = round(seconds * PUSHES_PER_S)
    drawn = Table(
        title=f"{name}: {PUSHES_PER_S} pushes a second of {ITEMS} items for {seconds:g} s", title_justify="left"
    )
    for heading in (
        "pushes",
        "taken",
        "p50 ms",
        "p95",
        "p99",
        "max",
        "gifts taken",
        "thanked",
        "waiting",
        "lost",
        "twice",
    ):
        drawn.add_column(heading, justify="right")
    drawn.add_row(
        str(pushes),
        str(sent.accepted // ITEMS),
        *(f"{percentile(sent.latencies_ms, share):.0f}" for share in (0.5, 0.95, 0.99, 1.0)),
        *map(str, (len(sent.gifts), found.thanked, found.waiting, found.lost, found.doubled)),
    )
    console.print(drawn)
    tenth = -(-len(sent.latencies_ms) // 10)
    parts = [sent.latencies_ms[start : start + tenth] for start in range(0, len(sent.latencies_ms), tenth)]
    course = ", ".join(f"{percentile(part, 0.99):.0f}" for part in parts)
    console.print(f"p99 of each tenth of the answers, one after the other: {course} ms")
    refused = ", ".join(f"{count} × {reason}" for reason, count in sent.refused.most_common()) or "none"
    console.print(f"pushes refused, which a platform pushes again: {refused}")
    for reason, count in sorted(found.decided.items()):
        console.print(f"  {count:9.0f} {reason}")
    for process, samples in found.memory_mb.items():
        console.print(
            f"memory of {process}: {samples[0]:.0f} MB, half-way {samples[len(samples) // 2]:.0f} MB, "
            f"at the end {samples[-1]:.0f} MB"
        )
    rest = 2 * found.cpu_s[MACHINE] - sum(found.cpu_s.values())
    console.print(f"CPU seconds in the {found.sending_s:.0f} s of sending, and milliseconds a push:")
    for process, took in sorted((found.cpu_s | {"everything else": rest}).items(), key=lambda each: -each[1]):
        console.print(f"  {took:7.1f} {took / pushes * 1000:6.2f} {process}")
    console.print(f"load {found.load:.1f}; the latest push was sent {sent.late_ms:.0f} ms after its time")


async def main(given: argparse.Namespace) -> int:
    """The command. 0: all as promised."""
    console, progress = Console(), Console(stderr=True, highlight=False)

    def tell(text: str) -> None:
        progress.print(text, markup=False, soft_wrap=True)

    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)  # or a Lydia would be left behind
    where, results, failures = machine(), {}, []
    console.print(where)
    for name in given.targets or ("up", "cluster"):
        with tempfile.TemporaryDirectory(prefix="lydia-intake-") as folder:
            opening = one_process(Path(folder)) if name == "up" else whole_cluster(Path(folder), tell)
            async with opening as target:
                sent, found = await measure(target, given.seconds, given.seed, tell)
        show(console, target.name, given.seconds, sent, found)
        failures += [f"{target.name}: {each}" for each in verdict(sent, found)]
        latencies = {f"p{round(share * 100)}": percentile(sent.latencies_ms, share) for share in (0.5, 0.95, 0.99)}
        results[name] = asdict(found) | {
            "latency_ms": latencies,
            "taken": sent.accepted,
            "refused": sent.refused,
            "gifts": len(sent.gifts),
        }
    given.json.write_text(json.dumps({"machine": where, "seed": given.seed, "targets": results}, indent=1) + "\n")
    console.print("\n".join(failures) or "all as promised")
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", choices=("up", "cluster"), metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=2112)
    parser.add_argument("--json", type=Path, default=Path("intake.json"), help="where the figures go (intake.json)")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as main_runner:
        sys.exit(main_runner.run(main(parser.parse_args())))
