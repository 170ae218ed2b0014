"""The composition root of `lydia up`: every service in one process, over an embedded Redis.

The only place that knows where anything runs. Services get their ports and never ask.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, PlatformCollector, ProcessCollector, generate_latest
from pydantic import SecretStr

from services.audience.service import Audience
from services.chat.meaning import Meaning
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
from services.core.moderation import BadRules, Moderator
from services.core.settings import Settings
from services.core.state.port import Put, StateUnavailable
from services.core.state.redis_state import RedisState
from services.core.telemetry import Telemetry, otlp
from services.gateway import http as gateway_http
from services.gateway.direct import Direct
from services.gateway.douyin_service import Douyin
from services.gateway.service import Gateway
from services.guard import MAX_CALL_BYTES, Guard
from services.motion.model.rules import Rules
from services.motion.service import Motion
from services.places import BODY, FITTED, PAGES, VOICE
from services.speech.espeak.client import espeak_client
from services.speech.model.captions import CaptionsSpeech
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.natural import NaturalSpeech
from services.speech.natural.files import HASHES
from services.speech.service import CAPTIONS, ESPEAK, NATURAL, OPENAI, TEACHER, Speech
from services.stage import http as stage_http
from services.stage.service import Stage
from services.stage.vrm_file import BadVrm
from services.stage.vrm_file import read as read_vrm

if TYPE_CHECKING:
    import httpx

    from services.speech.natural.speaker import Speaker

log = logging.getLogger(__name__)

SWITCH_S = 0.0005
"""How long a thread that computes in Python may keep the loop waiting."""
STOP_S = 3
"""How long open connections may take to close."""


class CannotStart(Exception):
    """Something outside is in the way. The text says what, and how to mend it."""


@dataclass(frozen=True)
class Addresses:
    """Where people click."""

    stage: str
    console: str
    opened_console: str
    """The same with the operator's token: a secret."""
    token_from: str
    """Where the token is to be found."""
    rungs: dict[str, str]


async def up(settings: Settings, listener: socket.socket, ready: Callable[[Addresses], None]) -> None:
    """Runs Lydia on `listener` until Ctrl-C, SIGTERM or a closed terminal. `ready` is called once everything answers.

    Raises CannotStart, RedisFailed before anything has been taken in; an exception group when a service dies.
    """
    running = asyncio.current_task()
    assert running is not None
    stop, started = asyncio.Event(), False

    def stopped() -> None:
        if not stop.is_set() and not started:
            running.cancel()
        stop.set()

    with _signals(stopped), suppress(_StoppedEarly):
        try:
            async with _services(settings) as (app, tasks, rungs):
                server = _Server(
                    uvicorn.Config(
                        app,
                        log_config=None,
                        lifespan="off",
                        access_log=False,
                        timeout_graceful_shutdown=STOP_S,
                        proxy_headers=False,  # nothing here asks who the caller is
                        ws="websockets-sansio",
                        ws_per_message_deflate=False,  # sound and poses hardly get smaller, and it takes time
                        ws_max_size=MAX_CALL_BYTES,
                    )
                )
                serving = tasks.add(server.serve(sockets=[listener]), "http")
                await server.up.wait()
                started = True
                ready(_addresses(settings, listener, rungs))
                await stop.wait()
                server.should_exit = True
                await serving
        except asyncio.CancelledError:
            if stop.is_set():
                raise _StoppedEarly from None
            raise


class _StoppedEarly(Exception):
    """Somebody stopped her before she had started."""


