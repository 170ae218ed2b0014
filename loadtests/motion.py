"""Her mouth by ear: `python -m loadtests.motion` measures the rung `motion.network` and writes its model card.

On sentences that training never saw: in her own voice, in voices never trained on, by espeak-ng as it never spoke in
training, and with noise and rooms on top. Needs the extra `train`, and the folder of the run for its facts.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from loadtests.mouths import picture
from services.core.events import EMOTION_UNSPECIFIED, MotionChunk, VoiceChunk
from services.motion.model.network import clips
from services.motion.model.network.evaluate import Cost, Found, Mover, Trial, chunks_of, faces_of, measure
from services.motion.model.network.hearing import VARIED_SHARE
from services.motion.model.network.rung import AHEAD, LATE, WEIGHTS, ByEar, Net
from services.motion.model.network.speakers import (
    TRAINED,
    UNSEEN,
    UNSEEN_PITCH,
    UNSEEN_RANGE,
    UNSEEN_RATE,
    NaturalSpeakers,
    Said,
    person,
    say_fast,
)
from services.motion.model.network.spoil import NOISES, in_room, with_noise
from services.motion.model.rules import Rules
from services.places import VOICE
from services.speech.espeak.client import EspeakClient, espeak_client
from services.speech.espeak.voice import Voice as FastVoice
from services.speech.model.vocoder.texts import unseen_sentences
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.text import Language
from services.training.card import card
from services.training.making import add_card, amount, check_card

CARD, PICTURE = WEIGHTS.with_name("README.md"), WEIGHTS.with_name("mouths.svg")
LANGUAGES: tuple[Language, ...] = ("zh", "en")
SILENCE_S = 0.7
LARGER = 1.28
"""By how much espeak-ng is slowed: more than in training."""
GOALS: Mapping[str, str] = {
    "p b m shut": "≥ 0.95",
    "open vowels shut": "≤ 0.02",
    "lip to teeth": "≥ 0.9",
    "rounding": "≥ 0.3",
    "lag, frames": "-1 … 1",
    "jaw r": "loudness + 0.10",
    "loudness r": "",
    "jerk": "0.7 … 1.4",
    "still": "< 0.01",
    "others shut": "",
    "aperture off": "",
}


@dataclass(frozen=True, slots=True)
class Set:
    """Trials that belong together."""

    name: str
    trials: Sequence[Trial]


def sets(her: Sequence[Said], others: Sequence[Said], fast: Sequence[Said]) -> Iterator[Set]:
    """All that is measured. Noise of every kind in turn, from its own generator."""
    yield Set("her voice", [Trial(said, said.sound) for said in her])
    yield Set("unseen voices", [Trial(said, said.sound) for said in others])
    yield Set("espeak-ng, unseen kind", [Trial(said, said.sound) for said in fast])
    for decibels in (20, 10):
        noisy = []
        for number, said in enumerate([*her, *others]):
            random = np.random.default_rng((decibels, number))
            noisy.append(Trial(said, with_noise(said.sound, NOISES[number % len(NOISES)], decibels, random)))
        yield Set(f"noise at {decibels} dB", noisy)
    yield Set("in a room", [Trial(said, in_room(said.sound, np.random.default_rng(n))) for n, said in enumerate(her)])


async def spoken(count: int, fast: EspeakClient) -> tuple[list[Said], list[Said], list[Said]]:
    """`count` sentences of each language: in her voice, in unseen ones, by espeak-ng."""
    natural = NaturalSpeakers(VOICE)
    her: list[Said] = []
    others: list[Said] = []
    by_espeak: list[Said] = []
    for language in LANGUAGES:
        for number, text in enumerate(track(unseen_sentences(language, count), f"voices, {language}")):
            name = UNSEEN[language][number % len(UNSEEN[language])]
            for voice, into in ((HER_VOICES["lydia"], her), (person({name: 1.0}, {name: 1.0}), others)):
                said = natural.say(text, voice, EMOTION_UNSPECIFIED, 0)
                into.append(clips.within_silence(said, SILENCE_S, SILENCE_S))
            said = await say_fast(fast, text, FastVoice("", UNSEEN_RATE, UNSEEN_PITCH, UNSEEN_RANGE, 1.0))
            by_espeak.append(clips.within_silence(clips.slowed(said, LARGER), SILENCE_S, SILENCE_S))
    return her, others, by_espeak


def figures(found: Found) -> Mapping[str, str]:
    """A row of the table."""
    fit = found.fit
    return {
        "p b m shut": f"{fit.bilabial_closure.rate:.3f} ({fit.bilabial_closure.all})",
        "open vowels shut": f"{fit.false_closure.rate:.3f} ({fit.false_closure.all})",
        "lip to teeth": f"{fit.labiodental_contact.rate:.2f} ({fit.labiodental_contact.all})",
        "rounding": f"{fit.rounding:.2f}",
        "lag, frames": f"{fit.lag_frames}",
        "jaw r": f"{found.jaw_correlation:.3f}",
        "loudness r": f"{found.baseline:.3f}",
        "jerk": f"{found.jerk_ratio:.2f}",
        "still": f"{found.silence.mean:.4f}",
        "others shut": f"{found.shut_without_need.rate:.3f}",
        "aperture off": f"{found.apart.mean:.3f}",
    }


def table(rows: Mapping[tuple[str, str], Found]) -> str:
    """In Markdown, with the goals below."""
    lines = ["| input | rung | " + " | ".join(GOALS) + " |", "|---|---|" + "---|" * len(GOALS)]
    lines += [
        f"| {name} | {rung} | " + " | ".join(figures(found).values()) + " |" for (name, rung), found in rows.items()
    ]
    return "\n".join([*lines, "| | *goal* | " + " | ".join(GOALS.values()) + " |"])


class Told:
    """The rules, which are told the phonemes: what the network learned from, as a measure."""

    def __init__(self, said: Said) -> None:
        rules = Rules()
        self._answers = iter([rules.answer(chunk) for chunk in chunks_of(said, said.sound, told=True)])

    def answer(self, chunk: VoiceChunk) -> MotionChunk:  # noqa: ARG002
        """The next chunk's frames."""
        return next(self._answers)


