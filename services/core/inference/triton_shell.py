"""A model behind Triton's Python backend. Only the backend's own processes import this file.

https://github.com/triton-inference-server/python_backend. A request is one tensor, the bytes of a protobuf; so is each
answer. Everything is decoupled: `execute` hands the requests to an event loop in a thread of its own and returns at
once, and the model's answers are sent as they are made.

Tensors cross by DLPack alone, because the backend's own conversion reads the arrays of NumPy 2 wrongly.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import triton_python_backend_utils as backend
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray
from opentelemetry.trace import SpanKind

from services.core.inference.port import KINDS, Model, ModelFailed
from services.core.inference.triton_watch import Watch
from services.core.inference.triton_wire import (
    ANSWER,
    ASKS_READY,
    CALL,
    ENDS,
    NO_CALL,
    REQUEST,
    SEQUENCE_STARTS,
    room_of,
)
from services.core.settings import Settings, load
from services.core.telemetry import Telemetry, otlp

M = TypeVar("M", bound=Model)

log = logging.getLogger(__name__)

USED = b"used_dltensor"
AT_ONCE = 256
"""Requests of one instance at the same time; more are refused."""
CANCELLED_S = 0.025
"""How often requests at work are asked whether their client has gone."""
DRAIN_S = 20.0
"""How long requests at work may go on when the model is unloaded."""


@dataclass(slots=True)
class _Call:
    """A request, read while the backend still holds its memory."""

    sender: Any
    request_id: str
    parameters: Mapping[str, Any]
    starts: bool
    """It begins its sequence."""
    body: bytes
    ended: bool = False
    """Its sender must not be touched any more: the server has freed what belongs to it, and would crash."""


class _Lent:
    """An array for `Tensor.from_dlpack`, whose capsule is marked as used in NumPy's way too; the backend does not."""

    def __init__(self, array: NDArray[np.uint8]) -> None:
        self._array = array
        self._capsule: Any = None

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    def __dlpack__(self, **_options: Any) -> Any:
        self._capsule = self._array.__dlpack__()
        return self._capsule

    def tensor(self, name: str) -> Any:
        """The backend's tensor, over the same memory."""
        tensor = backend.Tensor.from_dlpack(name, self)
        ctypes.pythonapi.PyCapsule_SetName(ctypes.py_object(self._capsule), USED)
        return tensor


