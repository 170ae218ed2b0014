"""`kill -9` of the audience service in the middle of gifts, on a real Redis: every gift is thanked exactly once."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.core import topics
from services.core.bus.redis_streams import RedisBus
from services.core.clock import SystemClock
from services.core.embedded_redis import embedded_redis
from services.core.envelope import seal
from services.core.events import AudienceEvent, Gift, Viewer
from tests.unit.audience.fake_stage import FakeStage

ROOT = Path(__file__).parents[3]
GIFTS = 80
KILLS = 3
PATIENCE_S = 90.0


@asynccontextmanager
async def audience(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.audience.process", url, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def give(bus: RedisBus, clock: SystemClock) -> list[str]:
    """Gifts of many viewers over several seconds, some large enough to cut in."""
    draw, ids = random.Random(1), []
    for i in range(GIFTS):
        event = AudienceEvent(
            event_id=f"gift-{i}",
            room_id="a",
            message_id=f"message-{i}",
            received_at_ms=clock.now_ms(),
            viewer=Viewer(id=f"viewer-{draw.randrange(60)}", name="viewer"),
            gift=Gift(gift_id="rose", count=1, value_fen=draw.choice((0, 10, 10, 100, 2000))),
        )
        await bus.publish(
            seal(topics.AUDIENCE, event, event_id=event.event_id, room_id="a", source="gateway", now_ms=clock.now_ms())
        )
        ids.append(event.event_id)
        await asyncio.sleep(draw.uniform(0, 0.1))
    return ids


async def test_every_gift_is_thanked_exactly_once_through_several_kills(tmp_path: Path) -> None:
    clock = SystemClock()
    async with embedded_redis(tmp_path) as url, RedisBus(url) as bus, asyncio.TaskGroup() as tasks:
        stage = FakeStage(bus, clock, segment_s=0.05)
        performing = tasks.create_task(stage.run())
        giving = tasks.create_task(give(bus, clock))
        draw = random.Random(2)
        for _ in range(KILLS):
            async with audience(url) as process:
                await asyncio.sleep(draw.uniform(0.5, 1.5))
                process.send_signal(signal.SIGKILL)
        async with audience(url):
            ids = await giving
            async with asyncio.timeout(PATIENCE_S):
                while any(not stage.heard[event_id] for event_id in ids):
                    stage.changed.clear()
                    await stage.changed.wait()
            await asyncio.sleep(1)
        performing.cancel()
        assert {event_id: stage.heard[event_id] for event_id in ids} == dict.fromkeys(ids, 1)
