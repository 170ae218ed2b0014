"""Models behind Triton Inference Server, over gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
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
from services.core.inference.triton_wire import ANSWER, ASKS_READY, REQUEST, room_of, sequence_of
from services.core.settings import Triton as Settings

log = logging.getLogger(__name__)

REST_S = (0.5, 1.0, 2.0, 5.0)
"""How long a server that failed is asked last, by how often in a row it did."""
ELSEWHERE = re.compile(r"unknown model|not ready|not healthy|is stopping|shutting down", re.IGNORECASE)
"""What a server says that is starting, stopping, or has not got the model: another one may have it."""
UNSTARTED = "must specify the START flag"
"""What a server says that does not know the sequence (any more)."""
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

    Every request has a gRPC stream of its own, because Triton cancels whole streams only. It costs about a millisecond.
    """

    def __init__(self, settings: Settings) -> None:
        """Enter it, in the event loop that is to use it."""
        self._settings = settings
        self._servers: list[_Server] = []
        self._clients = AsyncExitStack()
        self._numbers = itertools.count()

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

    async def stream(self, model: str, request: Message, *, request_id: str) -> AsyncGenerator[Any, None]:
        if (answer := KINDS.get(model.partition(".")[0])) is None:
            raise ModelFailed(f"no model {model!r}: names begin with one of {', '.join(KINDS)}")
        parameters: dict[str, Any] = {}
        TRACE_CONTEXT.inject(parameters)
        call = _call(model, request.SerializeToString(), request_id, parameters)
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
        call = _call(model, b"?", "", {ASKS_READY: True})
        # Sequence models take no request outside a sequence.
        call |= {
            "sequence_id": sequence_of(f"ready? {next(self._numbers)}"),
            "sequence_start": True,
            "sequence_end": True,
        }
        try:
            async with aclosing(self._anywhere("", call)) as bodies:
                async for _ in bodies:
                    pass
        except ModelFailed:
            return False
        return True

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
        answers = server.client.stream_infer(_only(call), headers=headers)
        begun = False
        try:
            while True:
                try:
                    async with asyncio.timeout(self._settings.answer_s):
                        result, error = await anext(answers)
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
                except asyncio.CancelledError:
                    if _cancelled():
                        raise
                    # So gRPC speaks of a stream whose connection this process itself has closed.
                    raise ModelFailed(f"the connection to {server.address} was closed") from None
                if error is not None:
                    raise _reason(server, error, begun=begun)
                if (tensor := result.as_numpy(ANSWER)) is None:
                    raise ModelFailed(f"{server.address} answered without a tensor {ANSWER!r}")
                begun = True
                yield tensor.tobytes()
        finally:
            answers.cancel()

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


def _cancelled() -> bool:
    """Whether somebody wants the current task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _credentials(settings: Settings) -> ChannelCredentials | None:
    if not settings.tls:
        return None
    return ssl_channel_credentials(
        *(path and path.read_bytes() for path in (settings.ca, settings.key, settings.certificate))
    )
