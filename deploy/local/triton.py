"""Triton Inference Server on this machine: the CPU server that the package nvidia-pytriton bundles.

https://github.com/triton-inference-server/pytriton. The package is installed without what it depends on, and only its
server is used.
"""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import sys
import sysconfig
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.local.process import NO_TLS, LocalServer, ServerFailed, free_port, running
from services.places import ROOT

START_S = 120.0
DRAIN_S = 20
"""How long requests at work may go on after SIGTERM."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


@dataclass(frozen=True, slots=True)
class Triton:
    """A running server, and where it answers (HOST:PORT)."""

    server: LocalServer
    grpc: str
    http: str
    metrics: str


@asynccontextmanager
async def triton(
    folder: Path,
    repository: Path,
    *,
    environment: Mapping[str, str] | None = None,
    otlp_endpoint: str = "",
    start_timeout_s: float = START_S,
) -> AsyncIterator[Triton]:
    """Runs a server on a model repository. `folder` takes its log and its backend, and must outlast it.

    `environment` is for the models (`LYDIA_…`). With `otlp_endpoint` the server sends spans of its own too. Raises
    ServerFailed.
    """
    prefix = f"lydia-{secrets.token_hex(6)}-"  # two servers with one prefix would write over each other's memory
    addresses = {protocol: f"127.0.0.1:{free_port()}" for protocol in ("grpc", "http", "metrics")}
    package = _package()
    server = LocalServer(
        "Triton",
        [*_command(package, _backends(package, folder), repository, prefix, addresses), *_tracing(otlp_endpoint)],
        answers=lambda: _ready(addresses["http"]),
        log=folder / "triton.log",
        environment={
            "LD_LIBRARY_PATH": f"{_libpython()}:{package.parent / 'nvidia_pytriton.libs'}",
            # Its processes run the Python that is found first, and find Lydia's models there.
            "PATH": f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            **(environment or {}),
        },
        start_timeout_s=start_timeout_s,
        stop_timeout_s=DRAIN_S + 10,
    )
    try:
        async with running(server):
            yield Triton(server, **addresses)
    finally:
        _clear(prefix)


def _command(
    package: Path, backends: Path, repository: Path, prefix: str, addresses: Mapping[str, str]
) -> list[str | Path]:
    bundle = package / "tritonserver"
    # fmt: off
    command: list[str | Path] = [
        bundle / "bin" / "tritonserver",
        "--model-repository", repository,
        "--backend-directory", backends,
        "--cache-directory", bundle / "caches",
        "--backend-config", f"python,shm-region-prefix-name={prefix}",
        "--disable-auto-complete-config",  # it would start every model's process twice
        "--allow-gpu-metrics", "false",
        "--exit-timeout-secs", str(DRAIN_S),
        # Clients look after their connections every 10 s while they wait for an answer.
        "--grpc-http2-min-recv-ping-interval-without-data", "5000",
        # A client whose machine is gone must not keep models at work.
        "--grpc-keepalive-time", "10000",
        "--grpc-keepalive-timeout", "5000",
    ]
    # fmt: on
    for protocol, address in addresses.items():
        host, port = address.split(":")
        command += [f"--{protocol}-address", host, f"--{protocol}-port", port]
    return command


def _tracing(otlp_endpoint: str) -> Iterator[str]:
    if not otlp_endpoint:
        return
    for setting in (
        "mode=opentelemetry",
        f"opentelemetry,url={otlp_endpoint.rstrip('/')}/v1/traces",
        "opentelemetry,resource=service.name=triton",
        "rate=1",
        "level=TIMESTAMPS",
    ):
        yield from ("--trace-config", setting)


async def _ready(address: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        try:
            return (await client.get(f"http://{address}/v2/health/ready")).status_code == 200
        except httpx.HTTPError:
            return False


def _backends(package: Path, folder: Path) -> Path:
    """A folder of backends: the bundled one, with the process that runs models for this version of Python."""
    bundle, backends = package / "tritonserver", folder / "backends"
    shutil.copytree(bundle / "backends", backends, dirs_exist_ok=True)
    stub = bundle / "python_backend_stubs" / sysconfig.get_python_version() / "triton_python_backend_stub"
    shutil.copy(stub, backends / "python")
    return backends


def _clear(prefix: str) -> None:
    """Frees the memory that a killed server left."""
    for left in SHARED_MEMORY.glob(f"{prefix}*"):
        left.unlink(missing_ok=True)


def _package() -> Path:
    """Where the package lies. It is not imported: it would want what it depends on."""
    found = importlib.util.find_spec("pytriton")
    if found is None or found.origin is None:
        raise ServerFailed("the package nvidia-pytriton is not installed. Run `make .venv/.triton`.")
    return Path(found.origin).parent


def _libpython() -> Path:
    """The folder of the library that the models' processes run in: of this very Python, or its modules do not fit."""
    folder, name = Path(sysconfig.get_config_var("LIBDIR")), f"libpython{sysconfig.get_python_version()}.so.1.0"
    for place in (folder, folder / str(sysconfig.get_config_var("MULTIARCH"))):
        if (place / name).exists():
            return place
    raise ServerFailed(
        f"Triton needs {name} of {sys.executable}. Mend: install it (Debian: apt install libpython3.11)."
    )
