"""One text as she would say it, outside of any room: for tools and tests.

`python -m services.speech.speak "你好, I am Lydia." hello.wav` writes it to a file.
"""

from __future__ import annotations

import asyncio
import sys
import wave

import numpy as np

from services.core.events import Phoneme, TextSegment, VoiceChunk
from services.core.inference import Model
from services.speech.chunks import Cutter
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech
from services.speech.sound import SAMPLE_RATE, from_s16le, to_s16le


async def speak(text: str, *, model: Model | None = None) -> list[VoiceChunk]:
    """The voice chunks of a turn that says this text in one segment, by the fast voice unless a model is given.

    Raises ModelFailed.
    """
    if model is None:
        async with espeak_client() as client:
            return await speak(text, model=EspeakSpeech(client))
    cutter = Cutter()
    pieces = []
    phonemes: list[Phoneme] = []
    async for spoken in model.stream(TextSegment(text=text, last=True)):
        assert isinstance(spoken, VoiceChunk)
        phonemes = list(spoken.phonemes)
        pieces += cutter.push(from_s16le(spoken.pcm_s16le))
    pieces.append(cutter.finish())
    starts = np.cumsum([0, *map(len, pieces)])
    return [
        VoiceChunk(
            sequence=index,
            sample_rate=SAMPLE_RATE,
            start_sample=int(starts[index]),
            pcm_s16le=to_s16le(piece),
            phonemes=phonemes,
            text=text,
            last_of_segment=index == len(pieces) - 1,
            last=index == len(pieces) - 1,
            rung="espeak",
        )
        for index, piece in enumerate(pieces)
    ]


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
