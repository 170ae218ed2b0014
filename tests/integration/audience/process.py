"""The audience service in a process of its own, on the Redis whose URL it gets. For tests that kill it."""

from __future__ import annotations

import asyncio
import sys

from services.audience.service import Audience
from services.core.bus.redis_streams import RedisBus
from services.core.clock import SystemClock
from services.core.moderation import Moderator
from services.core.settings import Audience as Policy
from services.core.state.redis_state import RedisState
from services.core.telemetry import Telemetry


async def main(url: str) -> None:
    policy = Policy(thanks_at_once=5, interrupt_fen=1000)
    async with RedisBus(url, lease_s=0.5) as bus, RedisState(url) as state:
        audience = Audience(bus, state, SystemClock(), Telemetry("audience"), policy, moderator=Moderator.built_in())
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await audience.run()


asyncio.run(main(sys.argv[1]))
