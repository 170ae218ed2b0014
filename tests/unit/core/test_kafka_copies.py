"""Partitions with too few copies are counted from what either Kafka client says of a topic."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from confluent_kafka import TopicCollection

from services.core.bus.confluent import ConfluentBus
from services.core.bus.kafka import KafkaBus
from services.core.bus.kafka_python import KafkaPythonBus
from services.core.settings import Kafka

PARTITIONS: tuple[tuple[list[int], list[int]], ...] = (
    ([1, 2, 3], [3, 1, 2]),
    ([2, 3, 1], [2]),
    ([3, 1, 2], []),
    ([1], [1]),
)
"""Brokers that should have a copy, and those whose copy is in step."""


class KafkaPythonAdmin:
    def describe_topics(self, topics: Sequence[str]) -> list[dict[str, Any]]:
        assert len(topics) == 1
        return [{"partitions": [{"replica_nodes": all_of, "isr_nodes": in_step} for all_of, in_step in PARTITIONS]}]


class ConfluentAdmin:
    def describe_topics(self, topics: TopicCollection, **_: Any) -> dict[str, Future[Any]]:
        told: Future[Any] = Future()
        told.set_result(
            SimpleNamespace(
                partitions=[SimpleNamespace(replicas=all_of, isr=in_step) for all_of, in_step in PARTITIONS]
            )
        )
        return dict.fromkeys(topics.topic_names, told)


async def asked(bus: KafkaBus, admin: object) -> int:
    with ThreadPoolExecutor(1) as threads:
        vars(bus).update(_admin=admin, _threads=threads)
        return await bus.copies_missing("lydia.turns")


async def test_kafka_python() -> None:
    assert await asked(KafkaPythonBus(Kafka()), KafkaPythonAdmin()) == 2


async def test_confluent() -> None:
    assert await asked(ConfluentBus(Kafka()), ConfluentAdmin()) == 2
