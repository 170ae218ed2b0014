"""`make bench`: how fast she answers and stops, how many rooms she keeps up with, and what a kill costs, measured on
this machine.

Open loop: every message has its time before the run begins, is sent at that time whatever happens, and its latency
counts from that time. `--quick` runs a tenth of everything.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from loadtests.kill import kill_runs
from loadtests.process import Process, lydia
from loadtests.renderer import Renderer, watching
from loadtests.rooms import rooms as speaking_rooms
from loadtests.spans import collecting

RATE_PER_S = 20
TYPED_SHARE, GIFT_SHARE = 0.05, 0.025
"""Of the 20 events a second, how many are measured: messages typed into a quiet room, and gifts that cut in. The rest
crowds one more room."""
NO_IDLE_TALK = {"LYDIA_AUDIENCE__QUIET_S": "3600"}
"""What she says by herself would only get in the way of measuring."""
ANSWER_TIMEOUT_S = 10.0
CUT_AT_ONCE = 5
MANY_ROOMS = {"LYDIA_STAGE__MAX_ROOMS": "2000"}
"""Every interruption has a room of its own: nobody there has asked or been cut off before."""
OWN_NETWORKS = {f"LYDIA_{name}": "true" for name in ("CHAT__NETWORK", "SPEECH__OWN_NETWORK", "MOTION__NETWORK")}
TYPED = (
    "第一次来，你这里是做什么的呀",
    "你平时下了播都干啥",
    "能给我们来一首你拿手的歌不",
    "what do you usually have for breakfast",
    "有没有好笑的段子，来一个",
    "so are you a real person or what",
    "你家里养小动物了吗",
    "今天上班被老板骂了，好难过",
    "你说人以后会住到火星上去吗",
    "do you ever get tired of talking to us",
    "明天要考试了，给我加个油吧",
    "你这身衣服是哪里买的",
)
"""None is an example of the persona's, whose meanings are kept: each must be understood anew."""
CROWD = ("666", "哈哈哈", "主播好", "来了来了", "hello", "今天好冷", "好听", "love this", "求关注", "晚上好")
LONG_ANSWERS = (
    "给我讲个故事吧",
    "你是谁呀",
    "2112年的城市是什么样的",
    "你们那儿的海还是蓝色的吗",
    "讲个笑话",
    "念首诗吧",
    "你最喜欢吃什么",
    "未来的学校是什么样子",
    "你有什么爱好",
    "我今天好累啊",
)
LONG = "我想慢慢地给大家讲一个很长很长的故事，从前有一座山，山上有一座天文台，台里住着一个喜欢数星星的姑娘，"


@dataclass
class Probe:
    """One measured message. Times are `perf_counter` seconds."""

    kind: str
    room: Renderer
    scheduled: float
    sent: float = 0.0
    event_id: str = ""

    @property
    def latency_ms(self) -> float | None:
        """From the scheduled send to the first voice of the answer; None when there was none."""
        came = self.room.first_voice.get(self.event_id)
        return None if came is None else (came - self.scheduled) * 1000


@dataclass
class Answers:
    """What the first part measured."""

    probes: list[Probe] = field(default_factory=list)
    sent: int = 0
    failed: int = 0
    lags_ms: list[float] = field(default_factory=list)
    """How late the harness itself sent."""


