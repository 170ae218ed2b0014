"""How well lips fit the sounds whose times are known.

Aperture a(t) is `face.aperture`. All rates are shares of the sounds of a kind; a frame belongs to a sound when its
sample does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.events import Phoneme
from services.motion import face
from services.motion.face import Floats
from services.motion.frames import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE

Array = NDArray[Any]

CLOSED, OPEN = 0.05, 0.15
"""Aperture below which lips are shut, and which an open vowel must reach."""
SILENT_CLOSURE, LATE = SAMPLE_RATE * 50 // 1000, SAMPLE_RATE * 33 // 1000
"""How many samples before a voiceless stop its closure may come, and after a sound what it asks for."""
TOUCH, TOUCH_JAW = 0.3, 0.2
HISS_JAW = 0.35
MAX_LAG = FRAME_RATE // 5
"""±200 ms."""

OPENNESS = dict.fromkeys("aɑæɐ", 1.0) | dict.fromkeys("ʌɔɒɛœ", 0.7) | dict.fromkeys("eoəɤɜɝɚø", 0.5)
OPENNESS |= dict.fromkeys("iɪyuʊɨɯʅɿʏ", 0.25)
"""How far the jaw should open for a vowel, of which only the order matters; 0 for everything else."""
ROUND = frozenset(("u", "uː", "w", "o", "oʊ", "uo", "ou", "ʊŋ"))
SPREAD = frozenset(("i", "iː", "e", "ei", "eɪ", "ɪ", "ɛ", "iɛ"))


@dataclass(frozen=True, slots=True)
class Share:
    """`met` of `all`."""

    met: int = 0
    all: int = 0

    @property
    def rate(self) -> float:
        """NaN when there was none."""
        return self.met / self.all if self.all else math.nan

    def __add__(self, other: Share) -> Share:
        return Share(self.met + other.met, self.all + other.all)


@dataclass(frozen=True, slots=True)
class Sum:
    """A mean in the making."""

    total: float = 0.0
    count: int = 0

    @property
    def mean(self) -> float:
        """NaN when there was none."""
        return self.total / self.count if self.count else math.nan

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.total + other.total, self.count + other.count)


@dataclass(frozen=True, slots=True)
class Fit:
    """What was measured; fits of several sentences add up."""

    bilabial_closure: Share = Share()
    """p b m with a(t) < 0.05 somewhere from their beginning (voiceless ones: 50 ms before) to 33 ms after them."""
    false_closure: Share = Share()
    """Stressed open vowels in which a(t) never reaches 0.15."""
    labiodental_contact: Share = Share()
    """f v with mouthRollLower or mouthShrugLower > 0.3 and jawOpen < 0.2 in one frame, up to 33 ms after them."""
    sibilant_cap: Share = Share()
    """s z ʃ ʒ ɕ ʂ and affricates with jawOpen < 0.35 throughout their middle half."""
    rounded: Sum = Sum()
    """MouthPucker + mouthFunnel in the middle of u o w."""
    spread: Sum = Sum()
    """The same of i e; rounding is the difference of the two means."""
    jaw_by_lag: tuple[float, ...] = (0.0,) * (2 * MAX_LAG + 1)
    """Cross-correlation of jawOpen with how open the phoneme at that time is, jaw later by -12 … 12 frames."""
    jerk_squared: Sum = Sum()
    """Of jawOpen: (third difference * 60³)², per frame."""

    def __add__(self, other: Fit) -> Fit:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "jaw_by_lag"}
        lags = tuple(a + b for a, b in zip(self.jaw_by_lag, other.jaw_by_lag, strict=True))
        return Fit(**sums, jaw_by_lag=lags)

    @property
    def rounding(self) -> float:
        """How much rounder u o w are than i e."""
        return self.rounded.mean - self.spread.mean

    @property
    def lag_frames(self) -> int:
        """By how many frames the jaw is late (+) or early (-) where it fits best."""
        return int(np.argmax(self.jaw_by_lag)) - MAX_LAG

    @property
    def jerk(self) -> float:
        """Root mean square of the jaw's jerk, jawOpen units per s³."""
        return math.sqrt(self.jerk_squared.mean)

    def table(self) -> str:
        """For people."""
        rows = (
            ("bilabial closure", self.bilabial_closure),
            ("false closures", self.false_closure),
            ("labiodental contact", self.labiodental_contact),
            ("sibilant jaw cap", self.sibilant_cap),
        )
        lines = [f"{name:20} {share.rate:8.4f}  ({share.met} of {share.all})" for name, share in rows]
        lines += [f"{'rounding':20} {self.rounding:8.3f}", f"{'lag':20} {self.lag_frames:5d} frames"]
        return "\n".join([*lines, f"{'jaw jerk':20} {self.jerk:8.0f} /s³"])


