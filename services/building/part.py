"""What the composition roots hand to a service's module, and what they get back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from fastapi import APIRouter

from services.core.bus.port import Bus
from services.core.clock import Clock
from services.core.ids import Ids
from services.core.inference import Inference
from services.core.moderation import BadRules, Moderator
from services.core.settings import Settings
from services.core.state.port import State
from services.core.telemetry import Telemetry

if TYPE_CHECKING:
    import httpx


class CannotStart(Exception):
    """Something outside is in the way. The text says what, and how to mend it."""


class Service(Protocol):
    """What every service has."""

    async def run(self) -> None:
        """Works until cancelled."""


@dataclass(frozen=True)
class Ports:
    """What a service reaches the rest of the world through."""

    bus: Bus
    state: State
    clock: Clock
    ids: Ids
    telemetry: Telemetry
    models: Inference | None = None
    """Model servers; without them a service has its models in its own process."""


async def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Part:
    """A service, built and not yet running."""

    runs: Mapping[str, Service]
    """What works until it is cancelled, by the name of its task."""
    routes: tuple[APIRouter, ...] = ()
    """What it answers over HTTP."""
    listening: Callable[[], Awaitable[None]] = field(default=_nothing)
    """Returns, once it runs, when it misses nothing that is told to all processes from then on."""
    rung: str = ""
    """The best rung of its ladder, if it has one."""
    drain: Callable[[], Awaitable[None]] = field(default=_nothing)
    """Begins nothing more, and returns when what was begun is done."""
    begin: Callable[[], None] = field(default=lambda: None)
    """Called when everything is there: starts what may take its time."""


class Shared:
    """What several services of a process use, made when the first one asks. It ends with `stack`."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.stack = stack
        self._settings = settings
        self._http: httpx.AsyncClient | None = None

    def http(self) -> httpx.AsyncClient:
        """For calls to the outside. Loaded when there is one to make: it takes a tenth of the start."""
        if self._http is None:
            import httpx

            self._http = httpx.AsyncClient(trust_env=False)
            self.stack.push_async_callback(self._http.aclose)
        return self._http

    @cached_property
    def moderator(self) -> Moderator:
        """What must not be taken in or said. Raises CannotStart."""
        try:
            return Moderator.built_in(self._settings.audience.words)
        except BadRules as error:
            raise CannotStart(f"audience.words (LYDIA_AUDIENCE__WORDS): {error}") from None
