"""`python -m loadtests.capacity.measure`: what a quiet room, a speaking room and an audience event cost, measured.

For each voice, `lydia up` runs with more and more rooms while its processor time, memory, records and latencies are
read. Processor time is what the plan uses: it hardly depends on what else the machine does. Latencies do, so the share
of the machine that went elsewhere is kept beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from loadtests.bench import CROWD, TYPED, machine, percentile
from loadtests.capacity import target
from loadtests.capacity.measured import CLUSTER, FILE, REPLICAS, UP, Measured, Step, line, load, save
from loadtests.capacity.processes import machine_cpu_s
from loadtests.capacity.target import Target
from loadtests.renderer import Renderer, watching
from loadtests.rooms import APART_S, LOADING_S, tell

VOICES: dict[str, dict[str, str]] = {
    "fast": {"LYDIA_SPEECH__OWN_VOICE": "fast"},
    "lydia": {"LYDIA_SPEECH__OWN_VOICE": "lydia"},
    "finest": {"LYDIA_SPEECH__OWN_VOICE": "lydia", "LYDIA_SPEECH__FINEST": "true"},
}
LEFT_OUT = ((CLUSTER, "finest"), (REPLICAS, "finest"), (REPLICAS, "lydia"))
"""Nobody has the finest behind Triton, and replicas decide the same for every voice."""
SETTLE_S = 3.0
"""After a change, before reading begins."""
FINISHED_S = 5
"""How long to wait for the last records of a step."""
PROBES = 4
PROBE_EVERY_S = 2.0
CROWD_CYCLE = (*["text"] * 5, *["like"] * 10, "enter")
"""What a crowd does, about as the simulator's: two likes for a comment, few who enter."""
ANSWER_S = 5.0
"""How long a probe's answer may take to come."""


@dataclass(frozen=True)
class Wanted:
    """One step: what is to be there."""

    quiet: int = 0
    speaking: int = 0
    crowd_per_s: int = 0

    @property
    def probes(self) -> int:
        """Rooms for typed messages; their answers would make quiet steps speak."""
        return PROBES if self.speaking and not self.crowd_per_s else 0


def wanted(given: argparse.Namespace, voice: str) -> list[Wanted]:
    """Nothing, quiet rooms, speaking rooms, and a crowd in one of them."""
    if voice == "finest":  # needs about a core for each
        return [Wanted(), *(Wanted(speaking=count) for count in given.rooms if count <= 2)]
    speaking = [Wanted(speaking=count) for count in given.rooms]
    crowds = [Wanted(speaking=1, crowd_per_s=rate) for rate in given.crowds]
    return [Wanted(), *(Wanted(quiet=count) for count in given.quiet), *speaking, *crowds]


async def measure(
    where: str, voice: str, steps: Sequence[Wanted], seconds: float, progress: Progress
) -> AsyncGenerator[Step, None]:
    """All steps of one voice, in one run."""
    bar = progress.add_task(f"{where}, {voice}: starts", total=len(steps))
    with tempfile.TemporaryDirectory(prefix="lydia-capacity-") as folder:
        if where == UP:
            run = target.up(Path(folder), VOICES[voice])
        else:
            run = target.cluster(Path(folder), VOICES[voice], replicas=where == REPLICAS)
        async with run as running, running.client() as client:
            await asyncio.sleep(LOADING_S)
            for number, step in enumerate(steps):
                told = f"{where}, {voice}: {step.quiet} quiet, {step.speaking} speaking"
                progress.update(bar, description=told + (", a crowd" if step.crowd_per_s else ""))
                yield await _step(running, client, (where, voice), step, f"s{number}", seconds)
                progress.advance(bar)


