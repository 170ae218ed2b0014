"""Her own vocoder beside the teacher's and the fast voice: `python -m loadtests.vocoder`.

On sentences that training never saw, by voices trained on and by voices never trained on. Writes the model card,
`services/speech/model/vocoder/README.md`. Needs the extra `judge`; what the teacher says is kept and made only once.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from rich.progress import track

from loadtests.voices.judge import Opinion, Recogniser, errors, syllables
from loadtests.voices.listening import ListeningPage
from services.places import VOICE
from services.speech.espeak.client import EspeakClient, espeak_client
from services.speech.evaluate import joined
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.vocoder import dataset, evaluate
from services.speech.model.vocoder.command import RUN
from services.speech.model.vocoder.dataset import Clip, Teacher
from services.speech.model.vocoder.excitation import BINS
from services.speech.model.vocoder.texts import Symbols, reading, unseen_sentences
from services.speech.model.vocoder.vocoder import Vocoder
from services.speech.natural.encoder import Floats
from services.speech.natural.files import SYMBOLS
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Styles
from services.speech.sound import KNEE, SAMPLE_RATE, Samples
from services.speech.speak import speak

CARD = RUN.with_name("README.md")
LANGUAGES = ("zh", "en")
SYSTEMS = ("teacher", "own", "espeak-ng")
HEARD = 10
"""Sentences of each group on the page for listening."""


@dataclass(slots=True)
class Tally:
    """What was found of one system's sound of one group of clips."""

    units: int = 0
    wrong: int = 0
    tones_wrong: int = 0
    opinions: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    clicks: int = 0
    seconds: float = 0.0
    costs: list[float] = field(default_factory=list)
    """CPU seconds per second of sound, of each clip."""