async def answers(
    process: Process, client: httpx.AsyncClient, seconds: float, quiet: int, progress: Progress
) -> Answers:
    """20 events a second for so long: a crowd in one room, probes in `quiet` quiet rooms."""
    result = Answers()
    chance = random.Random(2112)
    async with AsyncExitStack() as stack:
        rooms = [await stack.enter_async_context(watching(process.address, f"probe{k}")) for k in range(quiet)]
        await stack.enter_async_context(watching(process.address, "crowd"))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        await asyncio.sleep(1)
        begin = time.perf_counter()
        bar = progress.add_task("20 events a second", total=round(seconds * RATE_PER_S))
        at = 0.0
        while (at := at + chance.expovariate(RATE_PER_S)) < seconds:
            scheduled = begin + at
            await asyncio.sleep(max(scheduled - time.perf_counter(), 0))
            result.lags_ms.append((time.perf_counter() - scheduled) * 1000)
            probe = _next_probe(chance, rooms, result.probes, scheduled)
            if probe is not None:
                result.probes.append(probe)
            tasks.create_task(_send(client, probe, result, chance.getrandbits(32)), name="send")
            progress.advance(bar)
        await asyncio.sleep(ANSWER_TIMEOUT_S)
    return result


def _next_probe(chance: random.Random, rooms: Sequence[Renderer], probes: Sequence[Probe], at: float) -> Probe | None:
    """A measured message when it is its turn, in a room that owes no answer yet.

    Typed ones go where she is silent. Gifts go where she is silent or answers a message, which they cut short; thanks
    for another gift they would not cut.
    """
    draw = chance.random()
    owing = {
        probe.room.room_id for probe in probes if probe.latency_ms is None and at < probe.scheduled + ANSWER_TIMEOUT_S
    }
    free = [room for room in rooms if room.room_id not in owing and not room.thanking]
    silent = [room for room in free if not room.speaking and at - room.quiet_since > 1]
    if draw < TYPED_SHARE:
        return Probe("typed message, she is silent", chance.choice(silent), at) if silent else None
    if draw < TYPED_SHARE + GIFT_SHARE and free:
        room = chance.choice(free)
        return Probe("gift, cuts into an answer" if room.speaking else "gift, she is silent", room, at)
    return None


async def _send(client: httpx.AsyncClient, probe: Probe | None, result: Answers, number: int) -> None:
    room = probe.room.room_id if probe is not None else "crowd"
    body: dict[str, object] = {"viewer": {"id": f"viewer{number % 5000}", "name": f"观众{number % 5000}"}}
    if probe is None and number % 3 == 0:
        body["like"] = {"count": number % 9 + 1}
    elif probe is None and number % 7 == 0:
        body["enter"] = {}
    elif probe is None:
        body["text"] = CROWD[number % len(CROWD)]
    elif probe.kind.startswith("gift"):
        body["gift"] = {"name": "星舰", "count": 1, "value_fen": 8_800}
    else:
        body["text"] = TYPED[number % len(TYPED)]
    result.sent += 1
    try:
        answer = await client.post(f"/rooms/{room}/messages", json=body)
    except httpx.HTTPError:
        result.failed += 1
        return
    if answer.status_code != 202:
        result.failed += 1
    elif probe is not None:
        probe.sent = time.perf_counter()
        probe.event_id = answer.json()["event_id"]


@dataclass
class Interruptions:
    """What the second part measured. Milliseconds to the last old sample."""

    panic_ms: list[float] = field(default_factory=list)
    """From the operator's request."""
    gift_ms: list[float] = field(default_factory=list)
    """From the first voice of the thanks: until that is there she goes on, for nobody should hear a hole."""
    made_ms: list[float] = field(default_factory=list)
    """From the gift's being given: the making of the thanks is in it."""
    late_frames: int = 0
    missed: int = 0


async def interruptions(process: Process, client: httpx.AsyncClient, count: int, progress: Progress) -> Interruptions:
    """Lets her speak in several rooms at once, and cuts her off at random moments, by panic and by gifts."""
    result = Interruptions()
    bar = progress.add_task(f"{count} interruptions", total=count)
    left = iter(range(count))

    async def cut(place: int) -> None:
        chance = random.Random(place)
        for number in left:
            async with watching(process.address, f"cut{number}") as renderer:
                await _interrupt(client, renderer, chance, result)
            result.late_frames += renderer.late_frames
            progress.advance(bar)

    async with asyncio.TaskGroup() as tasks:
        for place in range(CUT_AT_ONCE):
            tasks.create_task(cut(place), name=f"cut{place}")
    return result


