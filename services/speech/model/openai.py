"""The rung `openai`: any server with an OpenAI-compatible `/audio/speech`, streamed.

https://platform.openai.com/docs/api-reference/audio/createSpeech: `pcm` is mono, signed 16 bit, 24,000 Hz. Servers that
answer with a WAV file instead (at any rate, mono or stereo) are understood too.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import httpx
import numpy as np

from services.core.events import TextSegment, VoiceChunk
from services.core.inference import ModelFailed
from services.core.settings import Speech as Settings
from services.speech.sound import SAMPLE_RATE, Resampler, Samples, Trimmer, from_s16le, limited, to_s16le
from services.speech.text import PAUSE_S, phrases, written

RUNG = "openai"
MAX_SOUND_S = 120
"""A server that goes on for longer has lost its way."""
MAX_HEADER_BYTES = 65_536
FORMAT_PCM = 1
MIN_PIECE_BYTES = 2 * 480


class OpenAISpeech:
    """TextSegment → VoiceChunks as the server sends them. It does not tell phonemes."""

    def __init__(self, settings: Settings, client: Callable[[], httpx.AsyncClient] | None = None) -> None:
        key = settings.api_key
        self._settings = settings
        self._client = (client or httpx.AsyncClient)()
        self._client.headers.update({"authorization": f"Bearer {key.get_secret_value()}"} if key else {})

    async def ready(self) -> bool:
        return bool(self._settings.base_url)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        found = phrases(request.text, language=request.language)
        if not found:
            return
        trimmer = Trimmer(keep_s=PAUSE_S[found[-1].mark])
        at = 0
        try:
            async with aclosing(self._sound(written(found))) as sounds:
                async for sound in sounds:
                    at += len(piece := trimmer.push(sound))
                    if at > MAX_SOUND_S * SAMPLE_RATE:
                        raise ValueError(f"more than {MAX_SOUND_S} s for one segment")
                    if len(piece):
                        yield _chunk(piece, at - len(piece))
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            raise ModelFailed(f"the server for speech failed: {type(error).__name__}: {error}") from None
        if not at:
            raise ModelFailed("the server for speech sent no sound")
        if len(rest := trimmer.finish()):
            yield _chunk(rest, at)

    async def _sound(self, text: str) -> AsyncGenerator[Samples, None]:
        """Sound at SAMPLE_RATE. The first must come within `first_s`, no pause may be longer, all within `total_s`."""
        now = asyncio.get_running_loop().time
        patience, end = now() + self._settings.first_s, now() + self._settings.total_s
        request = self._client.build_request(
            "POST",
            f"{self._settings.base_url.rstrip('/')}/audio/speech",
            json={
                "input": text,
                "model": self._settings.model,
                "voice": self._settings.voice,
                "response_format": "pcm",
            },
            timeout=self._settings.first_s,
        )
        async with asyncio.timeout_at(patience):
            answer = await self._client.send(request, stream=True)
        async with aclosing(answer):
            answer.raise_for_status()
            decoder = _Decoder(answer.headers.get("content-type", ""))
            pieces = answer.aiter_bytes()
            while True:
                async with asyncio.timeout_at(min(patience, end)):
                    data = await anext(pieces, None)
                if data is None:
                    break
                if len(sound := decoder.push(data)):
                    yield sound
                    patience = now() + self._settings.first_s
            yield decoder.finish()


class _Decoder:
    """The server's bytes as sound at SAMPLE_RATE."""

    def __init__(self, content_type: str) -> None:
        """Raises ValueError for a compressed format."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind in ("audio/mpeg", "audio/mp3", "audio/opus", "audio/ogg", "audio/aac", "audio/flac"):
            raise ValueError(f"it answers with {kind} and should with pcm or wav")
        self._bytes = b""
        self._channels = 0
        self._resampler = Resampler(SAMPLE_RATE)

    def push(self, data: bytes) -> Samples:
        """Raises ValueError for a WAV file that is not 16-bit PCM."""
        self._bytes += data
        if not self._channels and not self._header():
            return np.zeros(0, dtype=np.float32)
        whole = len(self._bytes) // (2 * self._channels) * 2 * self._channels
        if whole < MIN_PIECE_BYTES:
            return np.zeros(0, dtype=np.float32)
        data, self._bytes = self._bytes[:whole], self._bytes[whole:]
        return self._resampler.push(from_s16le(data).reshape(-1, self._channels).mean(axis=1, dtype=np.float32))

    def finish(self) -> Samples:
        """What is left."""
        if not self._channels:
            return np.zeros(0, dtype=np.float32)
        rest = from_s16le(self._bytes[: len(self._bytes) // (2 * self._channels) * 2 * self._channels])
        last = self._resampler.push(rest.reshape(-1, self._channels).mean(axis=1, dtype=np.float32))
        return np.concatenate((last, self._resampler.finish()))

    def _header(self) -> bool:
        """Reads a WAV file's header, if it is one; False while it is not complete."""
        if len(self._bytes) < 12:
            return False
        if self._bytes[:4] != b"RIFF" or self._bytes[8:12] != b"WAVE":
            self._channels = 1
            return True
        at = 12
        while at + 8 <= len(self._bytes):
            name, size = struct.unpack_from("<4sI", self._bytes, at)
            at += 8
            if name == b"data":
                if not self._channels:
                    raise ValueError("a WAV file without a format")
                self._bytes = self._bytes[at:]
                return True
            if name == b"fmt " and at + 16 <= len(self._bytes):
                code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", self._bytes, at)
                if (
                    (code not in (FORMAT_PCM, 0xFFFE))
                    or bits != 16
                    or channels not in (1, 2)
                    or not 8_000 <= rate <= 96_000
                ):
                    raise ValueError("a WAV file that is not 16-bit PCM")
                self._channels, self._resampler = channels, Resampler(rate)
            at += size + size % 2
        self._channels = 0
        if len(self._bytes) > MAX_HEADER_BYTES:
            raise ValueError("a WAV file without sound")
        return False


def _chunk(sound: Samples, at: int) -> VoiceChunk:
    return VoiceChunk(sample_rate=SAMPLE_RATE, start_sample=at, pcm_s16le=to_s16le(limited(sound)), rung=RUNG)
