"""The embedded Redis starts quickly, keeps what it acknowledged when anything is killed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.core import embedded_redis as module
from services.core.bus import BusUnavailable, Record
from services.core.bus.redis_streams import RedisBus
from services.core.embedded_redis import RedisFailed, embedded_redis
from services.core.redis_client import connect
from tests.contract.listening import PATIENCE_S, listening, numbered, until, values_of

PUBLISHER = "tests.integration.core.publisher"
CONSUMER = "tests.integration.core.consumer"


@asynccontextmanager
async def program(*arguments: str | Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of the programs beside this file; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *map(str, arguments), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        return (await process.stdout.readline()).decode().strip()


async def rest_of(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.read()).decode().split()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Redis]:
    redis = connect(url, connections=1)
    try:
        yield redis
    finally:
        await redis.aclose()


async def server_of(url: str) -> int:
    async with client(url) as redis:
        return int((await redis.info("server"))["process_id"])


@contextmanager
def ends(process: int) -> Iterator[None]:
    """Leaves no process behind when a test fails."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def gone(process: int) -> None:
    async def dead() -> bool:
        return not alive(process)

    await until(dead)


async def test_it_starts_in_a_moment_and_stops_cleanly(tmp_path: Path) -> None:
    begin = time.perf_counter()
    async with embedded_redis(tmp_path) as url:
        assert time.perf_counter() - begin < 3.0, "30 ms on an idle machine"
        server = await server_of(url)
        assert alive(server)
    assert not alive(server)


async def test_nobody_else_can_reach_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with embedded_redis(data_dir) as url, client(url) as redis:
        assert stat.S_IMODE((data_dir / "redis").stat().st_mode) == 0o700
        assert (await redis.config_get("port"))["port"] == "0"


async def test_its_memory_is_bounded_and_nothing_is_evicted(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, max_memory_mb=64) as url, client(url) as redis:
        assert (await redis.config_get("maxmemory"))["maxmemory"] == str(64 * 1024 * 1024)
        assert (await redis.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"


async def test_it_writes_before_it_answers_and_lydia_syncs_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(module, "_sync", synced.append)
    monkeypatch.setattr(module, "SYNC_S", 0.01)
    async with embedded_redis(tmp_path) as url, client(url) as redis:
        # "everysec" would hold answered changes back while it syncs.
        assert (await redis.config_get("appendfsync"))["appendfsync"] == "no"

        async def several() -> bool:
            return len(synced) > 3

        await until(several)
    assert set(synced) == {tmp_path / "redis" / "appendonly.aof"}


@pytest.mark.parametrize("name", ["with space 和 'quotes' %20", "x" * 120], ids=["odd", "too long for a socket"])
async def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    for expected in (1, 2):
        async with embedded_redis(tmp_path / name) as url, client(url) as redis:
            assert await redis.incr("count") == expected


async def test_a_second_lydia_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path) as url:
        with pytest.raises(RedisFailed, match=r"another Lydia is running on .*LYDIA_DATA_DIR"):
            async with embedded_redis(tmp_path):
                raise AssertionError("two on one folder")
        async with client(url) as redis:
            assert await redis.ping(), "the first one is not disturbed"


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RedisFailed, match=r"file/data cannot be used \(Not a directory\).*LYDIA_DATA_DIR"):
        async with embedded_redis(tmp_path / "file" / "data"):
            raise AssertionError("a folder below a file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(RedisFailed, match=r"cannot be used \(Permission denied\)"):
        async with embedded_redis(locked / "data"):
            raise AssertionError("a folder without permission")


async def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_FREE_BYTES", 10**18)
    with pytest.raises(RedisFailed, match=r"is full \(.* kB are free\)\. Free some space.*LYDIA_DATA_DIR"):
        async with embedded_redis(tmp_path):
            raise AssertionError("started on a full disk")


async def test_a_damaged_file_is_an_error_that_quotes_the_log(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path) as url, client(url) as redis:
        await redis.set("a", "1")
    (tmp_path / "redis" / "appendonly.aof").write_bytes(b"this is no append-only file\r\n" * 10)
    with pytest.raises(RedisFailed, match=r"ended with status 1\. Its log .*Bad file format"):
        async with embedded_redis(tmp_path):
            raise AssertionError("started on a damaged file")


async def test_a_server_that_does_not_answer_in_time_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 1000\n")
    sleeper.chmod(0o700)
    monkeypatch.setattr(module, "bundled_server", lambda: str(sleeper))
    with pytest.raises(RedisFailed, match=r"did not answer within 0\.2 s"):
        async with embedded_redis(tmp_path, start_timeout_s=0.2):
            raise AssertionError("nobody answered")
    await gone(int((tmp_path / "redis" / "redis.lock").read_text()))


async def test_a_start_that_is_given_up_leaves_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 1000\n")
    sleeper.chmod(0o700)
    monkeypatch.setattr(module, "bundled_server", lambda: str(sleeper))
    lock = tmp_path / "redis" / "redis.lock"

    async def start() -> None:
        async with embedded_redis(tmp_path):
            raise AssertionError("nobody answered")

    async def launched() -> bool:
        return lock.exists() and lock.read_text() != ""

    starting = asyncio.create_task(start())
    await until(launched)
    server = int(lock.read_text())
    with ends(server):
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        assert not alive(server)


@pytest.mark.parametrize("also_redis", [False, True], ids=["of Lydia", "of Lydia and Redis"])
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, also_redis: bool) -> None:
    async with program(PUBLISHER, tmp_path) as process:
        server = int(await line_of(process))
        for _ in range(2_000):  # about a second, so that a sync has been under way
            acknowledged = int(await line_of(process))
        if also_redis:
            os.kill(server, signal.SIGKILL)
        process.kill()
        acknowledged = max([acknowledged, *map(int, await rest_of(process))])
    async with embedded_redis(tmp_path) as url, RedisBus(url) as bus:
        stored = {int(record.value) async for record in bus.read("t")}
    assert set(range(acknowledged + 1)) <= stored
    assert max(stored) <= acknowledged + 1, "at most the one whose acknowledgement was cut off is there too"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start stops the server")
