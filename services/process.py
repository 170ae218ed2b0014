"""How a process of Lydia runs: its loop, the signals that end it, and the tasks of its services."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

SWITCH_S = 0.0005
"""How long a thread that computes in Python may keep the loop waiting."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on the fastest loop there is here, which threads that compute hold up as little as possible."""
    sys.setswitchinterval(SWITCH_S)
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


@contextmanager
def signals(stopped: Callable[[], None]) -> Iterator[None]:
    """Calls `stopped` for whatever asks the process to end, a closed terminal included unless `nohup` ignores it."""
    loop = asyncio.get_running_loop()
    names = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        names.append(signal.SIGHUP)
    for name in names:
        loop.add_signal_handler(name, stopped)
    try:
        yield
    finally:
        for name in names:
            loop.remove_signal_handler(name)


class Tasks(asyncio.TaskGroup):
    """A task group whose end cancels what still runs."""

    def __init__(self) -> None:
        super().__init__()
        self._running: list[asyncio.Task[None]] = []

    def add(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Starts a task of the group."""
        task = self.create_task(work, name=name)
        self._running.append(task)
        return task

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        await super().__aexit__(kind, error, trace)