async def run(count: int, folder: Path | None) -> None:
    """Measures and prints; writes card and picture when there is the run's folder."""
    async with espeak_client(timeout_s=clips.TIMEOUT_S) as fast:
        her, others, by_espeak = await spoken(count, fast)
    net = Net()
    rows: dict[tuple[str, str], Found] = {}
    cost = Cost()
    for one in sets(her, others, by_espeak):
        for trial in track(one.trials, one.name):
            movers: dict[str, Mover] = {"network": ByEar(net), "rules, by ear": Rules()}
            if one.name == "her voice":
                movers["rules, told"] = Told(trial.said)
                cost.take(trial, ByEar(net))
            for rung, mover in movers.items():
                rows[one.name, rung] = rows.get((one.name, rung), Found()) + measure(trial, mover)
    print(table(rows))
    speed = cost.sound_s / cost.cpu_s
    print(f"{speed:.0f} × real time")
    if folder is not None:
        _draw(net, her[0])
        _write(folder, rows, speed, 1_000 * statistics.median(cost.chunks))


def _draw(net: Net, said: Said) -> None:
    told, heard = (
        faces_of(Rules(), chunks_of(said, said.sound, told=True)),
        faces_of(ByEar(net), chunks_of(said, said.sound, told=False)),
    )
    PICTURE.write_text(picture(said.phonemes, {"rules, told": told, "network, by ear": heard}), encoding="utf-8")


def _write(folder: Path, rows: Mapping[tuple[str, str], Found], speed: float, chunk_ms: float) -> None:
    size = WEIGHTS.stat().st_size / 1e6
    made, minutes = amount(folder / "run")
    card(
        CARD,
        folder / "run",
        title="Her face by ear",
        about=f"""
A causal network that hears a voice at 16 kHz and says, 60 times a second, 61 face values and the rotations of 12
joints, in a given mood. It moves her wherever nobody knows the phonemes: a foreign speech server, a microphone, a
recording. It looks ahead {round((AHEAD / 60 + 0.023) * 1_000)} ms ({LATE} frames at the end of a sound), knows no
language, and weighs {size:.2f} MB. What is learned: the shape of the mouth (ten numbers), how far loudness opens the
jaw, how far she nods, and how each mood looks; fixed arithmetic makes rows of these. Sways, gestures and beats of the
hands are added by the same rules as for a voice with phonemes; where those are known, the rules move her.""",
        data=f"""
{made} clips, {minutes:.0f} minutes, in Mandarin and English: sentences of the persona, and random words in
{clips.RANDOM_SHARE:.0%}; {clips.FAST_SHARE:.0%} by espeak-ng at 110 to 260 words a minute and all pitches, the rest by
the natural voice as Lydia or as people mixed of {", ".join((*TRAINED["zh"], *TRAINED["en"]))}; every second clip played
slower or faster by up to 1.2. Each is there {clips.VARIANTS} times: clean, and spoiled by rooms, noises of 6 dB and
more, narrow bands and the telephone's code. Of {VARIED_SHARE:.0%} of the examples what is heard is changed once more,
anew each time: other heads, microphones, rooms and noises (see `vary.py`). The targets are what the rules make of the
phonemes' times. No recording of a person is among it.""",
        figures=f"""
On sentences that training never saw; unseen voices are {", ".join((*UNSEEN["zh"], *UNSEEN["en"]))}.

{table(rows)}

- *p b m shut*: sounds in which the lips meet in time (aperture below 0.05), and of how many. *Open vowels shut*:
  stressed open vowels in which the lips never part. *Lip to teeth*: f and v. *Others shut*: sounds neither p b m nor
  beside one in which the lips meet at some time; the rules, told, are the floor.
- *Jaw r*: correlation of the jaw with that of the rules, told the phonemes. *Loudness r*: the same of the smoothed
  loudness at its best lag, the baseline. *Aperture off*: mean difference from the rules', told.
- *Jerk*: of the jaw, as a part of that of the rules, told. *Still*: standard deviation of the mouth in silence.

Weak: some n, d and t shut the lips too, in noise more of them: what is unsure is rather shut than missed, for a missed
closure is seen at once. The rules, by ear, seem to shut them as often only because they do so at any soft sound. How
sure the network must be that lips meet was set last, on other clips and other sentences than these. Voices and noises
are all made by machines; nobody has measured it on recordings of people.

Cost: {speed:.0f} × real time on one core (CPU seconds, with features, performance and packing); {chunk_ms:.1f} ms for
the median chunk. Mouths of one sentence, the rules told its phonemes and the network by ear:

![mouths of a sentence]({PICTURE.name})""",
        again="""
```
pip install -e '.[train]'
lydia train motion             # clips, training, export; every part resumes
python -m loadtests.motion     # this page
```""",
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=60, help="of each language (default 60)")
    parser.add_argument("--folder", type=Path, default=Path("build/motion"), help="of the run")
    add_card(parser)
    given = parser.parse_args()
    check_card(parser, given, given.folder / "run")
    asyncio.run(run(given.sentences, None if given.no_card else given.folder))


if __name__ == "__main__":
    main()