async def _interrupt(client: httpx.AsyncClient, room: Renderer, chance: random.Random, result: Interruptions) -> None:
    """One answer, cut at a random moment. Half by panic, half by a gift, which must be there before it takes over."""
    control, by_gift = f"/rooms/{room.room_id}/control", chance.random() < 0.5
    if by_gift:
        await _give(client, room, chance, {"text": chance.choice(LONG_ANSWERS)})
    else:
        await client.post(control, json={"action": "say", "text": LONG * 3})
    deadline = time.perf_counter() + 10
    while not room.speaking and time.perf_counter() < deadline:
        await room.wait(0.5)
    await asyncio.sleep(chance.uniform(0.3, 1.5))
    stops, asked = len(room.stops), time.perf_counter()
    gift = ""
    if by_gift:
        gift = await _give(client, room, chance, {"gift": {"name": "星舰", "count": 1, "value_fen": 8_800}})
    else:
        await client.post(control, json={"action": "panic"})
    while (len(room.stops) == stops or (gift and gift not in room.first_voice)) and time.perf_counter() < asked + 5:
        await room.wait(0.5)
    if len(room.stops) == stops or (gift and gift not in room.first_voice):
        result.missed += 1
    elif gift:
        silent_at = room.stops[stops].silent_at
        result.made_ms.append((silent_at - asked) * 1000)
        result.gift_ms.append((silent_at - room.first_voice[gift]) * 1000)
    else:
        result.panic_ms.append((room.stops[stops].silent_at - asked) * 1000)


async def _give(client: httpx.AsyncClient, room: Renderer, chance: random.Random, what: dict[str, object]) -> str:
    """Sends it as a new viewer; returns the event's id."""
    viewer = {"id": f"v{chance.getrandbits(30)}", "name": "小星"}
    answer = await client.post(f"/rooms/{room.room_id}/messages", json={"viewer": viewer, **what})
    return str(answer.raise_for_status().json()["event_id"])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of the values does not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


def table(title: str, rows: Sequence[tuple[str, Sequence[float]]], unit: str = "ms") -> Table:
    """Percentiles of each row's values."""
    drawn = Table(title=title, title_justify="left")
    drawn.add_column("")
    for name in ("n", f"p50 {unit}", "p90", "p95", "p99", "max"):
        drawn.add_column(name, justify="right")
    for name, values in rows:
        shown = [f"{percentile(values, share):.1f}" for share in (0.5, 0.9, 0.95, 0.99, 1.0)]
        drawn.add_row(name, str(len(values)), *shown)
    return drawn


