"""Both drivers speak TLS with a real broker, show it who they are, and trust nobody whom their authority denies."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from deploy.local.kafka import KafkaServer
from deploy.local.tls import Tls
from services.core import topics
from services.core.bus import BusUnavailable, Record
from services.core.bus.kafka import open_kafka
from services.core.settings import Kafka
from tests.contract.certificates import authority
from tests.contract.listening import listening

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"]),
]


def settings(server: KafkaServer, client: str, **files: Path) -> Kafka:
    known: dict[str, Any] = {"bootstrap_servers": server.tls_servers, "client": client, "security_protocol": "SSL"}
    return Kafka.model_validate(known | files)


async def test_records_come_and_go_over_tls(kafka_server: KafkaServer, kafka_tls: Tls, client: str) -> None:
    known = {"ca": kafka_tls.ca, "certificate": kafka_tls.certificate, "key": kafka_tls.key}
    async with open_kafka(settings(kafka_server, client, **known)) as bus:
        room = uuid.uuid4().hex
        async with listening(bus, topics.CONTROL, group=None, start="latest") as listener:
            await bus.publish(Record(topics.CONTROL, room, b"1"))
            await listener.until(lambda: room in listener.by_key())


async def test_a_broker_that_the_authority_does_not_know_is_not_spoken_with(
    kafka_server: KafkaServer, kafka_tls: Tls, client: str, tmp_path: Path
) -> None:
    stranger = {"ca": authority(tmp_path).ca, "certificate": kafka_tls.certificate, "key": kafka_tls.key}
    with pytest.raises(BusUnavailable):
        async with open_kafka(settings(kafka_server, client, **stranger)) as bus:
            await bus.publish(Record(topics.CONTROL, "room", b"1"))
