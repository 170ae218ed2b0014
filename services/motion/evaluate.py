"""How well the rules move the fast voice's lips: `python -m services.motion.evaluate FILE`, one sentence a line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from services.core.events import MotionChunk, Phoneme, TextSegment, VoiceChunk
from services.core.inference import Model
from services.motion.frames import of_chunk
from services.motion.metrics import Fit, fit, total
from services.motion.model.rules import Rules
from services.speech.chunks import Position, SegmentCutter
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech

TIMEOUT_S = 10.0


async def perform(sentences: Sequence[str], speech: Model, motion: Rules) -> tuple[list[VoiceChunk], list[MotionChunk]]:
    """A turn that says these sentences, one a segment: its voice and its frames, by chunks. Raises ModelFailed."""
    voice: list[VoiceChunk] = []
    position = Position()
    for number, text in enumerate(sentences):
        segment = TextSegment(
            turn_id=sentences[0], epoch=1, sequence=number, text=text, last=number == len(sentences) - 1
        )
        cutter = SegmentCutter(segment, position)
        async for piece in speech.stream(segment):
            assert isinstance(piece, VoiceChunk)
            voice += cutter.push(piece)
        voice += cutter.finish()
        position = cutter.position
    return voice, [motion.answer(chunk) for chunk in voice]


def fit_of(voice: Sequence[VoiceChunk], motion: Sequence[MotionChunk]) -> Fit:
    """Measures a turn."""
    known = {(phoneme.start_sample, phoneme.end_sample): phoneme for chunk in voice for phoneme in chunk.phonemes}
    phonemes: list[Phoneme] = [known[place] for place in sorted(known)]
    return fit(np.concatenate([of_chunk(chunk).face for chunk in motion]), phonemes)


async def _evaluate(sentences: Sequence[str]) -> Fit:
    async with espeak_client(timeout_s=TIMEOUT_S) as client:
        speech, motion = EspeakSpeech(client), Rules()
        return total([fit_of(*await perform([sentence], speech, motion)) for sentence in sentences])


def main() -> None:
    """Prints the table."""
    sentences = [line for line in Path(sys.argv[1]).read_text(encoding="utf-8").split("\n") if line]
    sys.stdout.write(f"{len(sentences)} sentences\n{asyncio.run(_evaluate(sentences)).table()}\n")


if __name__ == "__main__":
    main()
