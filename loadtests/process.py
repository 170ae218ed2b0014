"""Lydia in a process of her own, as a person would start her."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.local.cluster import LYDIA
from deploy.local.process import free_port
from services.core.settings import PREFIX

START_S = 60.0


@dataclass
class Process:
    """A running `lydia up`."""

    address: str
    token: str
    data_dir: Path
    child: asyncio.subprocess.Process
    started_in_s: float

    def kill(self) -> None:
        """As `kill -9` does."""
        self.child.send_signal(signal.SIGKILL)

    def client(self) -> httpx.AsyncClient:
        """For the outside surface; the operator's token goes with every request."""
        return httpx.AsyncClient(
            base_url=f"http://{self.address}",
            headers={"authorization": f"Bearer {self.token}"},
            timeout=10,
            trust_env=False,
            limits=httpx.Limits(max_connections=100),
        )


@asynccontextmanager
async def lydia(
    data_dir: Path, settings: Mapping[str, str] | None = None, *, module: str = LYDIA
) -> AsyncIterator[Process]:
    """Starts her, waits until she is ready, and stops her with Ctrl-C's signal at the end.

    `settings` are `LYDIA_…` variables, `module` takes the place of her command line. Raises RuntimeError, with what she
    printed, when she does not become ready.
    """
    port, token = int((settings or {}).get("LYDIA_HTTP__PORT", 0)) or free_port(), "bench-operator"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {
        "LYDIA_DATA_DIR": str(data_dir),
        "LYDIA_HTTP__PORT": str(port),
        "LYDIA_AUTH__OPERATOR_TOKEN": token,
        **(settings or {}),
    }
    output = data_dir.parent / f"{data_dir.name}.log"
    begun = time.perf_counter()
    with output.open("ab") as log:
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                sys.executable, "-m", module, "up", env=environment, stdout=log, stderr=log, start_new_session=True
            ),
            name="start Lydia",
        )
        try:
            child = await asyncio.shield(starting)
        except asyncio.CancelledError:
            (await starting).kill()  # she may be there already, and nobody would end her
            raise
    process = Process(f"127.0.0.1:{port}", token, data_dir, child, 0.0)
    try:
        async with process.client() as client:
            while True:
                if child.returncode is not None or time.perf_counter() - begun > START_S:
                    raise RuntimeError(f"Lydia did not become ready:\n{output.read_text()[-4000:]}")
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)
        process.started_in_s = time.perf_counter() - begun
        yield process
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(15):
                    await child.wait()
            except TimeoutError:
                child.kill()
                await child.wait()
