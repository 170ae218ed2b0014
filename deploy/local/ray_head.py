"""Ray's head and the audience's application on it, in the foreground: the process behind `deploy.local.ray`."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray._private import parameter, services
from ray.serve._private import api
from ray.serve.schema import LoggingConfig

from deploy.local.process import free_port
from services.audience.serve_app import build

APPLICATION = "audience"
OBJECT_STORE_BYTES = 100 * 2**20
"""Of shared memory. Batches are small and go by value; this is about the least that Ray starts with."""
PATIENCE_S = 300
LISTEN = "dashboard_agent_listen_port"


def main(port: int, metrics_port: int, temporary: str, processors: int) -> None:
    """Runs until SIGTERM or Ctrl-C. The application answers on `port`, Prometheus reads all metrics on the other."""
    # Blocked from the beginning, so that Ray's threads leave them to this one.
    asked = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    _stay_on_loopback()
    _be_patient()
    ray.init(
        num_cpus=processors,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _metrics_export_port=metrics_port,
        _temp_dir=temporary,
    )
    quiet = LoggingConfig(enable_access_log=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config=quiet)
    serve.run(build(), name=APPLICATION, route_prefix="/")
    signal.sigwait(asked)
    serve.shutdown()
    ray.shutdown()


def _stay_on_loopback() -> None:
    """Ray would replace the loopback address by the machine's outer one, and then listen to everybody."""
    services.resolve_ip_for_localhost = lambda host: host


def _be_patient() -> None:
    """A busy machine takes longer than Ray gives it.

    Ray ends when its agents do not write the ports that they chose into files within 15 s. Here the ports are given,
    and for the one that cannot be given the file is there beforehand. The proxy has 60 s to start.
    """
    api.HTTP_PROXY_TIMEOUT = PATIENCE_S
    ports = {name: free_port() for name in (LISTEN, "metrics_agent_port", "runtime_env_agent_port")}
    parameter.RayParams = partial(parameter.RayParams, **ports)
    start = services.start_raylet

    def start_raylet(*given: Any, **named: Any) -> Any:
        node, session = given[2], Path(given[11])
        (session / f"{LISTEN}_{node}").write_text(str(ports[LISTEN]))
        return start(*given, **named)

    services.start_raylet = start_raylet


if __name__ == "__main__":
    _, given_port, given_metrics, given_folder, given_processors = sys.argv
    main(int(given_port), int(given_metrics), given_folder, int(given_processors))