@contextmanager
def _signals(stopped: Callable[[], None]) -> Iterator[None]:
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
        espeak = await stack.enter_async_context(espeak_client(processes=2))

        @cache
        def http() -> httpx.AsyncClient:
            """For calls to the outside. Loaded when there is one to make: it takes a tenth of the start."""
            import httpx

            client = httpx.AsyncClient(trust_env=False)
            stack.push_async_callback(client.aclose)
            return client

        try:
            moderator = Moderator.built_in(settings.audience.words)
        except BadRules as error:
            raise CannotStart(f"audience.words (LYDIA_AUDIENCE__WORDS): {error}") from None
        if settings.stage.avatar is not None:
            try:
                read_vrm(settings.stage.avatar)
            except BadVrm as error:
                found = f"stage.avatar (LYDIA_STAGE__AVATAR) = {str(settings.stage.avatar)!r}"
                raise CannotStart(f"{found}: {error}, or unset it to let her wear her own body.") from None
        persona = load_persona()
        retrieval = await asyncio.to_thread(lambda: Retrieval(persona, Meaning(), FITTED))

        models: dict[str, Model] = {
            "chat.persona": PersonaChat(persona, retrieval, moderator),
            ESPEAK: EspeakSpeech(espeak),
            CAPTIONS: CaptionsSpeech(),
            "motion.rules": Rules(),
        }
        if settings.chat.base_url:
            from services.chat.model.openai import OpenAIChat

            models["chat.openai"] = OpenAIChat(settings.chat, persona, http())
        if settings.speech.base_url:
            from services.speech.model.openai import OpenAISpeech

            models[OPENAI] = server = OpenAISpeech(settings.speech)
            stack.push_async_callback(server.close)
        for rung, natural in _natural_voices(settings).items():
            models[rung] = natural
            stack.push_async_callback(natural.close)
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
        speech = Speech(bus, state, inference, clock, telemetry, rungs=ladders["speech"], speed=settings.stage.speed)
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

        # FastAPI's pages of documentation run a content network's scripts, which would see the console's token.
        app = FastAPI(title="Lydia", docs_url=None, redoc_url=None)
        if settings.http.private:
            # A page of another site must not reach her through a name that resolves to this machine.
            hosts = {"127.0.0.1", "localhost", "::1", "[::1]", settings.http.host}
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts))
        app.add_middleware(Guard)
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
                stage,
                operator_token=operator_token(settings),
                web=PAGES,
                avatar=BODY,
                own=settings.stage.avatar,
                start_room=settings.room,
            )
        )
        _watch(app, telemetry, bus, state)
        # All this lives as long as the process. Looking through it for garbage would hold the room up each time.
        gc.collect()
        gc.freeze()
        for model in models.values():
            if isinstance(model, NaturalSpeech):
                model.start()
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

    def speaker(*, teacher: bool = False) -> Speaker:
        from services.speech.natural.loading import load  # slow, and nobody waits for it here

        return load(VOICE, voice, teacher=teacher)

    voices = {NATURAL: NaturalSpeech(speaker)}
    if settings.speech.finest:
        voices[TEACHER] = NaturalSpeech(lambda: speaker(teacher=True), rung="natural-teacher")
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
            # A change, because a full disk or memory lets her read as if nothing were wrong.
            await state.apply(Put("ready", b"1", ttl_s=60))
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
    path = _token_path(settings)
    mend = "Mend the file, remove it for a new token, or set LYDIA_AUTH__OPERATOR_TOKEN"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".new")  # a token that was cut off would be an easy one
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(16))
            draft.replace(path)
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise CannotStart(f"the operator's token {path} cannot be used: {reason}. {mend}") from None
    if not token:
        raise CannotStart(f"the operator's token {path} is empty. {mend}")
    return SecretStr(token)


@contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before anything starts: who comes early waits. Raises CannotStart."""
    host, port = settings.http.host, settings.http.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(100)  # bound alone, a second Lydia could bind the same address
        except OSError as error:
            raise CannotStart(
                f"{host}:{port} cannot be used: {error.strerror}. {_other_address(error, port)}"
            ) from None
        yield listener


def _other_address(error: OSError, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "Stop what listens there, or choose another port: LYDIA_HTTP__PORT=" + str(
                port + 1 if port < 65_535 else 0
            )
        case errno.EACCES:
            return "Choose a port above 1023: LYDIA_HTTP__PORT=8080"
        case _:
            return "Choose an address of this machine: LYDIA_HTTP__HOST=127.0.0.1"


def address(settings: Settings, listener: socket.socket) -> str:
    """Where a program on this machine reaches her, without a path."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http.host, settings.http.host)  # noqa: S104
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _addresses(settings: Settings, listener: socket.socket, rungs: dict[str, str]) -> Addresses:
    base = address(settings, listener)
    token = quote(operator_token(settings).get_secret_value(), safe="")
    return Addresses(
        stage=f"{base}/rooms/{settings.room}",
        console=f"{base}/console",
        opened_console=f"{base}/console#token={token}",
        token_from=str(_token_path(settings)) if settings.auth.operator_token is None else "auth.operator_token",
        rungs=rungs,
    )


def _token_path(settings: Settings) -> Path:
    return settings.data_dir / "operator-token"


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on the fastest loop there is here, which threads that compute hold up as little as possible."""
    sys.setswitchinterval(SWITCH_S)
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
