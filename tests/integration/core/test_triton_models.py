"""Lydia's models behind a real Triton do what they do in the own process, to the byte."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from deploy.local.triton import triton
from loadtests.spans import Collector, collecting
from services.chat.meaning import Meaning
from services.chat.model.network_chat import NetworkChat
from services.chat.model.persona import PersonaChat
from services.chat.model.prompt import Facts
from services.chat.model.writer import Writer
from services.chat.persona import load as load_persona
from services.chat.retrieval import Retrieval
from services.core.events import (
    AudienceCause,
    AudienceEvent,
    Chat,
    ChatRequest,
    Gift,
    OperatorCause,
    SilenceCause,
    TextSegment,
    Turn,
    Viewer,
    VoiceChunk,
)
from services.core.inference import Model
from services.core.inference.triton import TritonInference
from services.core.inference.triton_repository import lay_out, models
from services.core.moderation import Moderator
from services.core.settings import Triton as Settings
from services.core.telemetry import Telemetry, otlp
from services.motion.evaluate import TIMEOUT_S, perform
from services.motion.model.network.rung import ByEar, Net
from services.motion.model.rules import Rules
from services.places import FITTED, VOICE
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.natural import NaturalSpeech
from services.speech.natural.loading import load as load_voice
from tests.contract.listening import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDLE_S = 2
"""After so long Triton forgets a sequence, here."""
SAID = ["你好呀，欢迎来到直播间！", "今天想聊点什么？", "I like the night, and the rain."]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def far(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> AsyncIterator[TritonInference]:
    folder = tmp_path_factory.mktemp("triton")
    names = ("chat.persona", "chat.network", "speech.espeak", "speech.natural", "motion.rules", "motion.network")
    lay_out(folder / "repository", configurations=[models()[name] for name in names])
    _forget_soon(folder / "repository/motion.rules/config.pbtxt")
    environment = {"LYDIA_TELEMETRY__OTLP_ENDPOINT": collector.endpoint}
    async with (
        triton(folder, folder / "repository", environment=environment, otlp_endpoint=collector.endpoint) as server,
        TritonInference(Settings(servers=(server.grpc,), answer_s=30)) as inference,
    ):
        yield inference


def _forget_soon(configuration: Path) -> None:
    text = configuration.read_text()
    assert "5000000" in text
    configuration.write_text(text.replace("5000000", f"{IDLE_S}000000"))


@pytest.fixture(scope="module")
def voice() -> list[VoiceChunk]:
    """Of a turn."""

    async def spoken() -> list[VoiceChunk]:
        async with espeak_client(timeout_s=TIMEOUT_S) as client:
            return (await perform(SAID, EspeakSpeech(client), Rules()))[0]

    return asyncio.run(spoken())


async def ask(far: TritonInference, model: str, request: Message) -> list[Message]:
    return [answer async for answer in far.stream(model, request, request_id="event1")]


async def same(far: TritonInference, name: str, own: Model, requests: Sequence[Message]) -> None:
    """Each request gets the same answers here and there."""
    for request in requests:
        expected = [answer async for answer in own.stream(request)]
        assert expected
        assert await ask(far, name, request) == expected


def chat_requests() -> list[Message]:
    viewer = Viewer(id="v1", name="小明")
    gift = Gift(name="星舰", count=2, value_fen=17_600)
    causes: list[dict[str, object]] = [
        {"audience": AudienceCause(events=[AudienceEvent(viewer=viewer, chat=Chat(text="你叫什么名字？"))])},
        {"audience": AudienceCause(events=[AudienceEvent(viewer=viewer, chat=Chat(text="Do you like the rain?"))])},
        {"audience": AudienceCause(events=[AudienceEvent(viewer=viewer, gift=gift)])},
        {"silence": SilenceCause(rundown_index=3)},
        {"operator": OperatorCause(text="我们马上回来，别走开。")},
    ]
    return [
        ChatRequest(turn=Turn(room_id="room1", turn_id=f"turn{number}", epoch=number, **cause))  # type: ignore[arg-type]
        for number, cause in enumerate(causes)
    ]


@pytest.fixture(scope="module")
def retrieval() -> Retrieval:
    return Retrieval(load_persona(), Meaning(), FITTED)


@pytest.fixture(scope="module")
def persona(retrieval: Retrieval) -> PersonaChat:
    return PersonaChat(load_persona(), retrieval, Moderator.built_in())


async def test_the_persona_says_the_same(far: TritonInference, persona: PersonaChat) -> None:
    await same(far, "chat.persona", persona, chat_requests())


async def test_her_own_network_says_the_same(far: TritonInference, retrieval: Retrieval, persona: PersonaChat) -> None:
    """Also where it leaves the answer to the persona."""
    own = NetworkChat(Writer(), Facts.read(), load_persona(), retrieval, Moderator.built_in(), persona)
    await same(far, "chat.network", own, chat_requests())
    answers = [await ask(far, "chat.network", request) for request in chat_requests()]
    rungs = [{segment.rung for segment in answer if isinstance(segment, TextSegment)} for answer in answers]
    assert rungs == [{"network"}, {"network"}, {"persona"}, {"persona"}, {"persona"}]


def segments() -> list[Message]:
    return [
        TextSegment(room_id="room1", turn_id="turn1", sequence=number, text=text, last=number == len(SAID) - 1)
        for number, text in enumerate(SAID)
    ]


async def test_the_fast_voice_sounds_the_same(far: TritonInference) -> None:
    async with espeak_client(timeout_s=TIMEOUT_S) as client:
        await same(far, "speech.espeak", EspeakSpeech(client), segments())


async def test_the_natural_voice_sounds_the_same(far: TritonInference) -> None:
    own = NaturalSpeech(lambda: load_voice(VOICE, "lydia"))
    own.start()
    await own.loaded()
    await same(far, "speech.natural", own, segments())
    await own.close()


async def test_she_moves_the_same_in_rooms_side_by_side(far: TritonInference, voice: list[VoiceChunk]) -> None:
    """What the model remembers of a turn goes on from chunk to chunk, and no room takes it from another."""
    assert len(voice) > 8
    turns = [in_room(voice, room) for room in "abc"]

    async def moved(turn: list[VoiceChunk]) -> list[Message]:
        return [frames for chunk in turn for frames in await ask(far, "motion.rules", chunk)]

    for turn, frames in zip(turns, await asyncio.gather(*map(moved, turns)), strict=True):
        own = Rules()
        assert frames == [own.answer(chunk) for chunk in turn]


async def test_she_moves_by_ear_the_same(far: TritonInference, voice: list[VoiceChunk]) -> None:
    """In rooms side by side, and the network's state goes on from chunk to chunk."""
    turns = [in_room(voice, room) for room in ("ear", "other ear")]

    async def moved(turn: list[VoiceChunk]) -> list[Message]:
        return [frames for chunk in turn for frames in await ask(far, "motion.network", chunk)]

    for turn, frames in zip(turns, await asyncio.gather(*map(moved, turns)), strict=True):
        own = ByEar(Net())
        assert frames == [own.answer(chunk) for chunk in turn]