async def test_the_server_ends_with_a_killed_lydia(tmp_path: Path) -> None:
    async with program(PUBLISHER, tmp_path) as process:
        server = int(await line_of(process))
        with ends(server):
            process.kill()
            await gone(server)


@pytest.mark.parametrize("hangs", [False, True], ids=["running", "hanging"])
async def test_a_server_left_behind_is_stopped_at_the_next_start(
    tmp_path: Path, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_S", 0.5)
    async with program(PUBLISHER, tmp_path, "forgetful") as process:
        server = int(await line_of(process))
        await line_of(process)
    with ends(server):
        assert alive(server)
        if hangs:
            os.kill(server, signal.SIGSTOP)
        async with embedded_redis(tmp_path) as url:
            assert await server_of(url) != server
            assert not alive(server)


async def test_a_server_that_is_killed_is_started_again_and_consumers_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rooms = [f"room{number}" for number in range(8)]
    records = numbered("t", rooms, 60)
    async with (
        embedded_redis(tmp_path) as url,
        RedisBus(url) as bus,
        listening(bus, "t", group="g") as listener,
        listening(bus, "t", group=None) as everybody,
    ):
        for number, record in enumerate(records):
            if number in (100, 300):
                os.kill(await server_of(url), signal.SIGKILL)
            await published(bus, record)
        await listener.until(lambda: listener.by_key() == values_of(records))
        await everybody.until(lambda: everybody.by_key() == values_of(records))

        async def all_committed() -> bool:
            return await bus.lag("t", "g") == 0

        await until(all_committed)
    assert "g of t cannot read the bus and goes on trying: " in caplog.text
    assert "g of t reads the bus again" in caplog.text


async def published(bus: RedisBus, record: Record) -> None:
    """Publishes as a service does: again until it is taken."""

    async def taken() -> bool:
        try:
            await bus.publish(record)
        except BusUnavailable:
            return False
        return True

    await until(taken)


async def test_the_records_of_a_killed_member_go_to_the_others(tmp_path: Path) -> None:
    rooms = [f"room{number}" for number in range(8)]
    async with embedded_redis(tmp_path) as url, RedisBus(url, lease_s=1.0) as bus:
        records = numbered("t", rooms, 2)
        async with program(CONSUMER, url, "keep") as process:
            await bus.publish(*records)
            held = {await line_of(process) for _ in records}
            assert held == {record.value.decode() for record in records}
            async with listening(bus, "t", group="g") as survivor:
                process.kill()
                await survivor.until(lambda: survivor.by_key() == values_of(records))
                more = numbered("t", rooms, 3)[len(records) :]
                await bus.publish(*more)
                await survivor.until(lambda: survivor.by_key() == values_of(records + more))


async def test_two_processes_share_a_group(tmp_path: Path) -> None:
    rooms = [f"room{number}" for number in range(24)]
    async with (
        embedded_redis(tmp_path) as url,
        RedisBus(url, lease_s=1.0) as bus,
        program(CONSUMER, url, "finish") as process,
        listening(bus, "t", group="g") as here,
    ):
        there: list[str] = []

        async def collect() -> None:
            while line := await line_of(process):
                there.append(line)

        task = asyncio.create_task(collect())
        sent: list[Record] = []

        async def both_work() -> bool:
            sent.extend(Record("t", room, f"{room}/{len(sent)}".encode()) for room in rooms)
            await bus.publish(*sent[-24:])
            return bool(there) and bool(here.got)

        async def all_finished() -> bool:
            return await bus.lag("t", "g") == 0

        await until(both_work)
        await until(all_finished)
        process.terminate()
        await asyncio.gather(task, return_exceptions=True)
        assert set(there) | {value.decode() for value in here.values} >= {r.value.decode() for r in sent}