@dataclass(slots=True)
class Distances:
    """How far her own vocoder is from the teacher's, in dB."""

    spectral: list[float] = field(default_factory=list)
    bands: list[float] = field(default_factory=list)
    classes: dict[str, list[float]] = field(default_factory=dict)
    border: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence and who says it."""

    group: str
    language: str
    text: str
    voice: str


def cases(count: int, unseen: int) -> Iterator[Case]:
    """`count` sentences of each language by her voices and those trained on, `unseen` by each never trained on."""
    for language in LANGUAGES:
        texts = unseen_sentences(language, max(count, unseen))
        trained = (*HER_VOICES, *dataset.TRAINED[language])
        for number, text in enumerate(texts[:count]):
            yield Case(language, language, text, trained[number % len(trained)])
        for voice in dataset.UNSEEN[language]:
            for text in texts[:unseen]:
                yield Case(f"{language}, unseen voices", language, text, voice)


class Measuring:
    """Goes through the cases and keeps what was found, by system and group."""

    def __init__(self, folder: Path, espeak: EspeakClient, *, listen: bool) -> None:
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.distances: dict[str, Distances] = {}
        self._folder = folder / "test"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._teacher, self._vocoder, self._espeak = Teacher(VOICE), Vocoder(), EspeakSpeech(espeak)
        self._read: Symbols = reading(VOICE)
        self._names = {number: symbol for symbol, number in json.loads((VOICE / SYMBOLS).read_text()).items()}
        self._recogniser = Recogniser(folder / "recogniser") if listen else None
        self._opinion = Opinion()
        self.page = ListeningPage(folder / "listen")

    async def take(self, case: Case) -> None:
        """Measures one case."""
        clip, teacher_s = self._clip(case)
        self._judge("teacher", case, clip.sound, teacher_s)
        begun = time.process_time()
        pieces = list(self._vocoder.stream(clip.features))
        spent = time.process_time() - begun
        own = np.concatenate(pieces)
        self._judge("own", case, own, spent)
        self._compare(case, clip, own, np.cumsum([len(piece) for piece in pieces])[:-1].tolist())
        sounds = {"teacher": clip.sound, "own": own}
        if case.group in LANGUAGES:
            fast, _ = joined(await speak(case.text, model=self._espeak))
            self._judge("espeak-ng", case, fast, None)  # it works in a process of its own
            sounds["espeak-ng"] = fast
        if len(self.tallies["own", case.group].peaks) <= HEARD:
            self.page.add(case.text, case.voice, sounds)

    def _clip(self, case: Case) -> tuple[Clip, float]:
        """The teacher's clip, made when it is not there, and the CPU seconds that its vocoder took."""
        stem = self._folder / hashlib.sha256(f"{case.voice}: {case.text}".encode()).hexdigest()[:16]
        path, cost = stem.with_suffix(".npz"), stem.with_suffix(".cost")
        if path.exists() and cost.exists():
            return dataset.load(path), float(cost.read_text())
        tokens = list(self._read(case.text, case.language))
        style = self._style(case, len(tokens))
        features = self._teacher.encoder([0, *tokens, 0], style, 1.0)
        features = dataset.cut(features, *dataset.spoken(features))
        begun = time.process_time()
        clip = Clip(features, self._teacher.decode(features), np.array(tokens))
        spent = time.process_time() - begun
        dataset.save(path, clip)
        cost.write_text(f"{spent:.3f}\n")
        return clip, spent

    def _style(self, case: Case, symbols: int) -> Floats:
        if case.voice in HER_VOICES:
            melody: Literal["zh", "en"] = "zh" if case.language == "zh" else "en"
            return Styles(HER_VOICES[case.voice], self._teacher.voices)(melody, symbols)
        return self._teacher.style({case.voice: 1.0}, symbols)

    def _judge(self, system: str, case: Case, sound: Samples, spent: float | None) -> None:
        tally = self.tallies.setdefault((system, case.group), Tally())
        tally.opinions.append(self._opinion.score(sound))
        tally.peaks.append(float(np.abs(sound).max()))
        tally.clicks += evaluate.clicks(sound)
        tally.seconds += len(sound) / SAMPLE_RATE
        if spent is not None:
            tally.costs.append(spent * SAMPLE_RATE / len(sound))
        if self._recogniser is not None:
            heard = self._heard(self._recogniser, sound, case.language)
            said = syllables(case.text, tones=False)
            tally.units += len(said)
            tally.wrong += errors(said, syllables(heard, tones=False))
            tally.tones_wrong += errors(syllables(case.text, tones=True), syllables(heard, tones=True))

    def _heard(self, recogniser: Recogniser, sound: Samples, language: str) -> str:
        """What the recogniser hears; kept, for most sounds stay the same when the network is trained anew."""
        path = self._folder / f"{hashlib.sha256(language.encode() + sound.tobytes()).hexdigest()[:24]}.txt"
        if not path.exists():
            path.write_text(recogniser.hear(sound, language), encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def _compare(self, case: Case, clip: Clip, own: Samples, borders: list[int]) -> None:
        found = self.distances.setdefault(case.group, Distances())
        distance = evaluate.band_distance(clip.sound, own)
        found.bands.append(float(np.nanmean(distance)))
        found.spectral.append(evaluate.spectral_distance(clip.sound, own))
        found.border = max(found.border, evaluate.roughest_border(own, borders))
        symbols = ["", *(self._names[int(token)] for token in clip.tokens), ""]
        begin = max(0, int(clip.features.durations[0]) - dataset.LEAD)
        where = evaluate.spans(symbols, clip.features.durations, begin)
        for name, values in evaluate.by_class(distance, where).items():
            found.classes.setdefault(name, []).extend(values)


def report(measured: Measuring) -> str:
    """The tables, in Markdown."""
    lines = [
        "| voice | vocoder | words or syllables wrong | with tones | opinion (DNSMOS) | highest peak "
        "| clips above the limiter's knee | clicks a minute | CPU s per second |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups = list(dict.fromkeys(group for _, group in measured.tallies))
    for group in groups:
        for system in SYSTEMS:
            tally = measured.tallies.get((system, group))
            if tally is not None:
                lines.append(f"| {group} | {system} | {_row(tally, tones=group.startswith('zh'))} |")
    classes = tuple(evaluate.CLASSES)
    lines += [
        "",
        f"| voice | mel bands, dB | log spectrum, dB | {' | '.join(classes)} | roughest border |",
        "|---|---|---|" + "---|" * (len(classes) + 1),
    ]
    for group, found in measured.distances.items():
        by_class = " | ".join(f"{np.mean(found.classes[name]):.1f}" if found.classes[name] else "–" for name in classes)
        means = f"{np.mean(found.bands):.2f} | {np.mean(found.spectral):.2f}"
        lines.append(f"| {group} | {means} | {by_class} | {found.border:.1f} |")
    return "\n".join(lines) + "\n"


def _row(tally: Tally, *, tones: bool) -> str:
    wrong = f"{100 * tally.wrong / tally.units:.1f} %" if tally.units else "–"
    with_tones = f"{100 * tally.tones_wrong / tally.units:.1f} %" if tally.units and tones else "–"
    cost = f"{np.median(tally.costs):.3f}" if tally.costs else "–"
    loud = sum(peak > KNEE for peak in tally.peaks)
    return (
        f"{wrong} | {with_tones} | {np.mean(tally.opinions):.2f} | {max(tally.peaks):.2f} | "
        f"{loud} of {len(tally.peaks)} | {60 * tally.clicks / tally.seconds:.1f} | {cost}"
    )


async def measure(folder: Path, count: int, unseen: int, *, listen: bool) -> Measuring:
    """Measures all cases."""
    async with espeak_client() as espeak:
        measuring = Measuring(folder, espeak, listen=listen)
        for case in track(list(cases(count, unseen)), description="listening"):
            await measuring.take(case)
        return measuring


def card(table: str, measured: Measuring) -> str:
    """The model card."""
    made = json.loads(RUN.read_text())
    counts = ", ".join(
        f"{len(tally.peaks)} × {group}" for (system, group), tally in measured.tallies.items() if system == "own"
    )
    voices = "; ".join(f"{language}: {', '.join(names)}" for language, names in dataset.TRAINED.items())
    men = ", ".join(name for names in dataset.MEN.values() for name in names)
    unseen = "; ".join(f"{language}: {', '.join(names)}" for language, names in dataset.UNSEEN.items())
    return f"""# Her own vocoder

Written by `python -m loadtests.vocoder` from the run that made `vocoder.onnx`; change the code, not this page.

**What it is.** A network of {made["parameters"] / 1e6:.1f} M parameters ({made["megabytes"]} MB, weights in half
precision) in place of the open network's own vocoder, which is far heavier (cost: below). It says for every 6.25 ms
how loud pulses at the pitch and noise are at {BINS} frequencies, and with which phase the pulses come; NumPy makes the
sound. It knows 24 kHz and the features of that one encoder, nothing else.

**What it learned from.** {made["minutes"]} minutes of the teacher's speech, {made["clips"]} clips: sentences of the
persona and random words in Mandarin and English at 0.85 to 1.2 of the usual pace; a third to a half of them in Lydia's
own voices, the rest single voices and mixes of two ({voices}; now and then {men}). No recording of a person is among
it. Training: {made["steps"]} steps of {made["batch"]} × 1 s, seed {made["seed"]}, code at commit {made["commit"]}.
The loss is an energy distance of spectra at four resolutions; no discriminator was used. {made.get("remarks", "")}

**What it is for.** Lydia's own voices. Nobody's voice is imitated; she says that she is an AI.

## Measured

On sentences that training never saw ({counts}); the unseen voices are {unseen}. Errors are those of an independent
recogniser (whisper base), syllables compared as pinyin; opinions are predicted (DNSMOS overall). The teacher's error is
the floor: what the recogniser gets wrong by itself.

{table}
Distances are from the teacher's sound; by class of sounds in dB of mel bands. Two draws of the same noise differ by
about 8 dB in the log spectrum, so fricatives cannot come near 0. A border is rough above 1. No person has listened in a
blind test.

## Making it anew

    pip install -e '.[train]'
    lydia train vocoder            # clips, training, export; every part resumes
    python -m loadtests.vocoder    # this page, and build/vocoder/listen/index.html, where one hears all side by side
"""


def main() -> None:
    """Measures, prints the tables and writes the model card."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.vocoder", description="Compare the vocoders.")
    parser.add_argument("--folder", type=Path, default=Path("build/vocoder"), help="keeps what the teacher said")
    parser.add_argument("--sentences", type=int, default=100, help="of each language")
    parser.add_argument("--unseen", type=int, default=100, help="sentences of each voice never trained on")
    parser.add_argument("--deaf", action="store_true", help="without the recogniser: quick, no errors counted, no card")
    given = parser.parse_args()
    measured = asyncio.run(measure(given.folder, given.sentences, given.unseen, listen=not given.deaf))
    table = report(measured)
    print(table)
    print(f"To listen: {measured.page.write()}")
    if not given.deaf:
        CARD.write_text(card(table, measured), encoding="utf-8")


if __name__ == "__main__":
    main()
