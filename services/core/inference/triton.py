"""Models behind Triton Inference Server, over gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

# The loop forks for each process that it starts, and gRPC's handlers of that may crash the child before it runs.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
import tritonclient.grpc.aio as grpc_triton
from google.protobuf.message import DecodeError, Message
from grpc import ChannelCredentials, ssl_channel_credentials
from grpc.aio import AioRpcError
from tritonclient.utils import InferenceServerException

from services.core.envelope import TRACE_CONTEXT
from services.core.events import VoiceChunk
from services.core.inference.port import KINDS, ModelFailed
from services.core.inference.triton_stream import Closed, Stream
from services.core.inference.triton_wire import ANSWER, ASKS_READY, CALL, ENDS, REQUEST, room_of, sequence_of
from services.core.settings import Triton as Settings

log = logging.getLogger(__name__)

REST_S = (0.5, 1.0, 2.0, 5.0)
"""How long a server that failed is asked last, by how often in a row it did."""
ELSEWHERE = re.compile(r"unknown model|not ready|not healthy|is stopping|shutting down", re.IGNORECASE)
"""What a server says that is starting, stopping, or has not got the model: another one may have it."""
UNSTARTED = "must specify the START flag"
"""What a server says that does not know the sequence (any more)."""
ENDS_S = 5.0
"""How long a request that nobody wants has until it ends."""
ENDS_SOON_S = 0.02
MAX_MESSAGE_BYTES = 2**31 - 1
CHANNEL = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),
]
"""https://grpc.github.io/grpc/core/group__grpc__arg__keys.html"""


class _Elsewhere(ModelFailed):
    """A server cannot answer, and has not begun to; another one may."""


class _Unstarted(ModelFailed):
    """The server asks for the beginning of a sequence."""


@dataclass
class _Server:
    """One server, and how it fared lately."""

    address: str
    client: Any
    failures: int = 0
    rests_until: float = 0.0


