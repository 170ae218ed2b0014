"""One text as she would say it, outside of any room: for tools and tests.

`python -m services.speech.speak "你好, I am Lydia." hello.wav` writes it to a file.
"""

from __future__ import annotations

import asyncio
import sys
import wave

from services.core.events import TextSegment, VoiceChunk
from services.core.inference import Model
from services.speech.chunks import BEGINNING, SegmentCutter
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech
from services.speech.sound import SAMPLE_RATE


async def speak(text: str, *, model: Model | None = None) -> list[VoiceChunk]:
    """The voice chunks of a turn that says this text in one segment, by the fast voice unless a model is given.

    Raises ModelFailed.
    """
    if model is None:
        async with espeak_client() as client:
            return await speak(text, model=EspeakSpeech(client))
    segment = TextSegment(text=text, last=True)
    cutter = SegmentCutter(segment, BEGINNING)
    chunks: list[VoiceChunk] = []
    async for piece in model.stream(segment):
        assert isinstance(piece, VoiceChunk)
        chunks += cutter.push(piece)
    return chunks + cutter.finish()


def main() -> None:
    """Writes a text as a WAV file."""
    text, path = sys.argv[1:]
    chunks = asyncio.run(speak(text))
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(b"".join(chunk.pcm_s16le for chunk in chunks))


if __name__ == "__main__":
    main()
