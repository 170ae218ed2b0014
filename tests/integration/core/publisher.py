"""A Lydia that only publishes: as fast as it can, into the data folder it is given. For tests that kill it.

Prints the server's process id, then the number of each record that was acknowledged. With `forgetful` its server does
not end with it, as where the operating system cannot do that.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from redis.asyncio import Redis

from services.core import embedded_redis as module
from services.core.bus import Record
from services.core.bus.redis_streams import RedisBus, Retention
from services.core.embedded_redis import embedded_redis

ALL = Retention(keep=100_000, most=200_000)


async def main(data_dir: Path) -> None:
    async with embedded_redis(data_dir) as url, RedisBus(url, retention={"t": ALL}) as bus:
        redis = Redis.from_url(url)
        sys.stdout.write(f"{(await redis.info('server'))['process_id']}\n")
        for number in range(15_000):
            await bus.publish(Record("t", f"room{number % 7}", str(number).encode().ljust(2_000)))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if sys.argv[2:] == ["forgetful"]:
    module.LAUNCHER = module.LAUNCHER.replace('sys.platform == "linux"', "False")
asyncio.run(main(Path(sys.argv[1])))
