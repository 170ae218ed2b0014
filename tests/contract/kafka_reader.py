"""A member of a group in a process of its own, to be killed: prints every record, and finishes all but some.

`python -m tests.contract.kafka_reader SERVERS DRIVER TOPIC GROUP UNFINISHED`; values that end with UNFINISHED are kept.
"""

from __future__ import annotations

import asyncio
import sys

from services.core.bus.kafka import open_kafka
from services.core.settings import Kafka


async def main(servers: str, driver: str, topic: str, group: str, unfinished: str) -> None:
    settings = Kafka.model_validate({"bootstrap_servers": servers, "client": driver})
    async with open_kafka(settings) as bus, bus.consume(topic, group=group) as consumer:
        print("joined", flush=True)
        async for delivery in consumer:
            print(delivery.record.value.decode(), flush=True)
            if not delivery.record.value.endswith(unfinished.encode()):
                delivery.done()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
