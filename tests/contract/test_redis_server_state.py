"""The state on a Redis as a cluster has it, with a name, a password and TLS; killed, suspended, and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from deploy.local.process import running
from deploy.local.redis import RedisServer
from deploy.local.tls import Tls
from services.core.redis_client import connect
from services.core.settings import Redis as Settings
from services.core.state import Health, Put, PutField, State, StateUnavailable
from services.core.state.redis_state import RedisState
from tests.contract.certificates import authority
from tests.contract.listening import until
from tests.contract.state_contract import PassTime, StateContract

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "p@ss:w/rd%"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return authority(tmp_path_factory.mktemp("tls"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> AsyncIterator[RedisServer]:
    async with running(RedisServer(tmp_path_factory.mktemp("redis"), users={"lydia": PASSWORD}, tls=tls)) as server:
        yield server


def settings(server: RedisServer, tls: Tls, password: str = PASSWORD) -> Settings:
    return Settings(url=server.url, username="lydia", password=SecretStr(password), ca=tls.ca)


@pytest_asyncio.fixture(loop_scope="module")
async def state(server: RedisServer, tls: Tls) -> AsyncIterator[State]:
    async with RedisState(settings(server, tls).login, timeout_s=20.0) as state:
        yield state


class TestRedisServerState(StateContract):
    @pytest.fixture
    def state(self, state: State) -> State:
        return state

    @pytest.fixture
    def pass_time(self) -> PassTime:
        async def wait(seconds: int) -> None:
            await asyncio.sleep(seconds + 0.02)  # only the server's own clock counts

        return wait


async def test_what_was_answered_survives_the_servers_death_and_its_clients_go_on(
    server: RedisServer, state: State
) -> None:
    for number in range(200):
        await state.apply(Put(f"room:kill:{number}", b"1"), PutField("room:kill:all", str(number), b"1"))
    await server.kill()
    with pytest.raises(StateUnavailable):
        await state.get("room:kill:0")
    await server.start()
    assert len(await state.fields("room:kill:all")) == 200
    assert await state.get("room:kill:199") == b"1"


async def test_a_server_that_hangs_is_unavailable_after_the_time_out_and_serves_again_afterwards(
    server: RedisServer, tls: Tls
) -> None:
    async with RedisState(settings(server, tls).login, timeout_s=1.0) as state:
        await state.apply(Put("room:hang", b"1"))
        server.suspend()
        try:
            for call in (state.get("room:hang"), state.apply(Put("room:hang", b"2")), state.increment("room:hangs")):
                with pytest.raises(StateUnavailable, match="within 1 s"):
                    await call
        finally:
            server.resume()

        async def serves() -> bool:
            try:
                return await state.get("room:hang") in (b"1", b"2")
            except StateUnavailable:
                return False

        await until(serves)


async def test_nobody_gets_in_with_a_wrong_password_or_trusts_a_stranger(
    server: RedisServer, tls: Tls, tmp_path: Path
) -> None:
    stranger = settings(server, authority(tmp_path))
    for bad in (settings(server, tls, "wrong"), stranger):
        async with RedisState(bad.login) as state:
            with pytest.raises(StateUnavailable) as refused:
                await state.get("room:a")
        assert PASSWORD not in str(refused.value)


async def test_a_login_may_touch_only_lydias_keys(state: State) -> None:
    with pytest.raises(StateUnavailable, match="permission"):
        await state.get("somebody-elses")


async def test_it_says_how_much_of_its_memory_is_used_and_whether_it_saves(tmp_path: Path) -> None:
    async with running(RedisServer(tmp_path, max_memory_mb=20)) as server, RedisState(server.url) as state:
        before = await state.health()
        assert before.saving
        await state.apply(*(Put(f"room:large:{number}", b"x" * 1_000_000) for number in range(8)))
        after = await state.health()
        assert before.memory_used is not None
        assert after.memory_used is not None
        assert 0.3 < after.memory_used - before.memory_used < 0.6
        async with asyncio.timeout(5):
            client = connect(server.url, connections=1)
            await client.config_set("appendonly", "no")
            await client.config_set("maxmemory", "0")
            await client.aclose()
        assert await state.health() == Health(memory_used=None, saving=False)


async def test_it_says_nothing_of_itself_to_who_may_not_ask(tmp_path: Path) -> None:
    async with running(RedisServer(tmp_path)) as server, RedisState(server.url) as state:
        client = connect(server.url, connections=1)
        await client.acl_setuser(
            "default", commands=["-info"], enabled=True, nopass=True, keys="*", categories=["+@all"]
        )
        await client.aclose()
        assert await state.health() == Health()
