"""Her own text2speech network beside the open one's encoder and the fast voice: `python -m loadtests.text2speech`.

On sentences that training never saw, by the same vocoder. Writes the model card,
`services/speech/model/text2speech/README.md`. Needs the extras `judge` and `train`, and the run's folder for its facts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.progress import track

from loadtests.voices.judge import Opinion, Recogniser, errors, syllables
from loadtests.voices.listening import ListeningPage
from services.core.events import TextSegment
from services.places import VOICE
from services.speech.espeak.client import espeak_client
from services.speech.evaluate import joined
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.text2speech.encoder import FRAME_WEIGHTS, SYMBOL_WEIGHTS
from services.speech.model.vocoder import evaluate
from services.speech.model.vocoder.texts import LANGUAGES, unseen_sentences
from services.speech.natural.loading import load
from services.speech.natural.speaker import Speaker
from services.speech.sound import SAMPLE_RATE, Samples
from services.speech.speak import speak
from services.training.making import add_card, amount, check_card

CARD = SYMBOL_WEIGHTS.with_name("README.md")
OPEN, OWN, FAST = "open encoder", "own network", "espeak-ng"
HEARD = 12
"""Sentences of each language on the page for listening."""


@dataclass(slots=True)
class Tally:
    """What was found of one system in one language."""

    units: int = 0
    wrong: int = 0
    tones_wrong: int = 0
    opinions: list[float] = field(default_factory=list)
    seconds: float = 0.0
    clicks: int = 0
    border: float = 0.0
    first: list[float] = field(default_factory=list)
    """CPU seconds until the first piece of sound."""
    spent: float = 0.0
    """CPU seconds of all."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a system said, and what it cost."""

    samples: Samples
    borders: list[int]
    first: float | None = None
    spent: float = 0.0


def natural(speaker: Speaker, text: str) -> Sound:
    """Said by a natural voice."""
    segment = TextSegment(turn_id="turn", room_id="room", epoch=1, text=text, last=True)
    pieces: list[Samples] = []
    first = None
    begun = time.process_time()
    for piece in speaker.speak(segment):
        pieces.append(piece.sound)
        if first is None and piece.sound.size:
            first = time.process_time() - begun
    spent = time.process_time() - begun
    return Sound(np.concatenate(pieces), np.cumsum([len(piece) for piece in pieces])[:-1].tolist(), first, spent)


class Measuring:
    """Judges what is said."""

    def __init__(self, folder: Path) -> None:
        self.tallies: dict[tuple[str, str], Tally] = {}
        self._recogniser, self._opinion = Recogniser(folder / "recogniser"), Opinion()
        self.page = ListeningPage(folder / "listen")

    def take(self, language: str, system: str, text: str, sound: Sound) -> None:
        """One sentence."""
        tally = self.tallies.setdefault((language, system), Tally())
        heard = self._recogniser.hear(sound.samples, language)
        said = syllables(text, tones=False)
        tally.units += len(said)
        tally.wrong += errors(said, syllables(heard, tones=False))
        tally.tones_wrong += errors(syllables(text, tones=True), syllables(heard, tones=True))
        tally.opinions.append(self._opinion.score(sound.samples))
        tally.seconds += len(sound.samples) / SAMPLE_RATE
        tally.clicks += evaluate.clicks(sound.samples)
        tally.border = max(tally.border, evaluate.roughest_border(sound.samples, sound.borders))
        if sound.first is not None:
            tally.first.append(sound.first)
            tally.spent += sound.spent


async def measure(folder: Path, count: int, voice: str) -> Measuring:
    """Measures `count` sentences of each language."""
    measuring = Measuring(folder)
    speakers = {OPEN: load(VOICE, voice), OWN: load(VOICE, voice, own=True)}
    async with espeak_client() as espeak:
        fast = EspeakSpeech(espeak)
        todo = [(language, text) for language in LANGUAGES for text in unseen_sentences(language, count)]
        for number, (language, text) in enumerate(track(todo, description="listening")):
            sounds = {system: natural(speaker, text) for system, speaker in speakers.items()}
            sounds[FAST] = Sound(joined(await speak(text, model=fast))[0], [])
            for system, sound in sounds.items():
                measuring.take(language, system, text, sound)
            if number % count < HEARD:
                measuring.page.add(text, voice, {system: sound.samples for system, sound in sounds.items()})
    return measuring


