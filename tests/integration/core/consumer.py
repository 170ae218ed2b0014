"""A member of group `g` on topic `t` in a process of its own. For tests that kill it.

Takes the server's URL; prints each value, and finishes the records unless told to `keep` them.
"""

from __future__ import annotations

import asyncio
import sys

from services.core.bus.redis_streams import RedisBus


async def main(url: str, *, keep: bool) -> None:
    async with RedisBus(url, lease_s=1.0) as bus, bus.consume("t", group="g") as consumer:
        async for delivery in consumer:
            sys.stdout.write(f"{delivery.record.value.decode()}\n")
            sys.stdout.flush()
            if not keep:
                delivery.done()


asyncio.run(main(sys.argv[1], keep=sys.argv[2] == "keep"))