async def _step(
    running: Target, client: httpx.AsyncClient, what: tuple[str, str], step: Wanted, name: str, seconds: float
) -> Step:
    begun = await running.records(client)
    async with AsyncExitStack() as stack:
        speaking, quiet, probes = [
            [await stack.enter_async_context(watching(running.address, f"{name}-{kind}{k}")) for k in range(count)]
            for kind, count in (("speaking", step.speaking), ("quiet", step.quiet), ("probe", step.probes))
        ]
        everybody = [*speaking, *quiet, *probes]
        async with asyncio.TaskGroup() as tasks:
            await asyncio.sleep(1)
            await _silence(client, everybody)  # she says good evening where a room opens
            telling = [
                tasks.create_task(tell(client, room, number), name=f"story {number}")
                for number, room in enumerate(speaking)
            ]
            await asyncio.sleep(SETTLE_S + APART_S * step.speaking)
            before = _read(running, everybody)
            latencies, events = await asyncio.gather(
                _typed(client, probes, seconds), _crowd(client, f"{name}-speaking0", step.crowd_per_s, seconds)
            )
            after = _read(running, everybody)
            rungs = Counter(
                str(status["speech_rung"])
                for status in (await client.get("/rooms")).json()
                if status["room_id"].startswith(f"{name}-speaking")
            )
            for task in telling:
                task.cancel()
        await _silence(client, everybody)  # nobody speaks on into the next step
        await _finished(running, client)
        sound = sum(room.voice_s for room in everybody)
        records = await running.records(client)
    passed = after.at_s - before.at_s
    cpu = {part: round(after.cpu_s[part] - before.cpu_s[part], 3) for part in after.cpu_s}
    others = after.machine_s - before.machine_s - sum(cpu.values()) - (after.harness_s - before.harness_s)
    return Step(
        where=what[0],
        voice=what[1],
        quiet=step.quiet + step.probes,
        speaking=step.speaking,
        seconds=round(passed, 2),
        cpu_s=cpu,
        voice_s=round(after.voice_s - before.voice_s, 2),
        events=events,
        records={topic: records[topic] - begun.get(topic, 0) for topic in sorted(records)},
        sound_s=round(sound, 2),
        stream_mb=round(after.stream_mb - before.stream_mb, 3),
        resident_mb={part: round(megabytes) for part, megabytes in after.resident_mb.items()},
        latencies_ms=[round(latency, 1) for latency in latencies],
        holes=after.holes - before.holes,
        rungs=dict(rungs),
        busy_with_others=round(max(others, 0.0) / (passed * (os.cpu_count() or 1)), 3),
    )


async def _finished(running: Target, client: httpx.AsyncClient) -> None:
    """Until no more records are finished: what was stopped is counted too."""
    found: dict[str, int] = {}
    for _ in range(FINISHED_S):
        await asyncio.sleep(1)
        earlier, found = found, await running.records(client)
        if found == earlier:
            return


async def _silence(client: httpx.AsyncClient, rooms: Sequence[Renderer]) -> None:
    for room in rooms:
        stopped = await client.post(f"/rooms/{room.room_id}/control", json={"action": "stop"})
        stopped.raise_for_status()


@dataclass(frozen=True)
class _Reading:
    at_s: float
    cpu_s: dict[str, float]
    resident_mb: dict[str, float]
    voice_s: float
    stream_mb: float
    holes: int
    harness_s: float
    machine_s: float


def _read(running: Target, rooms: Sequence[Renderer]) -> _Reading:
    cpu, memory = running.used()
    return _Reading(
        at_s=time.perf_counter(),
        cpu_s=cpu,
        resident_mb=memory,
        voice_s=sum(room.voice_s for room in rooms),
        stream_mb=sum(room.arrived_bytes for room in rooms) / 1e6,
        holes=sum(room.gaps for room in rooms),
        harness_s=time.process_time(),
        machine_s=machine_cpu_s(),
    )


async def _typed(client: httpx.AsyncClient, probes: Sequence[Renderer], seconds: float) -> list[float]:
    """Sends a message every two seconds, to one of the probes' rooms after the other; returns latencies.

    An answer that does not come counts as the time that was waited for it.
    """
    begin = time.perf_counter()
    latencies: list[float] = []
    chance = random.Random(2112)
    number = 0
    while (at := number * PROBE_EVERY_S) < seconds - PROBE_EVERY_S and probes:
        await asyncio.sleep(max(begin + at - time.perf_counter(), 0))
        room = probes[number % len(probes)]
        number += 1
        if room.speaking:
            continue
        scheduled = time.perf_counter()
        viewer = {"id": f"v{chance.getrandbits(30)}", "name": "小星"}
        body = {"viewer": viewer, "text": TYPED[number % len(TYPED)]}
        answer = await client.post(f"/rooms/{room.room_id}/messages", json=body)
        event_id = str(answer.raise_for_status().json()["event_id"])
        while event_id not in room.first_voice and time.perf_counter() < scheduled + ANSWER_S:
            await room.wait(0.25)
        latencies.append((room.first_voice.get(event_id, scheduled + ANSWER_S) - scheduled) * 1000)
    await asyncio.sleep(max(begin + seconds - time.perf_counter(), 0))
    return latencies