class Shell(ABC, Generic[M]):
    """Inherit as `TritonPythonModel`, the name that the backend looks for, and define `open`."""

    gpu: int | None
    """The GPU of this instance; None on the CPU."""

    @abstractmethod
    def open(self, settings: Settings) -> AbstractAsyncContextManager[M]:
        """Brings the model up, ready to answer, and takes it down. Its errors keep the server from starting."""

    def begin(self, model: M, request: Any) -> None:
        """A sequence of requests begins with this one: nothing of an earlier one may be remembered."""

    # --- what the backend calls, in its own thread -------------------------------------------------------------------

    def initialize(self, args: Mapping[str, str]) -> None:
        """Returns when the model is ready."""
        settings = load()
        logging.basicConfig(level=settings.telemetry.log_level, stream=sys.stderr, format="%(levelname)s %(message)s")
        self._name = args["model_name"]
        self.gpu = int(args["model_instance_device_id"]) if args["model_instance_kind"] == "GPU" else None
        self._request_type, _ = KINDS[self._name.partition(".")[0]]
        endpoint = settings.telemetry.otlp_endpoint
        self._telemetry = Telemetry("triton", processors=(otlp(endpoint),) if endpoint else ())
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(settings, opened)), name=self._name, daemon=True
        )
        self._thread.start()
        opened.result()
        self._watch = Watch()

    def execute(self, requests: Sequence[Any]) -> None:
        """Takes requests in; their answers go through their senders."""
        for request in requests:
            call = _Call(
                request.get_response_sender(),
                request.request_id(),
                json.loads(request.parameters() or "{}"),
                bool(request.flags() & SEQUENCE_STARTS),
                np.from_dlpack(backend.get_input_tensor_by_name(request, REQUEST)).tobytes(),
            )
            self._loop.call_soon_threadsafe(self._accept, call)

    def finalize(self) -> None:
        """Lets requests at work end, within bounds."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._watch.goodbye()
        self._telemetry.close()

    # --- in the event loop -------------------------------------------------------------------------------------------

    async def _run(self, settings: Settings, opened: Future[None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._work: dict[asyncio.Task[None], _Call] = {}
        self._news = asyncio.Event()
        try:
            async with self.open(settings) as self._model, asyncio.TaskGroup() as self._tasks:
                watch = self._tasks.create_task(self._cancel_abandoned(), name="abandoned requests")
                opened.set_result(None)
                await self._stop.wait()
                if self._work:
                    await asyncio.wait(self._work, timeout=DRAIN_S)
                for task in (*self._work, watch):
                    task.cancel()
        except BaseException as error:
            if not opened.done():
                opened.set_exception(error)
            else:
                log.exception("%s ended", self._name)

    def _accept(self, call: _Call) -> None:
        if ENDS in call.parameters:
            _end(call, "" if self._ended(call.parameters[ENDS]) else NO_CALL)
            return
        if self._stop.is_set() or len(self._work) >= AT_ONCE:
            _end(call, "it is being unloaded" if self._stop.is_set() else "it is busy")
            return
        task = self._tasks.create_task(self._answer(call), name=call.request_id)
        self._work[task] = call
        task.add_done_callback(self._done)
        self._news.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        call = self._work.pop(task)
        if not call.ended:  # it was cancelled, perhaps before it began
            _end(call, "cancelled")

    def _ended(self, name: str) -> bool:
        for task, call in self._work.items():
            if call.parameters.get(CALL) == name:
                task.cancel()
                return True
        return False

    async def _answer(self, call: _Call) -> None:
        """Sends what the model answers. A request that is cancelled closes the model's iterator."""
        try:
            if ASKS_READY in call.parameters:
                _end(call, "" if await self._model.ready() else "it is not ready")
                return
            attributes = {"lydia.model": self._name, "messaging.message.id": call.request_id}
            parent = {name: str(value) for name, value in call.parameters.items()}
            with self._telemetry.span(
                f"serve {self._name}", kind=SpanKind.SERVER, parent=parent, attributes=attributes
            ) as span:
                request = self._request_type.FromString(call.body)
                span.set_attribute("lydia.room_id", room_of(request))
                if call.starts:
                    self.begin(self._model, request)
                async with aclosing(self._model.stream(request)) as answers:  # type: ignore[type-var]
                    async for answer in answers:
                        _send(call, answer)
        except DecodeError:
            _end(call, f"the request is no {self._request_type.DESCRIPTOR.full_name}")
        except ModelFailed as error:
            _end(call, str(error))
        except Exception as error:
            log.exception("%s broke", self._name)
            _end(call, f"it broke: {type(error).__name__}")
        else:
            _end(call)

    async def _cancel_abandoned(self) -> None:
        """Cancels requests whose client has gone. The backend tells only when it is asked."""
        while True:
            await self._news.wait()
            while self._work:
                await asyncio.sleep(CANCELLED_S)
                for task, call in list(self._work.items()):
                    if not call.ended and call.sender.is_cancelled():
                        task.cancel()
            self._news.clear()


def _send(call: _Call, answer: Message) -> None:
    body = np.frombuffer(bytearray(answer.SerializeToString()), np.uint8)[np.newaxis]
    call.sender.send(backend.InferenceResponse([_Lent(body).tensor(ANSWER)]))


def _end(call: _Call, error: str = "") -> None:
    """Ends a request: well, or with an error."""
    call.ended = True
    response = (backend.InferenceResponse([], backend.TritonError(error)),) if error else ()
    try:
        call.sender.send(*response, flags=backend.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    except Exception:  # its client may be gone, and the model serves others too
        log.exception("a request could not be ended")