def fit(faces: Floats, phonemes: Sequence[Phoneme], start_sample: int = 0) -> Fit:
    """Measures faces [n, 61], the first at `start_sample` of the phonemes' clock."""
    gap = face.aperture(faces)
    jaw = faces[:, face.JAW_OPEN]
    contact = (faces[:, face.INDEX["MouthRollLower"]] > TOUCH) | (faces[:, face.INDEX["MouthShrugLower"]] > TOUCH)
    round_lips = faces[:, face.PUCKER] + faces[:, face.FUNNEL]
    target = np.zeros(len(faces))
    found: dict[str, list[bool]] = {"bilabial": [], "false": [], "labiodental": [], "sibilant": []}
    rounds: dict[bool, list[float]] = {True: [], False: []}

    def frames(begin: int, end: int) -> slice:
        first = max(-((start_sample - begin) // FRAME_SAMPLES), 0)
        return slice(first, max(-((start_sample - end) // FRAME_SAMPLES), first + 1))

    for phoneme in phonemes:
        begin, end = phoneme.start_sample, phoneme.end_sample
        own = frames(begin, end)
        if not phoneme.ipa or own.start >= len(faces):
            continue
        target[own] = max(OPENNESS.get(letter, 0.0) for letter in phoneme.ipa)
        first = phoneme.ipa[0]
        if first in "pbm":
            early = SILENT_CLOSURE if first == "p" else 0
            found["bilabial"].append(bool((gap[frames(begin - early, end + LATE)] < CLOSED).any()))
        elif first in "fv":
            window = frames(begin, end + LATE)
            found["labiodental"].append(bool((contact[window] & (jaw[window] < TOUCH_JAW)).any()))
        elif any(letter in "szʃʒɕʑʂʐ" for letter in phoneme.ipa):
            quarter = (end - begin) // 4
            found["sibilant"].append(bool((jaw[frames(begin + quarter, end - quarter)] < HISS_JAW).all()))
        elif phoneme.stress and target[own.start] == 1.0:
            found["false"].append(bool((gap[own] < OPEN).all()))
        if phoneme.ipa in ROUND or phoneme.ipa in SPREAD:
            middle = min((own.start + own.stop) // 2, len(faces) - 1)
            rounds[phoneme.ipa in ROUND].append(float(round_lips[middle]))
    jerk = np.diff(jaw.astype(float), 3) * FRAME_RATE**3
    shares = {name: Share(sum(each), len(each)) for name, each in found.items()}
    return Fit(
        bilabial_closure=shares["bilabial"],
        false_closure=shares["false"],
        labiodental_contact=shares["labiodental"],
        sibilant_cap=shares["sibilant"],
        rounded=Sum(sum(rounds[True]), len(rounds[True])),
        spread=Sum(sum(rounds[False]), len(rounds[False])),
        jaw_by_lag=_by_lag(jaw, target),
        jerk_squared=Sum(float((jerk * jerk).sum()), len(jerk)),
    )


def _by_lag(jaw: Array, target: Array) -> tuple[float, ...]:
    jaw, target = jaw - jaw.mean(), target - target.mean()
    pad = np.zeros(MAX_LAG)
    late = np.concatenate([pad, jaw, pad])
    return tuple(float(late[shift : shift + len(jaw)] @ target) for shift in range(2 * MAX_LAG + 1))


def total(fits: Iterable[Fit]) -> Fit:
    """All of them as one."""
    return sum(fits, Fit())
