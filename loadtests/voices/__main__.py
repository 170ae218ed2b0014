"""How well her voices are understood: `python -m loadtests.voices [--limit 20] [--only natural espeak]`.

Every sentence of sentences.yaml is spoken by each voice, written down by an independent recogniser, and compared as
what was said: English as words, Mandarin as pinyin without and with tones (homophones are equal), mixed sentences as
both. Prints a table in Markdown, and the misheard sentences with `--errors`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from loadtests.voices.judge import Opinion, Recogniser, errors, syllables
from services.core.inference import Model
from services.speech.espeak.client import espeak_client
from services.speech.evaluate import joined, loudness
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.natural import natural_voice
from services.speech.natural.reading import language
from services.speech.natural.voices import VOICES
from services.speech.sound import SAMPLE_RATE, Samples
from services.speech.speak import speak
from services.speech.text import phrases

SENTENCES = Path(__file__).parent / "sentences.yaml"
MODEL = Path("build/judge")
NAMES = ("espeak", *VOICES, *(f"{name} (teacher)" for name in VOICES))


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one voice in one kind of sentence."""

    units: int
    wrong: int
    """Units misheard, tones not counted."""
    wrong_with_tones: int
    opinion: float
    lufs: float
    real_time_factor: float

    def __str__(self) -> str:
        rates = f"{self.wrong / self.units:.1%} | {self.wrong_with_tones / self.units:.1%}"
        return f"{rates} | {self.opinion:.2f} | {self.lufs:.1f} | {self.real_time_factor:.3f}"


@asynccontextmanager
async def named(name: str) -> AsyncIterator[Model]:
    """One of NAMES. Raises FilesUnavailable."""
    if name == "espeak":
        async with espeak_client() as client:
            yield EspeakSpeech(client)
        return
    voice, _, teacher = name.partition(" ")
    async with natural_voice(voice, teacher=bool(teacher)) as model:
        yield model


async def judged(model: Model, texts: Sequence[str], ears: Recogniser, opinion: Opinion, *, report: bool) -> Row:
    """All texts spoken and heard. `report`: print what was misheard."""
    units = wrong = toned = 0
    scores: list[float] = []
    sounds: list[Samples] = []
    seconds = 0.0
    for text in texts:
        begun = time.perf_counter()
        sound, _ = joined(await speak(text, model=model))
        seconds += time.perf_counter() - begun
        heard = ears.hear(sound, "en" if _english(text) else "zh")
        said = syllables(text, tones=False)
        missed = errors(said, syllables(heard, tones=False))
        units += len(said)
        wrong += missed
        toned += errors(syllables(text, tones=True), syllables(heard, tones=True))
        scores.append(opinion.score(sound))
        sounds.append(sound)
        if missed and report:
            print(f"  {text} → {heard}", flush=True)
    everything = np.concatenate(sounds)
    factor = seconds * SAMPLE_RATE / len(everything)
    return Row(units, wrong, toned, float(np.mean(scores)), loudness(everything), factor)


def _english(text: str) -> bool:
    """Whether most phrases of a sentence are English: told the wrong language, the recogniser translates."""
    languages = [language(phrase) for phrase in phrases(text)]
    return languages.count("en") > len(languages) / 2


async def _table(arguments: argparse.Namespace) -> None:
    sentences: dict[str, list[str]] = yaml.safe_load(SENTENCES.read_text(encoding="utf-8"))
    ears, opinion = Recogniser(MODEL, threads=arguments.threads), Opinion()
    print(
        "| voice | sentences | wrong | with tones | DNSMOS | LUFS | real-time factor |\n|---|---|---|---|---|---|---|"
    )
    for name in arguments.only:
        async with named(name) as model:
            for kind, texts in sentences.items():
                # Evenly over all of them, so that a short run is of the same mixture.
                chosen = texts[:: max(1, len(texts) // arguments.limit)][: arguments.limit]
                row = await judged(model, chosen, ears, opinion, report=arguments.errors)
                print(f"| {name} | {kind} ({len(chosen)}) | {row} |", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.voices", description="How well her voices are understood."
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="which voices (default: all)")
    parser.add_argument("--limit", type=int, default=100, help="sentences of each kind at most")
    parser.add_argument("--threads", type=int, default=1, help="of the recogniser")
    parser.add_argument("--errors", action="store_true", help="print what was misheard")
    asyncio.run(_table(parser.parse_args()))


if __name__ == "__main__":
    main()