def machine() -> str:
    """What the figures were measured on."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    dirty = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=False).stdout
    changed = " with changes" if dirty.strip() else ""
    return (
        f"{os.cpu_count()} cores {model}, Python {platform.python_version()}, commit {commit.stdout.strip()}{changed}"
    )


async def main(arguments: argparse.Namespace) -> None:
    console = Console()
    console.print(machine())
    scale = 0.1 if arguments.quick else 1.0
    parts = set(arguments.parts)
    with tempfile.TemporaryDirectory(prefix="lydia-bench-") as folder, Progress(console=console) as progress:
        own = OWN_NETWORKS if arguments.own_networks else {}
        settings = {"LYDIA_SPEECH__OWN_VOICE": arguments.voice, **own, **NO_IDLE_TALK, **MANY_ROOMS}
        if parts & {"answers", "interruptions", "rooms"}:
            async with lydia(Path(folder) / "data", settings) as process, process.client() as client:
                progress.console.print(f"voice {arguments.voice}, started in {process.started_in_s:.1f} s")
                if "answers" in parts:
                    with stolen(progress.console):
                        found = await answers(
                            process, client, arguments.seconds * scale, arguments.quiet_rooms, progress
                        )
                        show_answers(progress.console, found)
                if "interruptions" in parts:
                    with stolen(progress.console):
                        show_interruptions(
                            progress.console, await interruptions(process, client, round(1000 * scale), progress)
                        )
                if "rooms" in parts:
                    with stolen(progress.console):
                        progress.console.print(
                            await speaking_rooms(
                                process, client, arguments.speaking_rooms, arguments.seconds * scale, progress
                            )
                        )
        if "answers" in parts:
            # Again, because tracing costs time too, and she runs without it unless a collector is named.
            async with (
                collecting() as collector,
                lydia(
                    Path(folder) / "traced", {"LYDIA_TELEMETRY__OTLP_ENDPOINT": collector.endpoint, **settings}
                ) as process,
                process.client() as client,
            ):
                await answers(process, client, arguments.seconds / 2 * scale, arguments.quiet_rooms, progress)
                await asyncio.sleep(6)  # the last spans come in batches
            rows = list(collector.milestones("probe").items())
            progress.console.print(table("Once more, traced: from the gateway's receipt to each milestone", rows))
        if "kill" in parts:
            await kill_runs(Path(folder), round(10 * scale) or 1, progress)


@contextmanager
def stolen(console: Console) -> Iterator[None]:
    """Says how much of the cores' time went to other machines meanwhile (virtual machines only; Linux counts it)."""
    before = _cpu_times()
    yield
    if before is not None and (after := _cpu_times()) is not None:
        passed = [late - early for early, late in zip(before, after, strict=True)]
        busy = 1 - (passed[3] + passed[4]) / sum(passed)
        console.print(
            f"the cores were busy for {busy:.0%} of the time, {passed[7] / sum(passed):.1%} with other machines"
        )


def _cpu_times() -> list[int] | None:
    """user, nice, system, idle, iowait, irq, softirq, steal: https://docs.kernel.org/filesystems/proc.html §1.7"""
    try:
        return [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return None


def show_interruptions(console: Console, cut: Interruptions) -> None:
    """The table of the second part."""
    rows = [
        ("panic, from the operator's request", cut.panic_ms),
        ("gift, from the first voice of the thanks", cut.gift_ms),
        ("gift, from the giving, thanks made meanwhile", cut.made_ms),
    ]
    console.print(table("Interruptions: to the last sample of the old epoch", rows))
    console.print(f"voice or frames of an older epoch afterwards: {cut.late_frames}; never stopped: {cut.missed}")


def show_answers(console: Console, found: Answers) -> None:
    """The table of the first part."""
    rows = []
    for kind in sorted({probe.kind for probe in found.probes}, reverse=True):
        probes = [probe for probe in found.probes if probe.kind == kind]
        latencies = [latency for probe in probes if (latency := probe.latency_ms) is not None]
        rows.append((kind, latencies))
        if len(latencies) < len(probes):
            console.print(f"{kind}: {len(probes) - len(latencies)} of {len(probes)} without an answer in time")
    console.print(table("From the scheduled send to the first voice chunk on the WebSocket", rows))
    lag = percentile(found.lags_ms, 0.99)
    console.print(f"{found.sent} events sent, {found.failed} refused; the harness was late by {lag:.1f} ms at p99")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--voice", default="lydia", help="which of her own voices speaks: lydia, lydia-soft or fast")
    parser.add_argument(
        "--own-networks", action="store_true", help="words, voice and motion by networks of her own alone"
    )
    parser.add_argument("--quiet-rooms", type=int, default=10, help="beside the crowded one, for `answers`")
    parser.add_argument("--speaking-rooms", type=int, default=8, help="that speak at once, for `rooms`")
    parser.add_argument("--seconds", type=float, default=120, help="that `answers` and `rooms` take each")
    parser.add_argument("parts", nargs="*", default=["answers", "interruptions", "rooms", "kill"], metavar="PART")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parser.parse_args()))
