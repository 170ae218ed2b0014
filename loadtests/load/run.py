"""A run: plan, processes that play and watch, and what came of it."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from rich.progress import Progress

from loadtests.bench import machine
from loadtests.load import fates as told
from loadtests.load import result as results
from loadtests.load import stages
from loadtests.load.plan import Plan
from loadtests.load.result import Result
from loadtests.load.seen import Seen
from loadtests.load.target import Target
from loadtests.load.worker import Order, Record, work

READY_S = 120.0
"""How long a process may take to load and to open its rooms' stages."""
LEAD_S = 1.0
"""From the last process's being ready to the audience's begin."""
LAST_SPANS_S = 3.0
"""How long the last spans may take to come."""
GRACE_S = 60.0
"""How much longer than planned a process may take before it counts as hung: the last answers, and handing over."""


class HarnessFailed(Exception):
    """A process of the harness hung or died."""


async def run(target: Target, plan: Plan, *, processes: int, drain_s: float, progress: Progress) -> Result:
    """Plays the plan against the target. Bounded: READY_S, the load's seconds, `drain_s` and GRACE_S at most.

    Raises HarnessFailed.
    """
    parts = plan.parts(processes)
    acting = progress.add_task(f"{len(plan.requests)} requests in {len(plan.rooms)} rooms", total=plan.load.seconds)
    draining = progress.add_task("until everything is answered, at most", total=drain_s)
    with _processes(len(parts)) as pipes:
        for pipe, part in zip(pipes, parts, strict=True):
            pipe.send(Order(target.address, target.keys, part, drain_s))
        await asyncio.gather(*(_told(pipe, READY_S) for pipe in pipes))
        begin = time.perf_counter() + LEAD_S
        for pipe in pipes:
            pipe.send(begin)
        limit_s = LEAD_S + plan.load.seconds + drain_s + GRACE_S
        working = asyncio.gather(*(_told(pipe, limit_s) for pipe in pipes))
        while not working.done():
            passed = time.perf_counter() - begin
            progress.update(acting, completed=min(max(passed, 0), plan.load.seconds))
            progress.update(draining, completed=min(max(passed - plan.load.seconds, 0), drain_s))
            await asyncio.wait({working}, timeout=0.5)
        records: list[Record] = await working
    progress.update(acting, completed=plan.load.seconds)
    progress.update(draining, completed=drain_s)
    if target.collector is not None:
        await asyncio.sleep(LAST_SPANS_S)
    return summed(target, plan, records, begin)


@contextmanager
def _processes(count: int) -> Iterator[list[Connection]]:
    """Workers and the pipes to them; whatever happens they end with the context."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(count)]
    children = [context.Process(target=work, args=(theirs,), daemon=True) for _, theirs in pairs]
    try:
        for child, (_, theirs) in zip(children, pairs, strict=True):
            child.start()
            theirs.close()  # so that its death is the pipe's end
        yield [ours for ours, _ in pairs]
    finally:
        for child in children:
            child.join(timeout=2)
            child.kill()
            child.join()
        for ours, _ in pairs:
            ours.close()


async def _told(pipe: Connection, within_s: float) -> Record:
    """The next thing that a process tells."""

    def receive() -> Record:
        if not pipe.poll(within_s):
            raise HarnessFailed(f"a process of the harness told nothing for {within_s:.0f} s")
        try:
            record: Record = pipe.recv()
        except (EOFError, ConnectionError):
            raise HarnessFailed("a process of the harness died; it said why above") from None
        return record

    return await asyncio.to_thread(receive)


def summed(target: Target, plan: Plan, records: Sequence[Record], begin: float) -> Result:
    """One result of all processes' records."""
    sent = [one for record in records for one in record.sent]
    rooms = [seen for record in records for seen in record.seen]
    until = max(record.until for record in records)
    fates = told.fates(plan, sent, rooms, begin, until)
    traces = target.collector.traces if target.collector is not None else {}
    timed = stages.traced(traces.values()) if traces else stages.seen(fates)
    where, _, commit = machine().partition(", commit ")
    return Result(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=where,
        commit=commit,
        target=target.name,
        rungs=sorted({rung for seen in rooms for rung in seen.rungs}),
        traced=bool(traces),
        seconds=plan.load.seconds,
        watched_s=round(until - begin, 1),
        load=_asked(plan),
        not_pushed=dict(plan.not_pushed),
        lag=results.lag(sent),
        blind_s=round(sum(_blind(seen, begin, until) for seen in rooms), 2),
        ways=results.ways(sent),
        profiles=results.profiles(plan, fates, timed, stages.last_steps(traces)),
    )


def _blind(seen: Seen, begin: float, until: float) -> float:
    """Seconds of the run without this room's stream."""
    away = [*seen.blind, *([(seen.away_since, until)] if seen.away_since is not None else [])]
    return sum(max(min(end, until) - max(start, begin), 0) for start, end in away)


def _asked(plan: Plan) -> Mapping[str, str]:
    load = plan.load
    return {
        "rooms": ", ".join(f"{profile} ×{number}" for profile, number in load.rooms.items()),
        "seed": str(load.seed),
        "ways": ", ".join(load.ways),
        "kinds": ", ".join(load.only) or "all",
        "delivered twice": f"{load.repeated:.0%} of Douyin's items",
    }
