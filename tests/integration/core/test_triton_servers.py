"""Several servers, and servers that do odd things: small gRPC servers that speak Triton's protocol."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tritonclient.grpc import service_pb2_grpc
from tritonclient.grpc.service_pb2 import ModelInferResponse, ModelStreamInferResponse

from deploy.local.process import free_port
from services.core.events import TextSegment, VoiceChunk
from services.core.inference import ModelFailed
from services.core.inference.triton import TritonInference
from services.core.inference.triton_wire import CALL, ENDS, NO_CALL
from services.core.settings import Triton as Settings
from tests.contract.listening import until

ROOMS = [f"room{number}" for number in range(60)]


def answer(body: bytes, name: str = "answer") -> ModelStreamInferResponse:
    """One tensor."""
    response = ModelInferResponse(model_name="speech.any", raw_output_contents=[body])
    response.outputs.add(name=name, datatype="UINT8", shape=[1, len(body)])
    return ModelStreamInferResponse(infer_response=response)


def refusal(message: str) -> ModelStreamInferResponse:
    return ModelStreamInferResponse(error_message=message)


Reply = Callable[[Any], Awaitable[list[ModelStreamInferResponse]]]


@dataclass
class Server(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers with its own address until it is told otherwise."""

    address: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    replies: list[ModelStreamInferResponse] | None = None
    ends_with: grpc.StatusCode | None = None
    hangs: bool = False
    ends_what: bool = True
    """Lets a request that hangs go when another one says so."""
    cancelled: int = 0
    _end: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Any] = field(default_factory=list)
    _server: Any = None

    async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for request in requests:
            self.asked.append(request)
            if ENDS in request.parameters:
                if self.ends_what:
                    self._end.set()
                else:
                    yield refusal(NO_CALL)
                continue
            if self.hangs:
                try:
                    await self._end.wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            own = [answer(VoiceChunk(text=self.address).SerializeToString())]
            for reply in own if self.replies is None else self.replies:
                yield reply
            if self.ends_with is not None:
                await context.abort(self.ends_with, "as it was told")

    async def start(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        if credentials is None:
            self._server.add_insecure_port(self.address)
        else:
            self._server.add_secure_port(self.address, credentials)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(grace=None)


@asynccontextmanager
async def serving(*servers: Server, **settings: Any) -> AsyncIterator[TritonInference]:
    async with AsyncExitStack() as stack:
        for server in servers:
            await server.start()
            stack.push_async_callback(server.stop)
        addresses = tuple(server.address for server in servers)
        yield await stack.enter_async_context(TritonInference(Settings(servers=addresses, **settings)))


async def ask(inference: TritonInference, room: str = "room1") -> list[VoiceChunk]:
    segment = TextSegment(room_id=room, turn_id="turn1", text="hello")
    async with asyncio.timeout(20):
        return [chunk async for chunk in inference.stream("speech.any", segment, request_id="event1")]


async def answering(inference: TritonInference) -> dict[str, str]:
    """Which server answers each room."""
    return {room: (await ask(inference, room))[0].text for room in ROOMS}


# several servers


async def test_each_room_stays_with_one_server_and_all_have_some() -> None:
    servers = [Server() for _ in range(3)]
    async with serving(*servers) as inference:
        first = await answering(inference)
        assert await answering(inference) == first
        assert all(count >= 10 for count in Counter(first[room] for room in ROOMS).values())
        assert set(first.values()) == {server.address for server in servers}
        other = TritonInference(Settings(servers=tuple(server.address for server in reversed(servers))))
        async with other:
            assert await answering(other) == first, "another process, which names them in another order, agrees"


async def test_only_the_rooms_of_a_server_that_is_gone_move_and_they_come_back() -> None:
    servers = [Server() for _ in range(3)]
    async with serving(*servers) as inference:
        before = await answering(inference)
        await servers[1].stop()
        during = await answering(inference)
        moved = {room for room in ROOMS if during[room] != before[room]}
        assert moved == {room for room in ROOMS if before[room] == servers[1].address}
        assert len({during[room] for room in moved}) == 2, "the others share them"
        await servers[1].start()

        async def back() -> bool:
            return await answering(inference) == before

        await until(back)


@pytest.mark.parametrize(
    "message",
    [
        "Request for unknown model: 'speech.any' has no available versions",
        "Request for unknown model: 'speech.any' is not found",
        "Server is stopping, scheduler for model has stopped accepting new inference requests",
    ],
)
async def test_a_server_that_is_going_or_has_not_got_the_model_is_passed_by(message: str) -> None:
    going, other = Server(replies=[refusal(message)]), Server()
    async with serving(going, other) as inference:
        assert set((await answering(inference)).values()) == {other.address}
        assert going.asked
        await other.stop()
        with pytest.raises(ModelFailed):
            await ask(inference)


async def test_a_model_that_fails_is_not_asked_elsewhere() -> None:
    servers = [Server(replies=[refusal("no sound")]) for _ in range(2)]
    async with serving(*servers) as inference:
        with pytest.raises(ModelFailed, match="no sound"):
            await ask(inference)
    assert sum(len(server.asked) for server in servers) == 1


async def test_what_was_begun_on_one_server_is_not_begun_again_on_another() -> None:
    servers = [
        Server(replies=[answer(VoiceChunk(text="a").SerializeToString())], ends_with=grpc.StatusCode.UNAVAILABLE)
        for _ in range(2)
    ]
    got = []
    async with serving(*servers) as inference:
        with pytest.raises(ModelFailed, match="UNAVAILABLE"):
            async for chunk in inference.stream("speech.any", TextSegment(text="hello"), request_id="event1"):
                got.append(chunk.text)  # noqa: PERF401
    assert got == ["a"]


# servers that do odd things


@pytest.mark.parametrize("status", [grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE])
async def test_a_stream_that_the_server_ends_badly_has_failed(status: grpc.StatusCode) -> None:
    """GRPC says of a stream that the server cancelled that the caller was cancelled, and a task that believes it ends
    without a word.
    """
    async with serving(Server(replies=[], ends_with=status)) as inference:
        with pytest.raises(ModelFailed):
            await ask(inference)


async def test_who_waits_while_the_connections_are_closed_is_told_and_not_cancelled() -> None:
    """A gRPC stream tells both in the same way, and a task that believes it was cancelled ends without a word."""
    server = Server(hangs=True)
    async with serving(server) as inference:
        asking = asyncio.create_task(ask(inference))

        async def asked() -> bool:
            return bool(server.asked)

        await until(asked)
        await inference.__aexit__(None, None, None)
        with pytest.raises(ModelFailed):
            await asking


@pytest.mark.parametrize("obedient", [True, False], ids=["its model ends it", "no model ends it"])
async def test_a_request_that_nobody_wants_any_more_is_ended_by_its_model_or_else_by_force(
    obedient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.core.inference.triton.ENDS_S", 10 if obedient else 0.2)
    server = Server(hangs=True, ends_what=obedient)
    async with serving(server) as inference:
        asking = asyncio.create_task(ask(inference))

        async def asked() -> bool:
            return bool(server.asked)

        async def over() -> bool:
            return not inference.open_streams

        await until(asked)
        asking.cancel()
        await until(over)
    call, *ends = server.asked
    assert {request.parameters[ENDS].string_param for request in ends} == {call.parameters[CALL].string_param}
    assert server.cancelled == (0 if obedient else 1)


@pytest.mark.parametrize("reply", [answer(b"\xff\xff"), answer(b"", "other")], ids=["no event", "another tensor"])
async def test_an_answer_that_is_none_has_failed(reply: ModelStreamInferResponse) -> None:
    async with serving(Server(replies=[reply])) as inference:
        with pytest.raises(ModelFailed):
            await ask(inference)


async def test_a_request_carries_its_event_its_room_and_its_place_in_the_turn() -> None:
    server = Server(replies=[])
    async with serving(server) as inference:
        for sequence, last in ((0, False), (1, False), (2, True)):
            chunk = VoiceChunk(room_id="room1", sequence=sequence, last=last)
            async for _ in inference.stream("motion.any", chunk, request_id=f"event{sequence}"):
                pass
        await ask(inference, "room1")
    asked = [
        (r.id, r.parameters["sequence_start"].bool_param, r.parameters["sequence_end"].bool_param) for r in server.asked
    ]
    assert asked == [
        ("event0", True, False),
        ("event1", False, False),
        ("event2", False, True),
        ("event1", False, False),
    ]
    ids = [request.parameters["sequence_id"].int64_param for request in server.asked]
    assert ids[0] == ids[1] == ids[2] != 0
    assert ids[3] == 0, "only movement is a sequence"


async def test_a_sequence_that_the_server_does_not_know_begins_anew() -> None:
    server = Server(
        replies=[refusal("inference request for sequence 1 to model 'motion.any' must specify the START flag")]
    )
    async with serving(server) as inference:
        with pytest.raises(ModelFailed, match="START"):
            async for _ in inference.stream("motion.any", VoiceChunk(sequence=5), request_id="event1"):
                pass
    assert flags(server, "sequence_start") == [False, True]


def flags(server: Server, name: str) -> list[bool]:
    return [request.parameters[name].bool_param for request in server.asked]


# encryption


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """own.pem and own.key, which vouch for themselves and for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("own", "other"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"),
                *("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"),
            ],
            check=True,
            capture_output=True,
        )
    return folder


async def test_servers_and_clients_prove_who_they_are(certificates: Path) -> None:
    key, certificate = certificates / "own.key", certificates / "own.pem"
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())], certificate.read_bytes(), require_client_auth=True
    )
    server = Server()
    await server.start(credentials)
    known = {"ca": certificate, "certificate": certificate, "key": key}
    for settings, served in (
        (known, True),
        (known | {"ca": certificates / "other.pem"}, False),
        ({"ca": certificate}, False),
    ):
        async with TritonInference(Settings(servers=(server.address,), tls=True, **settings)) as inference:
            if served:
                assert len(await ask(inference)) == 1
            else:
                with pytest.raises(ModelFailed, match="UNAVAILABLE"):
                    await ask(inference)
    await server.stop()


STARTS_PROCESSES = """
import asyncio
from services.core.inference import triton
import grpc, uvloop

async def main():
    for port in range(1, 4):
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        try:
            await channel.unary_unary("/nobody/answers")(b"", timeout=0.3)
        except grpc.RpcError:
            pass
    for _ in range(5):
        process = await asyncio.create_subprocess_exec("true")
        assert await process.wait() == 0

uvloop.run(main())
"""


def test_who_asks_triton_may_start_processes_without_grpc_taking_part() -> None:
    ran = subprocess.run([sys.executable, "-c", STARTS_PROCESSES], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
