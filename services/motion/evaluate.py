"""How well the rules move the fast voice's lips: `python -m services.motion.evaluate FILE`, one sentence a line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from services.core.events import Phoneme, VoiceChunk
from services.motion.frames import of_chunk
from services.motion.metrics import Fit, fit, total
from services.motion.model.rules import Rules
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech
from services.speech.speak import speak


async def evaluate(sentences: Iterable[str]) -> list[Fit]:
    """Speaks and performs each sentence as a turn of its own, and measures it. Raises ModelFailed without espeak-ng."""
    rules = Rules()
    fits = []
    async with espeak_client(timeout_s=10.0) as client:
        for sentence in sentences:
            voice = await speak(sentence, model=EspeakSpeech(client))
            for chunk in voice:
                chunk.turn_id = sentence
            faces = np.concatenate([of_chunk(rules.answer(chunk)).face for chunk in voice])
            fits.append(fit(faces, _phonemes(voice)))
    return fits


def _phonemes(voice: Sequence[VoiceChunk]) -> list[Phoneme]:
    """Each phoneme once; chunks repeat those of their segment."""
    found = {(phoneme.start_sample, phoneme.end_sample): phoneme for chunk in voice for phoneme in chunk.phonemes}
    return [found[place] for place in sorted(found)]


def main() -> None:
    """Prints the table."""
    sentences = Path(sys.argv[1]).read_text(encoding="utf-8").split("\n")
    fits = asyncio.run(evaluate(line for line in sentences if line))
    sys.stdout.write(f"{len(fits)} sentences\n{total(fits).table()}\n")


if __name__ == "__main__":
    main()