def table(tallies: Mapping[tuple[str, str], Tally]) -> str:
    """In Markdown."""
    lines = [
        "| language | who says it | words or syllables wrong | with tones | opinion (DNSMOS) "
        "| first sound, CPU ms (p50) | (p95) | × real time | clicks a minute | roughest border |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (language, system), tally in tallies.items():
        wrong = f"{100 * tally.wrong / tally.units:.1f} %"
        tones = f"{100 * tally.tones_wrong / tally.units:.1f} %" if language == "zh" else "–"
        cost = ["–"] * 3
        if tally.first:
            first = np.quantile(tally.first, (0.5, 0.95)) * 1000
            cost = [f"{first[0]:.0f}", f"{first[1]:.0f}", f"{tally.seconds / tally.spent:.0f}"]
        clicks = f"{60 * tally.clicks / tally.seconds:.1f}"
        lines.append(
            f"| {language} | {system} | {wrong} | {tones} | {np.mean(tally.opinions):.2f} | {' | '.join(cost)} "
            f"| {clicks} | {tally.border:.1f} |"
        )
    return "\n".join(lines) + "\n"


ABOUT = """
A network in place of the open network's encoder: it says of every symbol of a text what it sounds like, how long it
lasts, and the melody and loudness of the whole, for the [vocoder](../vocoder/README.md) to make sound of. Two parts:
one goes over symbols, with attention, told the voice by 256 numbers; the other over half frames of 12.5 ms.
{size:.1f} MB, weights in half precision. Its symbols and styles are the open network's, which alone taught it; the
repository keeps those of her voices (`services/speech/natural/styles.npz`), and English words are read by
[letters](../letters/README.md), so that no file of others is needed when she speaks.

For Lydia's own voices. Nobody's voice is imitated; she says that she is an AI.
"""
LESSON = """
{count} utterances, {minutes:.0f} minutes: what the open encoder says of sentences of the persona and of random words in
Mandarin and English, one in seven with words of both, half of them single phrases; 60 % in Lydia's own voices, the rest
single voices and mixes of two; at 0.85 to 1.2 of the usual pace. No recording of a person is among it. {remarks}
"""
TOGETHER = """
First utterances of the open encoder, of sentences of the persona and of random words in Mandarin and English. {remarks}

Then, in the run below, what is heard: {count} clips, {minutes:.0f} minutes of the teacher's sound, said again by this
network and made sound of by the vocoder. Both learn from how far that is from the teacher; beside each clip two
utterances of the open encoder keep lengths and melody as they are. In use, of both, is the mean of the weights before
and after. No recording of a person is among it.
"""
FIGURES = """
{count} sentences of each language that training never saw, voice {voice}, all by her own vocoder. Errors are those of
an independent recogniser (whisper base), syllables compared as pinyin; opinions are predicted (DNSMOS overall). CPU
time in one thread. A border is rough above 1. No person has listened in a blind test.

{table}
"""
AGAIN = """
```
pip install -e '.[train]'
lydia train speech                 # from the open encoder: utterances, training, export; every part resumes
lydia train together               # then by what is heard, with the vocoder
python -m loadtests.text2speech    # this page, and build/speech/listen/index.html, where one hears all side by side
```
"""


def run_of(folder: Path) -> Path:
    """Of the last training that was done there: alone, or after it together with a vocoder."""
    return folder / "together" if (folder / "together").exists() else folder / "run"


def written(folder: Path, count: int, voice: str, found: str, remarks: str) -> None:
    """Writes the card. The extra `train` is needed only here."""
    from services.training.card import card

    run = run_of(folder)
    learned = TOGETHER if run.name == "together" else LESSON
    made, minutes = amount(run)
    card(
        CARD,
        run,
        title="Her own text2speech",
        about=ABOUT.format(size=sum(path.stat().st_size for path in (SYMBOL_WEIGHTS, FRAME_WEIGHTS)) / 1e6),
        data=learned.format(count=made, minutes=minutes, remarks=remarks),
        figures=FIGURES.format(count=count, voice=voice, table=found),
        again=AGAIN,
    )


def main() -> None:
    """Measures, prints the table and writes the model card."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.text2speech", description="Compare the encoders.")
    parser.add_argument("--folder", type=Path, default=Path("build/speech"), help="of the run; keeps what is heard")
    parser.add_argument("--sentences", type=int, default=100, help="of each language (default %(default)s)")
    parser.add_argument("--voice", default="lydia", help="which of her voices (default %(default)s)")
    parser.add_argument("--remarks", default="", help="what else is to be said of the data, in the card")
    add_card(parser)
    given = parser.parse_args()
    check_card(parser, given, run_of(given.folder))
    measured = asyncio.run(measure(given.folder, given.sentences, given.voice))
    found = table(measured.tallies)
    print(found)
    print(f"To listen: {measured.page.write()}")
    if not given.no_card:
        written(given.folder, given.sentences, given.voice, found, given.remarks)


if __name__ == "__main__":
    main()
