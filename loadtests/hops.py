"""`python -m loadtests.hops`: what the bus adds to its client library, hop by hop, over a real Kafka.

A record goes through a chain of topics, from each to the next by a consumer that publishes it again: once in a bare
loop of the library (a thread for each hop, nothing else), once through Lydia's bus. Open loop: every record has its
time before the run begins, and its latency counts from that time. Bare and bus take turns, so that both meet the same
weather.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvloop
from confluent_kafka import Consumer as ConfluentConsumer
from confluent_kafka import Producer
from kafka import KafkaConsumer, KafkaProducer
from rich.console import Console
from rich.table import Table

from deploy.local.kafka import kafka
from loadtests.bench import machine, percentile
from services.core.bus import Bus, Consumer, Delivery, Record
from services.core.bus.confluent import ConfluentBus
from services.core.bus.kafka import FETCH_WAIT_MS, KafkaBus
from services.core.bus.kafka_python import KafkaPythonBus
from services.core.settings import Kafka
from services.core.topics import Layout

PARTITIONS = 4
ROOMS = 8
VALUE = b"x" * 192
RATE_PER_S = 20
WARM_UP = 20
"""Records at the beginning of a run that do not count."""
JOIN_MS = 2000
"""How long joining a group may take."""
LIMIT_S = 60.0
"""How much longer than its schedule a run may take."""

Arrived = Callable[[bytes], None]
Send = Callable[[Record], Coroutine[Any, Any, None]]


class Run:
    """One chain: what was sent when, and what came when."""

    def __init__(self, count: int, *, rate_per_s: float = RATE_PER_S) -> None:
        self.count = count
        self._rate_per_s = rate_per_s
        self._due: dict[bytes, float] = {}
        self.latencies_ms: list[float] = []
        self.complete = threading.Event()

    async def play(self, send: Send, topic: str) -> list[float]:
        """Sends everything on schedule. Returns the latencies, in milliseconds."""
        begin = time.perf_counter() + 0.1
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.count):
                name = str(number).encode()
                self._due[name] = begin + number / self._rate_per_s
                await asyncio.sleep(self._due[name] - time.perf_counter())
                record = Record(topic, f"room{number % ROOMS}", name.ljust(16) + VALUE, {"ce_id": str(number)})
                tasks.create_task(send(record))
        if not await asyncio.to_thread(self.complete.wait, LIMIT_S):
            raise RuntimeError(f"{self.count - len(self.latencies_ms)} of {self.count} records did not arrive")
        return self.latencies_ms[WARM_UP:]

    def arrived(self, value: bytes) -> None:
        """Notes a record at the end of the chain."""
        self.latencies_ms.append((time.perf_counter() - self._due[value[:16].strip()]) * 1000)
        if len(self.latencies_ms) == self.count:
            self.complete.set()


async def through_bus(driver: type[KafkaBus], servers: str, hops: int, run: Run) -> list[float]:
    """Lydia's bus, as her services use it."""
    names = chain(hops)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(
            driver(Kafka(bootstrap_servers=servers), layout=lambda _: Layout(partitions=PARTITIONS))
        )
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        hops_of_chain = []
        for number, name in enumerate(names):
            consumer = await stack.enter_async_context(bus.consume(name, group=f"{name}.group"))
            following = names[number + 1] if number + 1 < hops else None
            hops_of_chain.append(tasks.create_task(_hop(bus, consumer, following, run, tasks)))
        latencies = await run.play(bus.publish, names[0])
        for task in hops_of_chain:
            task.cancel()
        return latencies


async def _hop(bus: Bus, consumer: Consumer, following: str | None, run: Run, tasks: asyncio.TaskGroup) -> None:
    """As a service's worker does, it waits for the broker's answer, but only the room waits with it."""
    async for delivery in consumer:
        tasks.create_task(_pass_on(bus, delivery, following, run))


async def _pass_on(bus: Bus, delivery: Delivery, following: str | None, run: Run) -> None:
    record = delivery.record
    if following is None:
        run.arrived(record.value)
    else:
        await bus.publish(Record(following, record.key, record.value, record.headers))
    delivery.done()


async def bare_kafka_python(servers: str, hops: int, run: Run) -> list[float]:
    """kafka-python in threads, and nothing else."""
    producer: Any = KafkaProducer(bootstrap_servers=servers, metrics_enabled=False)

    def hop(name: str, following: str | None, ready: threading.Event, stop: threading.Event) -> None:
        consumer: Any = KafkaConsumer(
            name,
            bootstrap_servers=servers,
            group_id=f"{name}.group",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metrics_enabled=False,
        )
        while not stop.is_set():
            # kafka-python 3.0.12 may forget a join that outlasts a call.
            for found in consumer.poll(timeout_ms=100 if ready.is_set() else JOIN_MS).values():
                for entry in found:
                    if following is None:
                        run.arrived(entry.value)
                    else:
                        producer.send(following, key=entry.key, value=entry.value, headers=list(entry.headers))
            if consumer.assignment():
                ready.set()
        consumer.close()

    async def send(record: Record) -> None:
        headers = [(name, text.encode()) for name, text in record.headers.items()]
        producer.send(record.topic, key=record.key.encode(), value=record.value, headers=headers)

    with _hops(await created(servers, hops), hop) as names:
        latencies = await run.play(send, names[0])
    producer.close()
    return latencies


