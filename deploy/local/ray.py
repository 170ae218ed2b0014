"""Ray Serve on this machine: a head and one application, the audience's."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.local.process import NO_TLS, LocalServer, accepts, free_port, running
from services.places import ROOT

START_S = 600.0
"""Ten seconds on a machine with nothing else to do; minutes on one that is overloaded."""
DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class RayServe:
    """A running head, where the application answers, and where its metrics are (HOST:PORT)."""

    server: LocalServer
    url: str
    metrics: str

    def replicas(self) -> set[int]:
        """The processes of the application's replicas. Asking the application would be load, and bring more of them."""
        found = set()
        for pid in self.server.session():
            with suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::ServeReplica"):
                    found.add(pid)
        return found


@asynccontextmanager
async def ray_serve(
    folder: Path, *, environment: Mapping[str, str], processors: int = 2, start_timeout_s: float = START_S
) -> AsyncIterator[RayServe]:
    """Runs Ray and the application. `folder` takes the log, and must outlast it.

    `environment` has the settings (`LYDIA_…`) of the replicas. Raises ServerFailed.
    """
    port, metrics_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    # Ray's sockets are in there, and their names must be short.
    temporary = Path(tempfile.mkdtemp(prefix="lydia-ray-"))

    async def answers() -> bool:
        await accepts(port)
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
            try:
                return (await client.get(f"{url}/healthz", timeout=2)).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

    server = LocalServer(
        "Ray Serve",
        [sys.executable, "-m", "deploy.local.ray_head", *map(str, (port, metrics_port, temporary, processors))],
        answers=answers,
        log=folder / "ray.log",
        environment={
            "PYTHONPATH": str(ROOT),
            # Nobody but who started it may give it work.
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Ray would let everything else on the machine go first.
            "RAY_worker_niceness": "0",
            # How often Serve hears of load. Its 10 s would hide a delay of seconds before a replica more.
            "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
            # How often metrics are handed on: Prometheus reads them every two seconds here.
            "RAY_metrics_report_interval_ms": "2000",
            "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
            # A busy machine needs longer than Ray's 30 s, and than Serve's 5 s, after which it begins anew.
            "RAY_raylet_start_wait_time_s": "180",
            "RAY_agent_register_timeout_ms": "180000",
            "RAY_worker_register_timeout_seconds": "180",
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "300",
            **environment,
        },
        start_timeout_s=start_timeout_s,
        stop_timeout_s=DRAIN_S,
    )
    try:
        async with running(server):
            yield RayServe(server, url, f"127.0.0.1:{metrics_port}")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