async def _crowd(client: httpx.AsyncClient, room_id: str, per_s: int, seconds: float) -> int:
    """Sends what hardly anybody answers, as fast as it is taken; returns how many events."""
    begin, chance = time.perf_counter(), random.Random(2112)
    sent = 0
    async with asyncio.TaskGroup() as tasks:
        room_for = asyncio.Semaphore(50)

        async def send(body: dict[str, object]) -> None:
            async with room_for:
                (await client.post(f"/rooms/{room_id}/messages", json=body)).raise_for_status()

        while per_s and time.perf_counter() < begin + seconds:
            await asyncio.sleep(max(begin + sent / per_s - time.perf_counter(), 0))
            async with room_for:  # the machine may take fewer
                pass
            number = int(500 * chance.random() ** 2)  # a few viewers do most
            body: dict[str, object] = {"viewer": {"id": f"c{number}", "name": f"观众{number}"}}
            match CROWD_CYCLE[sent * 7 % len(CROWD_CYCLE)]:
                case "text":
                    body["text"] = chance.choice(CROWD)
                case "like":
                    body["like"] = {"count": chance.randint(1, 9)}
                case _:
                    body["enter"] = {}
            tasks.create_task(send(body), name="crowd")
            sent += 1
    return sent


def shown(measured: Measured) -> list[Table]:
    """The steps and the lines through them."""
    steps = Table(title=f"measured on {measured.date}, {measured.machine}", title_justify="left")
    for name in (
        "", "quiet", "speaking", "events", "cores", "sound", "p50 ms", "p95 ms", "holes", "MB", "rungs", "others",
    ):  # fmt: skip
        steps.add_column(name, justify="left" if name in ("", "rungs") else "right")
    for step in measured.steps:
        latencies = [
            f"{percentile(step.latencies_ms, share):.0f}" if step.latencies_ms else "" for share in (0.5, 0.95)
        ]
        rungs = ", ".join(f"{rung} ×{count}" for rung, count in step.rungs.items())
        steps.add_row(
            f"{step.where}, {step.voice}", str(step.quiet), str(step.speaking), str(step.events),
            f"{sum(step.cpu_s.values()) / step.seconds:.2f}", f"{step.voice_s:.0f} s", *latencies, str(step.holes),
            f"{sum(step.resident_mb.values()):.0f}", rungs, f"{step.busy_with_others:.0%}",
        )  # fmt: skip
    lines = Table(title="the lines through them, in thousandths of a core", title_justify="left")
    for name in ("", "no room", "a room", "a second of sound", "an event, ms", "off by at most"):
        lines.add_column(name, justify="right" if name else "left")
    for where, voice in dict.fromkeys((step.where, step.voice) for step in measured.steps):
        chosen = measured.of(where, voice)
        for part in (None, *chosen[0].cpu_s):
            found = line(chosen, part)
            values = (found.start, found.room, found.voice, found.event)
            name = f"{where}, {voice}" if part is None else f"  {part}"
            lines.add_row(name, *(f"{1000 * value:.1f}" for value in values), f"{found.worst:.0%}")
    return [steps, lines]


async def main(given: argparse.Namespace, console: Console) -> None:
    """Measures, prints, and keeps each step once it is done: who stops it has what there is."""
    if not console.is_terminal:
        console.width = 150
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _cancelled(asyncio.current_task()))
    runs = [(where, voice) for where in given.where for voice in given.voices]
    runs = [run for run in runs if run not in LEFT_OUT]
    kept = load(given.out).steps if given.add and given.out.exists() else []
    steps = [step for step in kept if (step.where, step.voice) not in runs]
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    measured = Measured(machine(), date, given.remark, steps)
    with Progress(console=console) as progress:
        for where, voice in runs:
            async with aclosing(measure(where, voice, wanted(given, voice), given.seconds, progress)) as found:
                async for step in found:
                    steps.append(step)
                    save(measured, given.out)
    for table in shown(measured):
        console.print(table)


def _cancelled(running: asyncio.Task[None] | None) -> Callable[[], object]:
    """So that SIGTERM, too, ends what was started."""
    assert running is not None
    return running.cancel


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    places = [UP, CLUSTER, REPLICAS]
    parser.add_argument("--where", nargs="+", choices=places, default=places, help="default: all")
    parser.add_argument("--voices", nargs="+", choices=VOICES, default=list(VOICES), help="default: all")
    parser.add_argument("--rooms", nargs="+", type=int, default=[1, 2, 4, 8], help="that speak (default 1 2 4 8)")
    parser.add_argument("--quiet", nargs="*", type=int, default=[8, 32], help="quiet rooms (default 8 32)")
    parser.add_argument("--crowds", nargs="*", type=int, default=[20, 100], help="events a second (default 20 100)")
    parser.add_argument("--seconds", type=float, default=15, help="of each step (default 15)")
    parser.add_argument("--remark", default="", help="kept with the figures: what else the machine did")
    parser.add_argument("--add", action="store_true", help="keep what the file has of other voices")
    parser.add_argument("--out", type=Path, default=FILE, help="default: the file beside this program")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parser.parse_args(), Console()))
