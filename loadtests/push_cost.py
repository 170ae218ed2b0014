"""`python -m loadtests.push_cost`: the CPU time that the gateway takes for a push at the platform's cap, by itself.

The real gateway over HTTP and an embedded Redis, with nobody who reads what it lets in. Beside it the bare loop: the
least that any receiver of such pushes does, which is to verify a push, to parse its JSON and to ask Redis one question.
CPU time bears company on the same cores better than the time of day.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from loadtests.bench import machine, percentile
from loadtests.load.target import PUSH_SECRETS
from loadtests.pushing import ITEMS, PUSHES_PER_S, Sent, requests, send_all, signed
from services.building import gateway
from services.building.part import Ports, Shared
from services.core.bus.redis_streams import RedisBus
from services.core.clock import SystemClock
from services.core.embedded_redis import embedded_redis
from services.core.ids import RandomIds
from services.core.redis_client import connect
from services.core.settings import Settings
from services.core.state.redis_state import RedisState
from services.core.telemetry import Telemetry
from services.gateway.douyin import verify
from services.serving import Server, application


async def served(folder: Path, seconds: float, seed: int) -> tuple[Sent, float]:
    """What the pushes got, and the CPU seconds that this process took meanwhile."""
    settings, clock = Settings.model_validate({"douyin": {"push_secrets": PUSH_SECRETS}}), SystemClock()
    telemetry = Telemetry("gateway", clock=clock)

    async def not_ready() -> str:
        return ""

    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(embedded_redis(folder))
        bus = await stack.enter_async_context(RedisBus(url))
        state = await stack.enter_async_context(RedisState(url))
        part = gateway.build(settings, Ports(bus, state, clock, RandomIds(), telemetry), Shared(settings, stack))
        app = application(settings, telemetry, not_ready)
        for routes in part.routes:
            app.include_router(routes)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = Server(app)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="gateway")
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        made = requests(address, seconds, seed)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            await asyncio.to_thread(pool.apply, os.getpid)  # its imports are no part of the run
            begun = time.process_time()
            sent = await asyncio.to_thread(pool.apply, send_all, (address, made))
            took = time.process_time() - begun
        server.should_exit = True
        await serving
    return sent, took


async def bare(folder: Path, pushes: int, seed: int) -> float:
    """CPU seconds of the bare loop over so many pushes."""
    chance = random.Random(seed)
    made = [signed(number, chance, 1)[:2] for number in range(pushes)]
    async with embedded_redis(folder) as url:
        redis = connect(url, connections=1)
        begun = time.process_time()
        for headers, body in made:
            assert verify(headers, body, PUSH_SECRETS[headers["x-msg-type"]])
            json.loads(body)
            await redis.set(headers["x-nonce-str"], b"1", ex=600, nx=True)
        took = time.process_time() - begun
        await redis.aclose()
    return took


async def main(given: argparse.Namespace) -> None:
    """The command."""
    pushes = round(given.seconds * PUSHES_PER_S)
    print(machine())
    with tempfile.TemporaryDirectory(prefix="lydia-push-cost-") as folder:
        sent, took = await served(Path(folder) / "gateway", given.seconds, given.seed)
        least = await bare(Path(folder) / "bare", pushes, given.seed)
    p50, p99 = (percentile(sent.latencies_ms, share) for share in (0.5, 0.99))
    print(f"{pushes} pushes of {ITEMS} items, {PUSHES_PER_S} a second")
    print(f"taken {sent.accepted // ITEMS}, refused {dict(sent.refused)}")
    print(f"answers: p50 {p50:.0f} ms, p99 {p99:.0f} ms; load {os.getloadavg()[0]:.1f}")
    print(f"gateway: {took / pushes * 1000:.2f} ms of CPU a push, so one core answers {pushes / took:.0f} a second")
    print(f"bare loop: {least / pushes * 1000:.2f} ms, so the gateway is {took / least:.1f} times that")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=2112)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as main_runner:
        main_runner.run(main(parser.parse_args()))
