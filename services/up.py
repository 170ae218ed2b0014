"""The composition root of `lydia up`: every service in one process, over an embedded Redis.

The only place that knows where anything runs. Services get their ports and never ask.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import httpx
import uvicorn
from fastapi import FastAPI, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, PlatformCollector, ProcessCollector, generate_latest
from pydantic import SecretStr

from services.audience.service import Audience
from services.chat.meaning import Meaning
from services.chat.model.openai import OpenAIChat
from services.chat.model.persona import PersonaChat
from services.chat.persona import load as load_persona
from services.chat.retrieval import Retrieval
from services.chat.service import Chat
from services.core.bus.port import BusUnavailable
from services.core.bus.redis_streams import RedisBus
from services.core.clock import SystemClock
from services.core.embedded_redis import embedded_redis
from services.core.ids import RandomIds
from services.core.inference import InProcess, Model
from services.core.moderation import Moderator
from services.core.settings import Settings
from services.core.state.port import StateUnavailable
from services.core.state.redis_state import RedisState
from services.core.telemetry import Telemetry, otlp
from services.gateway import http as gateway_http
from services.gateway.direct import Direct
from services.gateway.douyin_service import Douyin
from services.gateway.service import Gateway
from services.motion.model.rules import Rules
from services.motion.service import Motion
from services.places import BODY, FITTED, PAGES, VOICE
from services.speech.espeak.client import espeak_client
from services.speech.model.captions import CaptionsSpeech
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.natural import NaturalSpeech, load
from services.speech.model.openai import OpenAISpeech
from services.speech.natural.files import HASHES
from services.speech.service import CAPTIONS, ESPEAK, NATURAL, OPENAI, TEACHER, Speech
from services.stage import http as stage_http
from services.stage.service import Stage

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
STOP_S = 3
"""How long open connections may take to close."""


class CannotStart(Exception):
    """Something outside is in the way. The text says what, and how to mend it."""


@dataclass(frozen=True)
class Addresses:
    """Where people click."""

    stage: str
    console: str
    room_id: str
    rungs: dict[str, str]


async def up(settings: Settings, ready: Callable[[Addresses], None]) -> None:
    """Runs Lydia until Ctrl-C or SIGTERM. `ready` is called once everything answers.

    Raises CannotStart, RedisFailed before anything has been taken in.
    """
    with _listen(settings) as listener:
        async with _services(settings) as (app, tasks, rungs):
            server = _Server(
                uvicorn.Config(
                    app, log_level="warning", access_log=False, timeout_graceful_shutdown=STOP_S, ws="websockets-sansio"
                )
            )
            serving = tasks.add(server.serve(sockets=[listener]), "http")
            stop = asyncio.Event()
            for name in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(name, stop.set)
            await server.up.wait()
            ready(_addresses(settings, listener, rungs))
            await stop.wait()
            server.should_exit = True
            await serving


@asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[tuple[FastAPI, _Tasks, dict[str, str]]]:
    """Everything but the server, running."""
    clock, ids = SystemClock(), RandomIds()
    processors = (otlp(settings.telemetry.otlp_endpoint),) if settings.telemetry.otlp_endpoint else ()
    telemetry = Telemetry("up", processors=processors)
    async with AsyncExitStack() as stack:
        stack.callback(telemetry.close)
        redis = await stack.enter_async_context(embedded_redis(settings.data_dir))
        bus = await stack.enter_async_context(RedisBus(redis, partitions=1))
        state = await stack.enter_async_context(RedisState(redis))
        espeak = await stack.enter_async_context(espeak_client())
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        moderator = Moderator.built_in(settings.audience.words)
        persona = load_persona()
        retrieval = await asyncio.to_thread(lambda: Retrieval(persona, Meaning(), FITTED))

        models: dict[str, Model] = {
            "chat.persona": PersonaChat(persona, retrieval, moderator),
            ESPEAK: EspeakSpeech(espeak),
            CAPTIONS: CaptionsSpeech(),
            "motion.rules": Rules(),
        }
        if settings.chat.base_url:
            models["chat.openai"] = OpenAIChat(settings.chat, persona, http)
        if settings.speech.base_url:
            models[OPENAI] = server = OpenAISpeech(settings.speech)
            stack.push_async_callback(server.close)
        for rung, natural in _natural_voices(settings).items():
            models[rung] = natural
            stack.push_async_callback(natural.close)
            natural.start()
        inference = InProcess(models)
        ladders = {
            "chat": _there(models, "chat.openai", "chat.persona"),
            "speech": _there(models, OPENAI, TEACHER, NATURAL, ESPEAK, CAPTIONS),
            "motion": _there(models, "motion.rules"),
        }

        gateway = Gateway(bus, clock, telemetry, max_rooms=settings.stage.max_rooms)
        douyin = Douyin(settings.douyin, gateway, bus, state, clock, telemetry, http, room_id=settings.room)
        audience = Audience(
            bus,
            state,
            clock,
            telemetry,
            settings.audience,
            moderator=moderator,
            record_dir=settings.record_dir,
            max_rooms=settings.stage.max_rooms,
        )
        chat = Chat(bus, state, inference, clock, telemetry, moderator, persona, rungs=ladders["chat"])
        speech = Speech(bus, state, inference, clock, telemetry, rungs=ladders["speech"])
        motion = Motion(bus, state, inference, clock, telemetry, rungs=ladders["motion"])
        stage = Stage(bus, state, clock, ids, telemetry, settings.stage)

        tasks = await stack.enter_async_context(_Tasks())
        services: dict[str, _Service] = {
            "audience": audience,
            "chat": chat,
            "speech": speech,
            "motion": motion,
            "stage": stage,
            "douyin": douyin,
        }
        for name, service in services.items():
            tasks.add(service.run(), name)

        app = FastAPI(title="Lydia", docs_url="/docs", redoc_url=None)
        if settings.http.host in LOOPBACK:
            # A page of another site must not reach her through a name that resolves to this machine.
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])
        token = settings.auth.message_token
        app.include_router(
            gateway_http.router(
                gateway,
                Direct(ids),
                clock,
                telemetry,
                douyin=douyin.receiver,
                message_token=token.get_secret_value() if token else None,
            )
        )
        app.include_router(
            stage_http.router(
                stage, operator_token=operator_token(settings), web=PAGES, avatar=BODY, start_room=settings.room
            )
        )
        _watch(app, telemetry, bus, state)
        yield app, tasks, {name: rungs[0] for name, rungs in ladders.items()}


class _Service(Protocol):
    """What every service has."""

    async def run(self) -> None:
        """Works until cancelled."""


class _Tasks(asyncio.TaskGroup):
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


class _Server(uvicorn.Server):
    """Leaves signals to `up`, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _natural_voices(settings: Settings) -> dict[str, NaturalSpeech]:
    """Her own natural voices; none where their files were not built. They load while she is already there."""
    voice = settings.speech.own_voice
    if voice == "fast":
        return {}
    if not (VOICE / HASHES).is_file():
        log.warning("the natural voice is not built; the fast voice speaks. Mend: run `make setup`.")
        return {}
    voices = {NATURAL: NaturalSpeech(lambda: load(VOICE, voice))}
    if settings.speech.finest:
        voices[TEACHER] = NaturalSpeech(lambda: load(VOICE, voice, teacher=True), rung="natural-teacher")
    return voices