class TritonInference:
    """A room's requests go to the same server while that answers: the first in an order that the room and the addresses
    give, and when it is away the next one. So a server that comes or goes moves only its own rooms.

    Every request has a gRPC stream of its own, because only of a whole stream is it known when it has ended. It costs
    about a millisecond. One that is no longer wanted is ended by its model, which is asked for that.
    """

    def __init__(self, settings: Settings) -> None:
        """Enter it, in the event loop that is to use it."""
        self._settings = settings
        self._servers: list[_Server] = []
        self._clients = AsyncExitStack()
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._reading: set[asyncio.Task[None]] = set()
        """What reads streams, and ends those that nobody wants."""

    async def __aenter__(self) -> Self:
        credentials = _credentials(self._settings)
        for address in self._settings.servers:
            client = grpc_triton.InferenceServerClient(
                address, ssl=credentials is not None, creds=credentials, channel_args=CHANNEL
            )
            self._clients.push_async_callback(client.close)
            self._servers.append(_Server(address, client))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._clients.aclose()
        await asyncio.gather(*self._reading, return_exceptions=True)  # they end with the connections

    @property
    def open_streams(self) -> int:
        """How many streams have not ended, those included that nobody wants."""
        return len(self._reading)

    async def stream(self, model: str, request: Message, *, request_id: str) -> AsyncGenerator[Any, None]:
        if (answer := KINDS.get(model.partition(".")[0])) is None:
            raise ModelFailed(f"no model {model!r}: names begin with one of {', '.join(KINDS)}")
        trace: dict[str, str] = {}
        TRACE_CONTEXT.inject(trace)
        call = _call(model, request.SerializeToString(), request_id, trace)
        if isinstance(request, VoiceChunk):
            call |= {
                "sequence_id": sequence_of(request.room_id),
                "sequence_start": request.sequence == 0,
                "sequence_end": request.last,
            }
        async with aclosing(self._anywhere(room_of(request), call)) as bodies:
            async for body in bodies:
                try:
                    yield answer[1].FromString(body)
                except DecodeError:
                    raise ModelFailed(f"{model} answered no {answer[1].DESCRIPTOR.full_name}") from None

    async def ready(self, model: str) -> bool:
        try:
            async with aclosing(self._anywhere("", self._alone(model, {ASKS_READY: True}))) as bodies:
                async for _ in bodies:
                    pass
        except ModelFailed:
            return False
        return True

    def _alone(self, model: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """A request that is none to the model itself. Sequence models take nothing outside a sequence."""
        name = f"{self._name} {next(self._numbers)}"
        alone = {"sequence_id": sequence_of(name), "sequence_start": True, "sequence_end": True}
        return _call(model, b"?", "", parameters) | alone

    async def _anywhere(self, room_id: str, call: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answers of the first server that has any."""
        why: ModelFailed = ModelFailed("no Triton server is named. Mend: set LYDIA_TRITON__SERVERS")
        for server in self._in_order(room_id):
            try:
                async with aclosing(self._started(server, call)) as bodies:
                    async for body in bodies:
                        yield body
            except _Elsewhere as failure:
                why = failure
                continue
            return
        raise why

    async def _started(self, server: _Server, call: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answers of one server. A sequence that it does not know begins anew, as it does when a model forgets."""
        try:
            async with aclosing(self._ask(server, call)) as bodies:
                async for body in bodies:
                    yield body
        except _Unstarted:
            async with aclosing(self._ask(server, call | {"sequence_start": True})) as bodies:
                async for body in bodies:
                    yield body

    async def _ask(self, server: _Server, call: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answers of one server. Raises ModelFailed."""
        # For the server's own spans. The model's process gets the parameters only.
        headers = {name: value for name, value in call["parameters"].items() if isinstance(value, str)}
        name = f"{self._name} {next(self._numbers)}"
        stream = self._open(server, call | {"parameters": call["parameters"] | {CALL: name}}, headers)
        begun = False
        try:
            while True:
                try:
                    async with asyncio.timeout(self._settings.answer_s):
                        result, error = await anext(stream)
                except StopAsyncIteration:
                    server.failures = 0
                    return
                except TimeoutError:
                    self._failed(server)
                    raise ModelFailed(f"{server.address}: nothing for {self._settings.answer_s:g} s") from None
                except AioRpcError as failure:
                    self._failed(server)
                    text = f"{server.address}: {failure.code().name} {failure.details()}"
                    raise (ModelFailed(text) if begun else _Elsewhere(text)) from None
                except Closed:
                    raise ModelFailed(f"the connection to {server.address} was closed") from None
                if error is not None:
                    await stream.ends(ENDS_SOON_S)
                    raise _reason(server, error, begun=begun)
                if (tensor := result.as_numpy(ANSWER)) is None:
                    raise ModelFailed(f"{server.address} answered without a tensor {ANSWER!r}")
                begun = True
                yield tensor.tobytes()
        finally:
            stream.leave()
            if not stream.over.is_set():
                self._task(self._end(server, call["model_name"], name, stream), f"end {call['request_id']}")

    def _open(self, server: _Server, call: dict[str, Any], headers: dict[str, str] | None = None) -> Stream:
        stream = Stream(server.client.stream_infer(_only(call), headers=headers))
        self._task(stream.read(), f"read {call['request_id']}")
        return stream

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _end(self, server: _Server, model: str, name: str, stream: Stream) -> None:
        """Sees to it that a stream ends: by its model, or else by force."""
        try:
            async with asyncio.timeout(ENDS_S):
                while not stream.over.is_set():
                    asking = self._open(server, self._alone(model, {ENDS: name}))
                    try:
                        found = all([error is None async for _, error in asking])
                    except (AioRpcError, Closed):
                        found = False
                    finally:
                        if not asking.over.is_set():
                            asking.cancel()
                    # It may not have come to the model yet, or have gone to another instance of it.
                    await stream.ends(ENDS_S if found else ENDS_SOON_S)
        except TimeoutError:
            log.warning("a request to %s did not end when it was asked to, and is broken off", server.address)
        finally:
            if not stream.over.is_set():
                stream.cancel()

    def _in_order(self, room_id: str) -> Sequence[_Server]:
        """The room's servers, best first; those that failed lately last."""
        now = asyncio.get_running_loop().time()
        return sorted(
            self._servers,
            key=lambda server: (
                server.rests_until > now,
                hashlib.blake2b(f"{server.address} {room_id}".encode(), digest_size=8).digest(),
            ),
        )

    def _failed(self, server: _Server) -> None:
        rest = REST_S[min(server.failures, len(REST_S) - 1)]
        server.failures += 1
        server.rests_until = asyncio.get_running_loop().time() + rest


def _call(model: str, body: bytes, request_id: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """A request as the client takes it. Made here and not while it is sent: gRPC would hide what is wrong with it."""
    tensor = grpc_triton.InferInput(REQUEST, [1, len(body)], "UINT8")
    tensor.set_data_from_numpy(np.frombuffer(body, np.uint8)[np.newaxis])
    return {"model_name": model, "inputs": [tensor], "request_id": request_id, "parameters": parameters}


async def _only(call: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    yield call


def _reason(server: _Server, error: InferenceServerException, *, begun: bool) -> ModelFailed:
    message = error.message()
    if UNSTARTED in message:
        return _Unstarted(message)
    if ELSEWHERE.search(message) and not begun:
        return _Elsewhere(f"{server.address}: {message}")
    return ModelFailed(message)


def _credentials(settings: Settings) -> ChannelCredentials | None:
    if not settings.tls:
        return None
    return ssl_channel_credentials(
        *(path and path.read_bytes() for path in (settings.ca, settings.key, settings.certificate))
    )
