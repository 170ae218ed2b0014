"""Any OpenAI-compatible speech server can be her voice, and a bad one makes the ladder step down."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from services.core.events import TextSegment, VoiceChunk
from services.core.inference import ModelFailed
from services.core.settings import Speech as Settings
from services.core.virtual_time import virtual_time
from services.speech.model.openai import OpenAISpeech
from services.speech.sound import Samples, from_s16le, to_s16le

Answer = Callable[[httpx.Request], Any]


def tone(rate: int = 24_000, seconds: float = 1.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * 300 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def model(answer: Answer, **settings: Any) -> OpenAISpeech:
    known = Settings(base_url="http://voice.test/v1", model="tts", voice="lydia", **settings)
    return OpenAISpeech(known, lambda: httpx.AsyncClient(transport=httpx.MockTransport(answer)))


async def speak(speech: OpenAISpeech, text: str = "你好") -> list[VoiceChunk]:
    return [piece async for piece in speech.stream(TextSegment(text=text))]


def sound(pieces: list[VoiceChunk]) -> Samples:
    return from_s16le(b"".join(piece.pcm_s16le for piece in pieces))


class Slowly(httpx.AsyncByteStream):
    """Bytes with pauses between them, in seconds."""

    def __init__(self, *steps: bytes | float) -> None:
        self._steps = steps

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            else:
                await asyncio.sleep(step)


async def test_figures_alone_are_written_out_in_the_language_that_she_speaks() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content)["input"])
        return httpx.Response(200, content=to_s16le(tone()), headers={"content-type": "audio/pcm"})

    for language in ("zh", "en"):
        async for _ in model(answer).stream(TextSegment(text="42!", language=language)):
            pass
    assert asked == ["四十二！", "forty two!"]


async def test_raw_sound_comes_through_as_it_is() -> None:
    pcm = to_s16le(tone())
    pieces = await speak(model(lambda _: httpx.Response(200, content=pcm, headers={"content-type": "audio/pcm"})))
    assert len(sound(pieces)) == pytest.approx(24_000, abs=80)
    assert {piece.sample_rate for piece in pieces} == {24_000}
    assert {piece.rung for piece in pieces} == {"openai"}
    assert not any(piece.phonemes for piece in pieces)


async def test_the_server_is_asked_with_what_can_be_said_and_with_the_key() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=to_s16le(tone()))

    await speak(model(answer, api_key=SecretStr("k")), "有2只猫😂")
    assert asked[0].url == "http://voice.test/v1/audio/speech"
    assert asked[0].headers["authorization"] == "Bearer k"
    assert json.loads(asked[0].content) == {
        "input": "有两只猫，",
        "model": "tts",
        "voice": "lydia",
        "response_format": "pcm",
    }


@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (44_100, 2), (24_000, 1), (16_000, 2)])
async def test_a_wav_file_of_any_rate_is_understood(rate: int, channels: int) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(to_s16le(np.repeat(tone(rate), channels)))
    data = file.getvalue()
    parts = [data[at : at + 777] for at in range(0, len(data), 777)]
    heard = sound(await speak(model(lambda _: httpx.Response(200, stream=Slowly(*parts)))))
    assert len(heard) == pytest.approx(24_000, abs=80)
    np.testing.assert_allclose(heard[2_000:20_000].std(), 0.5 / np.sqrt(2), rtol=0.01)


async def test_silence_around_the_words_is_taken_away() -> None:
    quiet = np.zeros(12_000, np.float32)
    pcm = to_s16le(np.concatenate((quiet, tone(), quiet, quiet)))
    heard = sound(await speak(model(lambda _: httpx.Response(200, content=pcm)), "你好，"))
    assert len(heard) == pytest.approx(24_000 + 480 + 0.16 * 24_000, abs=80)


@virtual_time
async def test_the_first_sound_is_passed_on_before_the_last_has_come() -> None:
    pcm = to_s16le(tone())
    pieces = aiter(model(lambda _: httpx.Response(200, stream=Slowly(pcm, 2.0, pcm))).stream(TextSegment(text="好")))
    await anext(pieces)
    assert asyncio.get_running_loop().time() == 0
    await anext(pieces)
    assert asyncio.get_running_loop().time() == 2


@virtual_time
@pytest.mark.parametrize(
    "steps",
    [
        (5.0, b"\1\1" * 9_000),
        (b"\0\0" * 9_000, *([b"\1\1" * 9_000, 2.0] * 20)),
        (b"\1\1" * 9_000, 5.0, b"\1\1" * 9_000),
    ],
    ids=["begins too late", "takes too long in all", "falls silent in between"],
)
async def test_a_slow_server_is_given_up(steps: tuple[bytes | float, ...]) -> None:
    speech = model(lambda _: httpx.Response(200, stream=Slowly(*steps)), first_s=3, total_s=10)
    with pytest.raises(ModelFailed):
        await speak(speech)
    assert asyncio.get_running_loop().time() <= 10


def refuses(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "answer",
    [
        refuses,
        lambda _: httpx.Response(500),
        lambda _: httpx.Response(401),
        lambda _: httpx.Response(200, content=b""),
        lambda _: httpx.Response(200, content=b"\0" * 48_000),
        lambda _: httpx.Response(200, content=b"ID3", headers={"content-type": "audio/mpeg"}),
        lambda _: httpx.Response(200, content=b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + b"\xff" * 64),
        lambda _: httpx.Response(200, content=b"RIFF\0\0\0\0WAVEdata\0\0\0\0"),
        lambda _: httpx.Response(200, content=b"RIFF\0\0\0\0WAVE" + b"junk\x04\0\0\0abcd" * 9_000),
        lambda _: httpx.Response(200, content=to_s16le(tone(seconds=130))),
    ],
    ids=["refused", "500", "401", "empty", "silence", "mp3", "bad wav", "no format", "endless header", "endless"],
)
async def test_a_server_that_fails_makes_the_ladder_step_down(answer: Answer) -> None:
    with pytest.raises(ModelFailed):
        await speak(model(answer))


async def test_nothing_is_asked_for_what_cannot_be_said() -> None:
    assert await speak(model(refuses), "🤪") == []


async def test_it_is_ready_when_a_server_is_configured() -> None:
    assert await model(refuses).ready()
    assert not await OpenAISpeech(Settings()).ready()