def _there(models: dict[str, Model], *rungs: str) -> tuple[str, ...]:
    return tuple(rung for rung in rungs if rung in models)


def _watch(app: FastAPI, telemetry: Telemetry, bus: RedisBus, state: RedisState) -> None:
    """Health and metrics."""
    registry = telemetry.metrics.registry
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["health"])
    async def readyz(response: Response) -> dict[str, str]:
        try:
            await state.get("ready")
            await bus.lag("lydia.audience", "audience")
        except (BusUnavailable, StateUnavailable) as error:
            response.status_code = 503
            return {"status": "not ready", "because": str(error)}
        return {"status": "ready"}

    @app.get("/metrics", tags=["health"])
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def operator_token(settings: Settings) -> SecretStr:
    """The configured token, or one that was made at the first start and kept in the data folder."""
    if settings.auth.operator_token is not None:
        return settings.auth.operator_token
    path = settings.data_dir / "operator-token"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(16))
    return SecretStr(path.read_text().strip())


@contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before anything starts."""
    host, port = settings.http.host, settings.http.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        mend = f"Stop what listens there, or choose another port: LYDIA_HTTP__PORT={port + 1}"
        raise CannotStart(f"{host}:{port} cannot be used: {error.strerror}. {mend}") from None
    with listener:
        yield listener


def _addresses(settings: Settings, listener: socket.socket, rungs: dict[str, str]) -> Addresses:
    port = listener.getsockname()[1]
    host = settings.http.host if settings.http.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    console = f"{base}/console#token={operator_token(settings).get_secret_value()}"
    return Addresses(f"{base}/rooms/{settings.room}", console, settings.room, rungs)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on the fastest loop there is here."""
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
