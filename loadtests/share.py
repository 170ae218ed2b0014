"""`python -m loadtests.share`: the platform's own share of the time from a message to the first voice, hop by hop.

A whole cluster over a real Kafka whose models answer at once (loadtests.instant), once for each client library, and a
bare loop of the same library over as many hops, at the same rate and over the same broker, before and after. Open loop:
a message's time counts from when it was to be sent to when the stage has the first voice. The stage performs it when
the first frames have come too, over two further hops: the last line tells of that, and is no part of the sum.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from deploy.local.cluster import Cluster, cluster
from deploy.local.kafka import KafkaServer
from deploy.local.process import free_port
from deploy.local.spans import Seen
from loadtests.bench import CROWD, machine, percentile
from loadtests.hops import Run, bare_confluent, bare_kafka_python
from loadtests.renderer import Renderer, watching

HOPS = ("lydia.audience", "lydia.turns", "lydia.text", "lydia.voice")
"""Topics on the way, each a hop."""
STEPS = (
    ("gateway has it", "gateway", "receive direct"),
    ("audience has it", "audience", "process lydia.audience"),
    ("chat has the turn", "chat", "process lydia.turns"),
    ("speech has the words", "speech", "process lydia.text"),
    ("stage has the voice", "stage", "process lydia.voice"),
)
"""Name, service, and the span whose begin it is."""
LAST = "then: a renderer has it, with frames"
CLIENTS: Mapping[str, Callable[[str, int, Run], Awaitable[list[float]]]] = {
    "kafka-python": bare_kafka_python,
    "confluent-kafka": bare_confluent,
}
ROOMS, RATE_PER_S = 4, 4.0
"""A room has a message every second, and her answer is over before the next."""
WARM_UP = 20
"""Messages at the beginning that do not count."""
ANSWER_S = 30.0
SPANS_S = 7.0
"""Until the last spans have come: a process sends them every five seconds, here as anywhere."""
TRACES_EACH = 50
"""More than a message and all that it causes have. The collector keeps them all."""
RATIO, P50_MS = 1.5, 40.0
"""What is wanted of kafka-python, at most."""


@dataclass
class Found:
    """Milliseconds."""

    bare: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    """From the message to the first voice at the stage."""
    steps: dict[str, list[float]] = field(default_factory=dict)
    """What each took after the one before."""
    unanswered: int = 0


async def measure(client: str, messages: int, tell: Callable[[str], None]) -> Found:
    """One client library."""
    found = Found()
    settings = {
        "LYDIA_KAFKA__CLIENT": client,
        "LYDIA_SPEECH__OWN_VOICE": "fast",
        "LYDIA_AUDIENCE__QUIET_S": "3600",
        "LYDIA_AUTH__OPERATOR_TOKEN": "share-operator",
    }
    with tempfile.TemporaryDirectory(prefix="lydia-share-") as temporary:
        folder = Path(temporary)
        async with cluster(
            folder,
            port=free_port(),
            without=("prometheus", "triton"),
            settings=settings | {"LYDIA_DATA_DIR": str(folder / "data")},
            module="loadtests.instant",
        ) as made:
            broker = made.servers["kafka"]
            assert isinstance(broker, KafkaServer)
            assert made.spans is not None
            made.spans.most = TRACES_EACH * (WARM_UP + messages)
            for turn in ("before", "after"):
                tell(f"{client}: a bare loop over {len(HOPS)} hops, {turn}")
                run = Run(WARM_UP + messages // 2, rate_per_s=RATE_PER_S)
                found.bare += await CLIENTS[client](broker.servers, len(HOPS), run)
                if turn == "before":
                    tell(f"{client}: {messages} messages in {ROOMS} rooms")
                    await _play(made, messages, found)
    return found


async def _play(made: Cluster, messages: int, found: Found) -> None:
    gateway, stage = (f"127.0.0.1:{made.ports[name]}" for name in ("gateway", "stage"))
    due: dict[str, float] = {}
    """Event id → when it was to be sent."""
    rooms = [f"share{number}" for number in range(ROOMS)]
    async with AsyncExitStack() as stack:
        renderers = [await stack.enter_async_context(watching(stage, room)) for room in rooms]
        begin = time.perf_counter() + 0.5
        async with asyncio.TaskGroup() as tasks:
            for turn, room in enumerate(rooms):
                numbers = range(turn, WARM_UP + messages, ROOMS)
                tasks.create_task(asyncio.to_thread(_write, gateway, room, numbers, begin, due))
        heard = await _heard(renderers, due)
        await asyncio.sleep(SPANS_S)
    counted = {event_id: at for event_id, at in due.items() if at >= begin + WARM_UP / RATE_PER_S}
    found.unanswered = sum(event_id not in heard for event_id in counted)
    assert made.spans is not None
    ahead_s = time.time() - time.perf_counter()
    wanted, came = ({event_id: at + ahead_s for event_id, at in times.items()} for times in (counted, heard))
    take_steps(made.spans.traces.values(), wanted, came, found)


def _write(gateway: str, room: str, numbers: Iterable[int], begin: float, due: dict[str, float]) -> None:
    """A room's viewers. In a thread and by the standard library, since what a message costs here before it is on its
    way counts as the platform's: an event loop wakes up to a millisecond late, and its clients take as much again.
    """
    connection = HTTPConnection(gateway, timeout=ANSWER_S)
    headers = {"content-type": "application/json"}
    for number in numbers:
        at = begin + number / RATE_PER_S
        body = json.dumps(
            {"viewer": {"id": f"u{number}", "name": "Mei"}, "text": f"{CROWD[number % len(CROWD)]} {number}"}
        )
        time.sleep(max(at - time.perf_counter(), 0))
        connection.request("POST", f"/rooms/{room}/messages", body, headers)
        with connection.getresponse() as answer:
            due[json.load(answer)["event_id"]] = at
    connection.close()


async def _heard(renderers: Sequence[Renderer], due: Mapping[str, float]) -> dict[str, float]:
    """Event id → when its first voice came to a renderer."""
    until = time.perf_counter() + ANSWER_S
    while True:
        heard = {event_id: at for renderer in renderers for event_id, at in renderer.first_voice.items()}
        if due.keys() <= heard.keys() or time.perf_counter() > until:
            return heard
        await asyncio.sleep(0.2)


def take_steps(
    traces: Iterable[Sequence[Seen]], due: Mapping[str, float], heard: Mapping[str, float], found: Found
) -> None:
    """Notes when each message that was heard passed each step, as far as its trace tells of all of them.

    `due`, `heard`: event id → when it was to be sent, when its first voice came to a renderer; Unix time in seconds.
    """
    found.steps = {name: [] for name in (*(name for name, _, _ in STEPS), LAST)}
    for trace in traces:
        ids = {a.value.string_value for each in trace for a in each.span.attributes if a.key == "messaging.message.id"}
        event_id = next((one for one in ids if one in due and one in heard), None)
        begins: dict[tuple[str, str], float] = {}
        for each in trace:
            place = each.service.removeprefix("lydia-"), each.span.name
            at = each.span.start_time_unix_nano / 1e9
            begins[place] = min(at, begins.get(place, at))
        if event_id is None or any((service, span) not in begins for _, service, span in STEPS):
            continue
        before = due[event_id]
        times = [*(begins[service, span] for _, service, span in STEPS), heard[event_id]]
        for name, at in zip(found.steps, times, strict=True):
            found.steps[name].append((at - before) * 1000)
            before = at
        found.whole.append((times[-2] - due[event_id]) * 1000)


def reached(found: Found) -> bool:
    """Whether that is what is wanted of kafka-python."""
    p50 = percentile(found.whole, 0.5)
    return not found.unanswered and p50 <= P50_MS and p50 <= RATIO * percentile(found.bare, 0.5)


def show(console: Console, client: str, found: Found) -> None:
    """The table of a client library."""
    table = Table(title=f"{client}: {len(found.whole)} messages, {RATE_PER_S:g} a second; milliseconds")
    for column in ("", "p50", "p95", "p99"):
        table.add_column(column, justify="right" if column else "left")
    steps = dict(found.steps)
    last = {LAST: steps.pop(LAST)}
    rows = {**steps, "message → first voice": found.whole, f"bare loop, {len(HOPS)} hops": found.bare} | last
    for name, times in rows.items():
        table.add_row(name, *(f"{percentile(times, share):.1f}" for share in (0.5, 0.95, 0.99)))
    console.print(table)
    ratio = percentile(found.whole, 0.5) / percentile(found.bare, 0.5)
    console.print(f"{ratio:.2f} × the p50 of the bare loop; {found.unanswered} messages unanswered")


async def main(given: argparse.Namespace) -> int:
    """Measures and prints everything."""
    console = Console(stderr=True, highlight=False)
    every: dict[str, Found] = {}
    for client in given.client or CLIENTS:
        every[client] = await measure(client, given.messages, lambda text: console.print(text, style="dim"))
        show(Console(), client, every[client])
    Console().print(machine())
    if given.json is not None:
        given.json.write_text(json.dumps({name: vars(found) for name, found in every.items()}, indent=1) + "\n")
    wanted = every.get("kafka-python")
    return 0 if wanted is None or reached(wanted) else 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m loadtests.share", description=__doc__)
    arguments.add_argument("client", nargs="*", choices=[[], *CLIENTS], help="both by default")
    arguments.add_argument("--messages", type=int, default=400)
    arguments.add_argument("--json", type=Path)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main(arguments.parse_args())))
