"""How well the rules move her lips to a voice: `python -m services.motion.evaluate FILE --voice lydia`."""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from services.core.events import MotionChunk, Phoneme, TextSegment, VoiceChunk
from services.core.inference import Model
from services.motion import face
from services.motion.frames import FRAME_SAMPLES, of_chunk
from services.motion.metrics import CLOSED, Fit, Share, fit, total
from services.motion.model.rules import Rules
from services.speech.chunks import Position, SegmentCutter
from services.speech.espeak.client import espeak_client
from services.speech.evaluate import dips
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.natural import natural_voice
from services.speech.sound import from_s16le

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
    return fit(np.concatenate([of_chunk(chunk).face for chunk in motion]), _phonemes(voice))


@dataclass(frozen=True, slots=True)
class Closure:
    """A bilabial between two vowels, as one hears and as one sees it."""

    ipa: str
    met: bool
    """Whether the lips are shut within a frame of the moment at which the sound is softest."""
    late_frames: float
    """By how much the middle of the closure comes after (+) or before (-) that moment; NaN when the lips never shut."""


def against_the_sound(voice: Sequence[VoiceChunk], motion: Sequence[MotionChunk]) -> list[Closure]:
    """The closures of a turn, asked of its sound instead of its phonemes' times, which only say where to listen."""
    sound = from_s16le(b"".join(chunk.pcm_s16le for chunk in voice))
    shut = face.aperture(np.concatenate([of_chunk(chunk).face for chunk in motion])) < CLOSED
    edges = np.flatnonzero(np.diff(np.pad(shut.astype(int), 1)))
    middles = (edges[::2] + edges[1::2] - 1) / 2
    found = []
    for dip in dips(sound, _phonemes(voice)):
        at = dip.softest / FRAME_SAMPLES
        met = bool(shut[max(math.floor(at) - 1, 0) : math.ceil(at) + 2].any())
        late = float(middles[np.abs(middles - at).argmin()] - at) if len(middles) else math.nan
        found.append(Closure(dip.ipa, met, late))
    return found


def _phonemes(voice: Sequence[VoiceChunk]) -> list[Phoneme]:
    """Of all chunks, each once."""
    known = {(phoneme.start_sample, phoneme.end_sample): phoneme for chunk in voice for phoneme in chunk.phonemes}
    return [known[place] for place in sorted(known)]


@asynccontextmanager
async def _voice(name: str) -> AsyncIterator[Model]:
    if name == "fast":
        async with espeak_client(timeout_s=TIMEOUT_S) as client:
            yield EspeakSpeech(client)
    else:
        async with natural_voice(name) as model:
            yield model


async def _evaluate(sentences: Sequence[str], name: str) -> str:
    async with _voice(name) as speech:
        motion = Rules()
        turns = [await perform([sentence], speech, motion) for sentence in track(sentences, "Sentences")]
    closures = [closure for turn in turns for closure in against_the_sound(*turn)]
    heard = Share(sum(closure.met for closure in closures), len(closures))
    late = statistics.median(closure.late_frames for closure in closures)
    return (
        f"{len(sentences)} sentences, voice {name}\n{total([fit_of(*turn) for turn in turns]).table()}\n"
        f"against the sound    {heard.rate:8.4f}  ({heard.met} of {heard.all}), {late:+.1f} frames late"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="one sentence a line")
    parser.add_argument("--voice", default="fast", help="which of her own voices: lydia, lydia-soft or fast")
    given = parser.parse_args()
    sentences = [line for line in given.file.read_text(encoding="utf-8").split("\n") if line]
    sys.stdout.write(f"{asyncio.run(_evaluate(sentences, given.voice))}\n")


if __name__ == "__main__":
    main()
