"""One service in a process of its own: what it misses it says, waits for, and never dies of."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx

from deploy.local.cluster import service
from deploy.local.process import free_port, running
from deploy.local.redis import RedisServer
from services.core.settings import PREFIX
from tests.contract.listening import until


async def test_a_service_waits_for_its_server_and_stops_when_it_is_told_to(tmp_path: Path) -> None:
    redis, port = RedisServer(tmp_path / "redis"), free_port()
    motion = service("motion", port, tmp_path, {"LYDIA_REDIS__URL": redis.url, "LYDIA_BUS": "redis"})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client, running(motion):
        waiting = await client.get("/readyz")
        assert waiting.status_code == 503
        refused = await client.get("/rooms")
        assert (refused.status_code, refused.json()["error"]) == (503, "not_ready")

        async def said() -> bool:
            return f"Redis at {redis.url} is missing" in (await client.get("/readyz")).json()["because"]

        await until(said)
        async with running(redis):

            async def ready() -> bool:
                return (await client.get("/readyz")).status_code == 200

            await until(ready)
            assert "lydia_records_handled" in (await client.get("/metrics")).text
            await redis.kill()
            await until(said)
            await redis.start()
            await until(ready)
            assert motion.running
            await motion.stop()
    told = motion.log.read_text()
    assert told.count("is missing") == 2, "each outage is told once"
    assert "motion finishes what it has begun, for 25 s at most" in told
    assert "failed" not in told


async def test_what_no_waiting_mends_is_told_in_one_line() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for variables, told in (
        ({}, "redis.url (LYDIA_REDIS__URL) is not set"),
        ({"LYDIA_BUS": "kafka"}, "kafka.bootstrap_servers (LYDIA_KAFKA__BOOTSTRAP_SERVERS) is not set"),
    ):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "services.cli", "serve", "motion"],
            env=clean | variables | {"LYDIA_HTTP__PORT": str(free_port())},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 1
        assert told in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()
