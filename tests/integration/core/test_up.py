"""`lydia up` as a process: nothing outlives it, no stranger gets at it, and what is in its way is told."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from deploy.local.process import free_port
from loadtests.process import Process, lydia
from loadtests.renderer import watching
from services.building.part import CannotStart
from services.core.settings import PREFIX, Settings
from services.operators import operator_token
from services.serving import listen
from tests.contract.listening import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESSAGE = {"viewer": {"id": "u1", "name": "Mei"}, "text": "你是谁？"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    # The natural voice takes memory when it has loaded, and one test here measures memory.
    async with lydia(tmp_path_factory.mktemp("up") / "data", {"LYDIA_SPEECH__OWN_VOICE": "fast"}) as process:
        yield process


# strangers


async def test_no_body_is_held_in_memory_before_it_is_known_who_sends_it(process: Process) -> None:
    before = _peak_mb(process.child.pid)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield bytes(1_000_000)

    async with httpx.AsyncClient(base_url=f"http://{process.address}", trust_env=False, timeout=30) as stranger:
        for path in ("/rooms/lydia/control", "/rooms/lydia/messages", "/platforms/douyin/push"):
            try:
                answer = await stranger.post(path, content=endless(), headers={"content-type": "application/json"})
                assert answer.status_code in (401, 404, 413), path
            except (httpx.WriteError, httpx.ReadError):
                pass  # cut off
    assert _peak_mb(process.child.pid) < before + 60


async def test_another_sites_page_cannot_write_read_or_run_anything(process: Process) -> None:
    elsewhere = {"origin": "http://evil.example"}
    async with httpx.AsyncClient(base_url=f"http://{process.address}", trust_env=False) as browser:
        # What a page may send elsewhere without being asked: forms and plain text. JSON needs a preflight.
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            sent = await browser.post("/rooms/lydia/messages", json=MESSAGE, headers=elsewhere | {"content-type": kind})
            assert sent.status_code == 415
        asked = await browser.options(
            "/rooms/lydia/messages", headers=elsewhere | {"access-control-request-method": "POST"}
        )
        assert asked.status_code == 405
        for path in ("/", "/rooms/lydia", "/console", "/rooms", "/metrics", "/healthz", "/readyz", "/openapi.json"):
            read = await browser.get(path, headers=elsewhere)
            assert "access-control-allow-origin" not in read.headers
            assert read.headers["x-content-type-options"] == "nosniff", path
            assert read.headers["cross-origin-resource-policy"] == "same-origin", path
            # A name of theirs that they let point to this machine.
            assert (await browser.get(path, headers={"host": "evil.example"})).status_code == 400
        for path in ("/docs", "/redoc"):  # they would run a content network's scripts beside the console
            assert (await browser.get(path)).status_code == 404
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://{process.address}/rooms/lydia/stream", additional_headers={"origin": origin}):
                raise AssertionError("listened from another site")


async def test_renderers_report_their_drift_and_nonsense_from_them_harms_nobody(process: Process) -> None:
    async with (
        process.client() as client,
        connect(f"ws://{process.address}/rooms/drift/stream") as socket,
    ):
        labelled = '{"played": {"drift_ms": -12.5}, "label_shown": true}'
        for sent in ("no report", b"\x00\x01", '{"played": {"drift_ms": NaN}}', labelled):
            await socket.send(sent)
        counted = 'lydia_renderer_drift_seconds_bucket{le="0.02"} 1.0'
        deadline = time.monotonic() + 10
        while counted not in (metrics := (await client.get("/metrics")).text):
            assert time.monotonic() < deadline
        assert "lydia_renderer_drift_seconds_count 1.0" in metrics
        assert 'lydia_renderer_label_reports_total{shown="yes"} 1.0' in metrics
        assert await socket.recv()


# what surrounds her fails


async def test_she_is_not_ready_while_her_server_takes_no_change_and_recovers_by_herself(process: Process) -> None:
    """As a server with a full disk or memory does; reading goes on as if nothing were wrong."""
    server = process.data_dir.absolute() / "redis" / "redis.sock"
    async with process.client() as client:
        redis = Redis.from_url(f"unix://{server}")
        await redis.config_set("maxmemory", 1)
        try:
            assert (await client.get("/readyz")).status_code == 503
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.post("/rooms/lydia/messages", json=MESSAGE)).status_code == 503
        finally:
            await redis.config_set("maxmemory", "512mb")
            await redis.aclose()
        assert (await client.get("/readyz")).status_code == 200


async def test_her_server_is_killed_and_she_answers_again_by_herself(process: Process) -> None:
    async with process.client() as client, watching(process.address, "outage") as renderer:
        await renderer.wait(10)  # until the room is open
        os.kill(int((process.data_dir / "redis" / "redis.lock").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while (answer := await client.post("/rooms/outage/messages", json=MESSAGE)).status_code != 202:
            assert answer.status_code == 503
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        event_id = answer.json()["event_id"]
        while event_id not in renderer.first_voice:
            assert time.monotonic() < deadline, "she took the message and never answered"
            await renderer.wait(0.2)
        assert (await client.get("/readyz")).status_code == 200


async def test_a_service_that_dies_ends_her_and_tells_nobodys_words(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from services import cli\n"
        "from services.stage.service import Stage\n"
        "async def run(self):\n"
        "    raise KeyError('what Mei wrote')\n"
        "Stage.run = run\n"
        "sys.exit(cli.main(['up']))\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program],
        env=_environment(tmp_path),
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1
    told = done.stderr.decode()
    assert "a part of her failed, so she stops\nKeyError\n" in told
    assert "Mei" not in told.replace("raise KeyError('what Mei wrote')", ""), "the program's own line is no secret"


# her end


@pytest.mark.parametrize("name", ["SIGHUP", "SIGKILL"])
async def test_with_the_simulator_too_no_process_outlives_her(tmp_path: Path, name: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "up", "--demo"),
        env=_environment(tmp_path),
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # whom nohup started ignores it
    )
    try:
        assert child.stderr is not None
        async with asyncio.timeout(90):
            told = (await child.stderr.readuntil(b"lydia doctor")).decode()
            family = _family(child.pid)
            commands = _commands(family)
            for part in ("redis-server", "services.speech.espeak.worker", "simulate"):
                assert part in commands
            child.send_signal(getattr(signal, name))
            await child.stderr.read()
            await child.wait()
            while left := [pid for pid in family if _alive(pid)]:
                assert left, "waits for the time-out"
                await asyncio.sleep(0.05)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert "simulated Douyin audience" in told
    assert child.returncode == (0 if name == "SIGHUP" else -signal.SIGKILL)


async def test_stopped_before_she_has_started_she_ends_quietly(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "up"), env=_environment(tmp_path), stderr=asyncio.subprocess.PIPE
    )

    async def server_is_there() -> bool:
        return (tmp_path / "data" / "redis" / "redis.sock").exists()

    async with asyncio.timeout(90):
        await until(server_is_there)
        child.send_signal(signal.SIGTERM)
        _, told = await child.communicate()
    assert child.returncode == 0
    assert "Traceback" not in told.decode()
    assert not (tmp_path / "data" / "redis" / "redis.sock").exists(), "Redis was stopped in order"


# what is in the way


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LYDIA_AUDIENCE__WORDS": "/no/such.yaml"}, "LYDIA_AUDIENCE__WORDS"),
        ({"LYDIA_STAGE__AVATAR": "/no/such.vrm"}, "LYDIA_STAGE__AVATAR) = '/no/such.vrm': there is no such file"),
        ({"LYDIA_HTTP__HOST": "192.0.2.1"}, "Choose an address of this machine: LYDIA_HTTP__HOST=127.0.0.1"),
        ({"LYDIA_DATA_DIR": "/dev/null/data"}, "LYDIA_DATA_DIR"),
    ],
)
async def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.cli", "up"],
        env=_environment(tmp_path) | variables,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.decode().startswith("She does not start: ")
    assert told in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


async def test_an_address_is_taken_from_the_first_moment() -> None:
    settings = Settings.model_validate({"http": {"port": free_port()}})
    with listen(settings), pytest.raises(CannotStart, match=r"LYDIA_HTTP__PORT=\d+"), listen(settings):
        raise AssertionError("two on one address")


async def test_the_last_port_has_no_next_one() -> None:
    settings = Settings.model_validate({"http": {"port": 65_535}})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65_535))
        taken.listen()
        with pytest.raises(CannotStart, match=r"LYDIA_HTTP__PORT=0$"), listen(settings):
            raise AssertionError("two on one address")


async def test_an_operators_token_is_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    token = operator_token(settings).get_secret_value()
    assert re.fullmatch(r"[\w-]{20,}", token)
    assert operator_token(settings).get_secret_value() == token
    assert (tmp_path / "operator-token").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "operator-token.new").exists()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
async def test_a_token_file_that_would_let_everybody_in_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "operator-token").write_bytes(content)
    with pytest.raises(CannotStart, match="LYDIA_AUTH__OPERATOR_TOKEN"):
        operator_token(Settings(data_dir=tmp_path))


def _environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return clean | {"LYDIA_DATA_DIR": str(tmp_path / "data"), "LYDIA_HTTP__PORT": str(free_port())}


def _peak_mb(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1000


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *[member for child in children for member in _family(int(child))]]


def _commands(family: list[int]) -> str:
    return " ".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in family)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
