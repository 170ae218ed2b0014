"""`python -m loadtests.intake [up|cluster]`: what comes of the platform's cap, 100 pushes a second of 50 items each.

Open loop: each push has its time before the run begins, and its answer counts from that time. Every accepted gift is
looked for afterwards, among what waits, in what was thanked, and in the topic as far as that was not read to its end;
what was shed is counted by its reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
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
from loadtests.bench import CROWD, machine, percentile
from loadtests.kill import thanks
from loadtests.load.target import PUSH_SECRETS
from loadtests.process import lydia
from services.audience import keys
from services.audience.service import SERVICE
from services.core import topics
from services.core.bus.kafka import open_kafka
from services.core.bus.port import Bus
from services.core.bus.redis_streams import RedisBus
from services.core.embedded_redis import embedded_redis
from services.core.events import AudienceEvent, Chat, Gift, Like, Performed, Viewer
from services.core.ids import derived
from services.core.settings import Kafka
from services.core.state.redis_state import RedisState
from services.core.turns import heard_key
from services.gateway.douyin import sign
from services.gateway.http import PUSH_PATH
from services.gateway.platform import event_id
from services.gateway.simulator.wire import webhook_item

PUSHES_PER_S, ITEMS = 100, 50
ROOMS = tuple(f"intake{number}" for number in range(10))
KINDS = ("gift",) * 4 + ("chat",) * 56 + ("like",) * 40
"""Of a hundred pushes. A push holds items of one kind."""
VIEWERS = 50_000
ANSWER_S = 10.0
CALM_S = 5.0
"""Nothing more is decided when for so long nothing was."""
PATIENCE_S = 300.0
P99_MS = 500.0
GROWTH = 0.10
"""Of a process's memory, over the second half of the run."""
SETTINGS = {
    "LYDIA_SPEECH__OWN_VOICE": "fast",
    "LYDIA_AUDIENCE__QUIET_S": "3600",
    "LYDIA_DOUYIN__PUSH_SECRETS": str(PUSH_SECRETS),
}


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


@dataclass
class Target:
    """What is measured."""

    name: str
    address: str
    metrics: tuple[str, ...]
    """Addresses whose metrics tell of decisions."""
    pids: Mapping[str, int]
    look: Callable[[Sent, Found], Awaitable[None]]
    """Fills in what became of the gifts; only after `stop`."""
    stop: Callable[[], Awaitable[None]]


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


async def send(address: str, seconds: float, seed: int) -> Sent:
    """All pushes, each at its time, whatever becomes of those before."""
    sent, chance = Sent(), random.Random(seed)
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=500)
    async with (
        httpx.AsyncClient(base_url=f"http://{address}", timeout=ANSWER_S, trust_env=False, limits=limits) as client,
        asyncio.TaskGroup() as tasks,
    ):
        begin = time.perf_counter() + 1
        wall_ms = (time.time() - time.perf_counter()) * 1000

        async def one(scheduled: float, body: bytes, headers: dict[str, str], ids: list[str]) -> None:
            try:
                answer = await client.post(PUSH_PATH, content=body, headers=headers)
                refusal = "" if answer.is_success else f"{answer.status_code} {answer.json().get('error', '')}"
            except (httpx.HTTPError, ValueError) as error:
                refusal = type(error).__name__
            sent.latencies_ms.append((time.perf_counter() - scheduled) * 1000)
            if refusal:
                sent.refused[refusal] += 1
                sent.unsure.update(ids)
            else:
                sent.accepted += ITEMS
                sent.gifts.update(ids)

        for number in range(round(seconds * PUSHES_PER_S)):
            scheduled = begin + number / PUSHES_PER_S
            room_id, message_type, items, ids = push(number, chance)
            stamp = int(wall_ms + scheduled * 1000)
            body = json.dumps([item | {"timestamp": stamp} for item in items], ensure_ascii=False).encode()
            headers = {
                "content-type": "application/json",
                "x-nonce-str": derived("intake", number, stamp),
                "x-timestamp": str(stamp),
                "x-roomid": room_id,
                "x-msg-type": message_type,
            }
            headers["x-signature"] = sign(headers, body, PUSH_SECRETS[message_type])
            await asyncio.sleep(max(scheduled - time.perf_counter(), 0))
            tasks.create_task(one(scheduled, body, headers, ids), name="push")
    return sent


def _send(address: str, seconds: float, seed: int) -> Sent:
    """In a process of its own, so that nothing else of the harness makes it late."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(send(address, seconds, seed))


@asynccontextmanager
async def one_process(folder: Path) -> AsyncIterator[Target]:
    """`lydia up`."""
    data = folder / "data"
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(lydia(data, SETTINGS))

        async def look(sent: Sent, found: Found) -> None:
            async with embedded_redis(data) as url, RedisBus(url) as bus, RedisState(url) as state:
                await _look(bus, state, sent, found)

        yield Target("lydia up", process.address, (process.address,), {"lydia": process.child.pid}, look, stack.aclose)


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
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        sending = pool.apply_async(_send, (target.address, seconds, seed))
        begun = told = time.monotonic()
        while not sending.ready():
            for name, pid in target.pids.items():
                found.memory_mb[name].append(memory_mb(pid))
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"{target.name}: {told - begun:.0f} of {seconds:g} s")
            await asyncio.sleep(1)
        sent = sending.get()
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
    refused = ", ".join(f"{count} × {reason}" for reason, count in sent.refused.most_common()) or "none"
    console.print(f"pushes refused, which a platform pushes again: {refused}")
    for reason, count in sorted(found.decided.items()):
        console.print(f"  {count:9.0f} {reason}")
    for process, samples in found.memory_mb.items():
        console.print(
            f"memory of {process}: {samples[0]:.0f} MB, half-way {samples[len(samples) // 2]:.0f} MB, "
            f"at the end {samples[-1]:.0f} MB"
        )


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
