"""The doctor looks at the cluster's servers that the settings name: what is wrong with each, and how to mend it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.kafka import KafkaServer
from deploy.local.process import free_port, running
from deploy.local.redis import RedisServer
from deploy.local.tls import Tls
from services.core.settings import load
from services.doctor_servers import Amiss, looks
from tests.contract.conftest import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def stranger() -> AsyncIterator[int]:
    """The port of somebody who speaks HTTP, whatever he is asked."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def named(port: int) -> dict[str, str]:
    return {
        "LYDIA_REDIS__URL": f"redis://127.0.0.1:{port}",
        "LYDIA_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "LYDIA_TRITON__SERVERS": f"[127.0.0.1:{port}]",
        "LYDIA_RAY__URL": f"http://127.0.0.1:{port}",
    }


async def told(environment: Mapping[str, str]) -> dict[str, str | Amiss]:
    """Of each server what was seen, or what is wrong."""
    found: dict[str, str | Amiss] = {}
    for what, look in looks(load(dict(environment))).items():
        try:
            found[what.split()[0]] = await look()
        except Amiss as wrong:
            found[what.split()[0]] = wrong
    return found


async def wrong(environment: Mapping[str, str], what: str) -> tuple[str, str]:
    found = (await told(environment))[what]
    assert isinstance(found, Amiss), found
    return str(found), found.mend


async def test_what_the_settings_do_not_name_is_not_looked_for() -> None:
    assert looks(load({})) == {}


async def test_where_nobody_listens_the_address_and_its_setting_are_named() -> None:
    port = free_port()
    found = await told(named(port))
    assert len(found) == 4
    for name, setting in (("Redis", "URL"), ("Kafka", "BOOTSTRAP_SERVERS"), ("Triton", "SERVERS"), ("Ray", "URL")):
        missing = found[name]
        assert isinstance(missing, Amiss)
        assert f"127.0.0.1:{port}" in str(missing)
        assert f"LYDIA_{name.upper()}__{setting}" in missing.mend


async def test_who_speaks_another_protocol_is_told_from_who_is_away(stranger: int) -> None:
    for name, seen in (await told(named(stranger))).items():
        assert isinstance(seen, Amiss)
        assert ("answers 400" if name == "Ray" else "somebody listens") in str(seen)


async def test_a_redis_that_asks_for_a_login_lets_in_who_has_it(tmp_path: Path) -> None:
    async with running(RedisServer(tmp_path, users={"lydia": PASSWORD})) as server:
        address = {"LYDIA_REDIS__URL": server.url}
        seen, mend = await wrong(address, "Redis")
        assert "asks for a login, and none is set" in seen
        assert "LYDIA_REDIS__PASSWORD" in mend
        login = address | {"LYDIA_REDIS__USERNAME": "lydia"}
        seen, _ = await wrong(login | {"LYDIA_REDIS__PASSWORD": "wrong"}, "Redis")
        assert "another is set" in seen
        assert await told(login | {"LYDIA_REDIS__PASSWORD": PASSWORD}) == {"Redis": f"{server.url} answers"}


async def test_a_kafka_that_asks_for_a_login_or_tls_lets_in_who_has_it(
    kafka_server: KafkaServer, kafka_tls: Tls
) -> None:
    def at(servers: str, **more: object) -> dict[str, str]:
        known = {"bootstrap_servers": servers, "client": "confluent-kafka", **more}
        return {f"LYDIA_KAFKA__{name.upper()}": str(value) for name, value in known.items()}

    seen, mend = await wrong(at(kafka_server.sasl_servers), "Kafka")
    assert "does not let Lydia in" in seen
    assert "LYDIA_KAFKA__PASSWORD" in mend
    seen, mend = await wrong(at(kafka_server.tls_servers), "Kafka")
    assert "does not speak Kafka's protocol as PLAINTEXT" in seen
    assert "LYDIA_KAFKA__SECURITY_PROTOCOL to SSL" in mend
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "username": "lydia"}
    files = {"ca": kafka_tls.ca, "certificate": kafka_tls.certificate, "key": kafka_tls.key}
    for well in (
        at(kafka_server.servers),
        at(kafka_server.sasl_servers, password=PASSWORD, **login),
        at(kafka_server.tls_servers, security_protocol="SSL", **files),
    ):
        assert await told(well) == {"Kafka": f"{well['LYDIA_KAFKA__BOOTSTRAP_SERVERS']} answers"}