async def bare_confluent(servers: str, hops: int, run: Run) -> list[float]:
    """confluent-kafka in threads, and nothing else."""
    producer: Any = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 0})

    def hop(name: str, following: str | None, ready: threading.Event, stop: threading.Event) -> None:
        consumer: Any = ConfluentConsumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"{name}.group",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": FETCH_WAIT_MS,
                "fetch.queue.backoff.ms": 5,
            }
        )
        consumer.subscribe([name])
        while not stop.is_set():
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                if following is None:
                    run.arrived(message.value())
                else:
                    producer.produce(following, message.value(), message.key(), headers=message.headers())
            producer.poll(0)
            if consumer.assignment():
                ready.set()
        consumer.close()

    async def send(record: Record) -> None:
        headers: Any = [(name, text.encode()) for name, text in record.headers.items()]
        producer.produce(record.topic, record.value, record.key.encode(), headers=headers)

    with _hops(await created(servers, hops), hop) as names:
        latencies = await run.play(send, names[0])
    producer.flush(10)
    return latencies


@contextmanager
def _hops(
    names: list[str], hop: Callable[[str, str | None, threading.Event, threading.Event], None]
) -> Iterator[list[str]]:
    """A thread for each hop, all of them ready."""
    stop = threading.Event()
    ready = [threading.Event() for _ in names]
    threads = [
        threading.Thread(target=hop, args=(name, following, event, stop), daemon=True)
        for name, following, event in zip(names, [*names[1:], None], ready, strict=True)
    ]
    for thread in threads:
        thread.start()
    for event in ready:
        if not event.wait(LIMIT_S):
            raise RuntimeError("a hop did not join its group")
    try:
        yield names
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def chain(hops: int) -> list[str]:
    """The names of a new chain's topics."""
    mark = uuid.uuid4().hex[:8]
    return [f"lydia.hops.{mark}.{number}" for number in range(hops)]


async def created(servers: str, hops: int) -> list[str]:
    """A new chain's topics, as the bus creates them."""
    names = chain(hops)
    async with ConfluentBus(Kafka(bootstrap_servers=servers), layout=lambda _: Layout(partitions=PARTITIONS)) as bus:
        for name in names:
            async with bus.consume(name, group=None):
                pass
    return names


async def measure(servers: str, hops: int, records: int, rounds: int, console: Console) -> None:
    """Runs everything and prints the table."""
    sides: dict[tuple[str, str], Callable[[Run], Awaitable[list[float]]]] = {
        ("kafka-python", "bare loop"): lambda run: bare_kafka_python(servers, hops, run),
        ("kafka-python", "Lydia's bus"): lambda run: through_bus(KafkaPythonBus, servers, hops, run),
        ("confluent-kafka", "bare loop"): lambda run: bare_confluent(servers, hops, run),
        ("confluent-kafka", "Lydia's bus"): lambda run: through_bus(ConfluentBus, servers, hops, run),
    }
    found: dict[tuple[str, str], list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side, play in sides.items():
            console.print(f"round {number + 1} of {rounds}: {side[0]}, {side[1]}", style="dim")
            found[side] += await play(Run(WARM_UP + records))
    table = Table(title=f"{hops} hops, {RATE_PER_S} records/s, {rounds * records} measured; milliseconds")
    for column in ("library", "", "p50", "p95", "p99", "p50 of the bare loop"):
        table.add_column(column, justify="left" if column in ("library", "") else "right")
    for (library, way), latencies in found.items():
        shown = [f"{percentile(latencies, share):.1f}" for share in (0.5, 0.95, 0.99)]
        ratio = percentile(latencies, 0.5) / percentile(found[library, "bare loop"], 0.5)
        table.add_row(library, way, *shown, f"{ratio:.2f} ×")
    console.print(table)
    console.print(machine())


async def main() -> None:
    """Reads the arguments, and brings a Kafka of its own where the environment names none."""
    arguments = argparse.ArgumentParser(description="what the bus adds to its client library, over a real Kafka")
    arguments.add_argument("--hops", type=int, default=4)
    arguments.add_argument("--records", type=int, default=200, help="measured in each round")
    arguments.add_argument("--rounds", type=int, default=2)
    given = arguments.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        async with kafka(Path(folder)) as servers:
            await measure(servers, given.hops, given.records, given.rounds, console)


if __name__ == "__main__":
    uvloop.run(main())
