"""A server in a process of its own, which a test may also kill, suspend and start again."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

Answers = Callable[[], Awaitable[bool]]
"""Asks a server whether it is ready; False, OSError and TimeoutError all mean not yet."""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What a client of plain HTTP on this machine verifies with: it trusts nobody, and reading the list of whom to trust
would take 45 ms of a processor for every client.
"""
ASK_S = 0.05
STOPPED_S = 2.0
"""How long a suspended process has until it stands still."""
WAKES_S = 0.5
"""By how much what a server started wakes before it does: Triton's models say every 0.3 s that they live."""
SERVER_PORTS = (10_000, 32_000)
LAST_WORDS = 4000
"""How many characters of its log an error quotes."""

# Runs between fork and the server: on Linux the server ends with the thread that started it, however that ended
# (PR_SET_PDEATHSIG is 1 and survives exec).
LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


class ServerFailed(Exception):
    """A local server cannot run. The text says why, and how to mend it where that is known."""


class LocalServer:
    """One server process with everything its children start.

    `answers` decides when it is ready, `log` is where its output goes (appended). `environment` is added to this
    process's own. Start it from the main thread, because it ends with the thread that started it; use it from one task
    at a time.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        answers: Answers,
        log: Path,
        environment: Mapping[str, str] | None = None,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 15.0,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._answers = answers
        self._environment = dict(os.environ) | dict(environment or {})
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._stop_signal = stop_signal
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._child is not None, f"{self.name} is not running"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the process exists; one that is suspended does."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> float:
        """Starts the process and waits until it answers. Returns how long that took, in seconds.

        Raises ServerFailed, with the end of its log, when it ends or does not answer in time; it is not running then.
        """
        assert not self.running, f"{self.name} is already running"
        begun = time.monotonic()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), *self._command),
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await self.wait_ready()
        except BaseException:
            await self.kill()
            raise
        return time.monotonic() - begun

    async def wait_ready(self) -> None:
        """Waits until the server answers. Raises ServerFailed when it ends or is not ready in time."""
        try:
            async with asyncio.timeout(self._start_timeout_s):
                while True:
                    if not self.running:
                        assert self._child is not None, f"{self.name} was never started"
                        raise ServerFailed(
                            f"{self.name} ended with code {self._child.returncode}. {self._last_words()}"
                        )
                    with suppress(OSError, TimeoutError):
                        async with asyncio.timeout(2.0):
                            if await self._answers():
                                return
                    await asyncio.sleep(ASK_S)
        except TimeoutError:
            raise ServerFailed(
                f"{self.name} does not answer after {self._start_timeout_s:g} s. {self._last_words()}"
            ) from None

    async def ended(self) -> None:
        """Returns when the process is gone."""
        if self._child is not None:
            await self._child.wait()

    async def stop(self) -> None:
        """Lets the server end by itself, and kills it when that takes too long. A suspended one is woken first.

        Nothing happens when it is not running.
        """
        if self._child is not None and self._child.returncode is None:
            self._signal(signal.SIGCONT)
            self._signal(self._stop_signal)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._stop_timeout_s):
                    await self._child.wait()
        await self.kill()

    async def kill(self) -> None:
        """As `kill -9` does, of the process and of what it started."""
        if self._child is not None:
            for pid in self.session():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._signal(signal.SIGKILL)
            await self._child.wait()
            self._child = None

    async def restart(self) -> float:
        """Stops it, if it runs, and starts it again with the same ports and data. Returns as `start` does."""
        await self.stop()
        return await self.start()

    def session(self) -> list[int]:
        """It and what it started, in whatever process group, as far as the system tells (Linux does)."""
        assert self._child is not None, f"{self.name} was never started"
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.getsid(int(entry.name)) == self._child.pid:
                    found.append(int(entry.name))
        return found

    def suspend(self) -> None:
        """It keeps its connections and answers nobody (SIGSTOP).

        Returns when each of its threads stands still, as far as the system tells (Linux does): one that works on
        another processor may go on for some milliseconds, and answer.
        """
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOPPED_S
        while time.monotonic() < deadline and any(not _stands_still(pid) for pid in self._group()):
            time.sleep(0.001)

    def resume(self) -> None:
        """Ends a suspension (SIGCONT), of what it started first.

        Triton takes a model for dead that wakes later than it does with a request in hand, and crashes while it starts
        that model again (2.51).
        """
        if started := [pid for pid in self._group() if pid != self.pid]:
            for pid in started:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            time.sleep(WAKES_S)
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._child is not None, f"{self.name} was never started"
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)  # the child leads a session of its own

    def _group(self) -> list[int]:
        """Those that a signal to it reaches."""
        assert self._child is not None, f"{self.name} was never started"
        leader, found = self._child.pid, []
        for pid in self.session():
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == leader:
                    found.append(pid)
        return found

    def _last_words(self) -> str:
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            text = ""
        return f"The end of {self.log}:\n{text[-LAST_WORDS:]}" if text else f"It wrote nothing to {self.log}"


def _stands_still(pid: int) -> bool:
    """Whether each thread of a process is stopped or has ended."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            if stat.read_text(errors="replace").rpartition(")")[2].split()[0] not in "TtZX":
                return False
    return True


S = TypeVar("S", bound=LocalServer)


@asynccontextmanager
async def running(server: S) -> AsyncIterator[S]:
    """Starts a server and stops it at the end, whatever state it is in by then."""
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


_from = random.randrange(*SERVER_PORTS)  # so that two processes do not try the same ones at the same time
_ports: Iterator[int] = itertools.cycle([*range(_from, SERVER_PORTS[1]), *range(SERVER_PORTS[0], _from)])


def free_port() -> int:
    """A port of the loopback interface that nobody listens on.

    Not one of those that the system hands to clients (on Linux from 32768 on, see ip_local_port_range). A client that
    tries to reach a server that is away, again and again, would be given the server's own port one day: it would be
    connected with itself, and the server could not come back. Nor one that it gave out before, as long as there are
    others: the server for it may not listen yet.
    """
    while True:
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def accepts(port: int) -> bool:
    """Whether somebody listens on a port of the loopback interface. Raises OSError when nobody does."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return True