async def test_a_turn_that_has_ended_is_forgotten(far: TritonInference, voice: list[VoiceChunk]) -> None:
    turn = in_room(voice, "ends")
    moved = [await ask(far, "motion.rules", chunk) for chunk in turn]
    afterwards = await ask(far, "motion.rules", turn[3])
    assert afterwards == [Rules().answer(turn[3])]
    assert afterwards != moved[3]


async def test_a_room_that_falls_silent_is_forgotten(far: TritonInference, voice: list[VoiceChunk]) -> None:
    turn, own = in_room(voice, "silent"), Rules()
    for chunk in turn[:3]:
        assert await ask(far, "motion.rules", chunk) == [own.answer(chunk)]
    await asyncio.sleep(2 * IDLE_S)
    afterwards = await ask(far, "motion.rules", turn[3])
    assert afterwards == [Rules().answer(turn[3])], "as if the turn began here"
    assert afterwards != [own.answer(turn[3])]


async def test_a_turn_that_was_cut_off_does_not_hold_up_the_next(far: TritonInference, voice: list[VoiceChunk]) -> None:
    for turn_id in ("cut off", "next"):
        turn, own = in_room(voice, "interrupted", turn_id), Rules()
        for chunk in turn[:3]:
            assert await ask(far, "motion.rules", chunk) == [own.answer(chunk)]


async def test_the_server_outlives_a_thousand_requests_that_are_cut_at_any_moment(
    far: TritonInference, voice: list[VoiceChunk], caplog: pytest.LogCaptureFixture
) -> None:
    """It did not, as long as their streams were cancelled. Now the model ends them, also those it has not begun."""
    moments = random.Random(5)

    async def cut(room: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(moments.uniform(0, 0.03)):
                await ask(far, "motion.rules", in_room(voice[:1], room)[0])

    for number in range(64):
        await asyncio.gather(*(cut(f"cut {room}") for room in range(16)))
        assert await ask(far, "motion.rules", in_room(voice[:1], "whole", f"turn{number}")[0])

    async def all_over() -> bool:
        return not far.open_streams

    await until(all_over)
    assert "broken off" not in caplog.text


async def test_a_chunk_that_comes_again_is_answered_the_same(far: TritonInference, voice: list[VoiceChunk]) -> None:
    for chunk in in_room(voice, "again"):
        assert await ask(far, "motion.rules", chunk) == await ask(far, "motion.rules", chunk)


def in_room(voice: Sequence[VoiceChunk], room: str, turn_id: str = "") -> list[VoiceChunk]:
    """The same voice as another turn."""
    changed = VoiceChunk(room_id=room, turn_id=turn_id or f"turn of {room}")
    chunks = [VoiceChunk.FromString(chunk.SerializeToString()) for chunk in voice]
    for chunk in chunks:
        chunk.MergeFrom(changed)
    return chunks


async def test_a_trace_goes_on_in_the_server_and_in_the_model(far: TritonInference, collector: Collector) -> None:
    telemetry = Telemetry("test", processors=(otlp(collector.endpoint),))
    with telemetry.span("infer chat.persona") as span:
        await ask(far, "chat.persona", chat_requests()[0])
    await asyncio.to_thread(telemetry.close)  # it waits for the collector, which lives in this loop
    trace_id = span.get_span_context().trace_id.to_bytes(16)

    async def there() -> bool:
        names = {each.name for each in collector.traces.get(trace_id, ())}
        return {"infer chat.persona", "InferRequest", "serve chat.persona"} <= names

    await until(there)  # spans are sent in batches
    spans = {each.name: each for each in collector.traces[trace_id]}
    for below in ("InferRequest", "serve chat.persona"):
        assert spans[below].parent_span_id == spans["infer chat.persona"].span_id
    attributes = {each.key: each.value.string_value for each in spans["serve chat.persona"].attributes}
    assert attributes == {
        "lydia.model": "chat.persona",
        "lydia.room_id": "room1",
        "messaging.message.id": "event1",
    }
