"""How well the network moves her mouth by ear: against the phonemes, and against the rules, which are told them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.core.events import MotionChunk, Phoneme, TextSegment, VoiceChunk
from services.motion import face
from services.motion.frames import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE, of_chunk
from services.motion.metrics import CLOSED, LATE, SILENT_CLOSURE, Fit, Share, Sum, fit
from services.motion.model.network.speakers import Said
from services.motion.model.rules import Rules
from services.speech.chunks import Position, SegmentCutter
from services.speech.sound import Samples, to_s16le

Array = NDArray[Any]

BASELINE_LAG, BASELINE_SMOOTH = 12, 5
"""Frames: the loudness is given its best lag within ±200 ms, and a window of 83 ms."""
SILENCE_EDGE, LEAST_SILENCE = SAMPLE_RATE // 5, SAMPLE_RATE // 10
"""Of a pause, what is near a sound does not count as silence; what is left must last so long. Samples."""
PRODUCTS = ("jaw", "loudness")
"""Fields of Found that are tuples."""


class Mover(Protocol):
    """A rung."""

    def answer(self, chunk: VoiceChunk) -> MotionChunk:
        """The frames of a chunk. Raises ModelFailed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Something said, and how it arrives."""

    said: Said
    arrives: Samples


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured; of several trials it adds up."""

    fit: Fit = field(default_factory=Fit)
    shut_without_need: Share = field(default_factory=Share)
    """Sounds that are no p b m, nor next to one, in which the lips are shut at some time."""
    jaw: tuple[float, ...] = (0.0,) * 3
    """Σ of products of jaw and the rules' jaw, and of both squared, centred in each trial."""
    loudness: tuple[float, ...] = (0.0,) * 3
    """The same of the loudness, the baseline."""
    apart: Sum = field(default_factory=Sum)
    """Absolute difference of the aperture from the rules' aperture."""
    silence: Sum = field(default_factory=Sum)
    """Standard deviation over time of the mouth's channels in silence, by channel and pause."""
    rules_jerk: Sum = field(default_factory=Sum)
    """As `Fit.jerk_squared`, of the rules."""

    def __add__(self, other: Found) -> Found:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name not in PRODUCTS}
        return Found(**sums, jaw=_sums(self.jaw, other.jaw), loudness=_sums(self.loudness, other.loudness))

    @property
    def jaw_correlation(self) -> float:
        """Pearson's, with the rules' jaw."""
        return _correlation(self.jaw)

    @property
    def baseline(self) -> float:
        """Pearson's, of the loudness with the rules' jaw."""
        return _correlation(self.loudness)

    @property
    def jerk_ratio(self) -> float:
        """The jaw's jerk as a part of the rules'."""
        return float(np.sqrt(self.fit.jerk_squared.mean / self.rules_jerk.mean))


def chunks_of(said: Said, arrives: Samples, *, told: bool, turn_id: str = "trial") -> list[VoiceChunk]:
    """A turn of one segment, cut as the speech service does it. `told`: with its phonemes."""
    segment = TextSegment(turn_id=turn_id, room_id="room", epoch=1, text="…", last=True)
    cutter = SegmentCutter(segment, Position())
    piece = VoiceChunk(pcm_s16le=to_s16le(arrives), sample_rate=SAMPLE_RATE, phonemes=said.phonemes if told else ())
    return [*cutter.push(piece), *cutter.finish()]


def faces_of(mover: Mover, chunks: Iterable[VoiceChunk]) -> NDArray[np.float32]:
    """The faces [n, 61] of a turn."""
    return np.concatenate([of_chunk(mover.answer(chunk)).face for chunk in chunks])


def measure(trial: Trial, mover: Mover) -> Found:
    """A rung that is not told the phonemes, on one trial."""
    said = trial.said
    own = faces_of(mover, chunks_of(said, trial.arrives, told=False))
    ideal = faces_of(Rules(), chunks_of(said, said.sound, told=True))
    spoken = len(said.sound) // FRAME_SAMPLES
    own, ideal = own[:spoken], ideal[:spoken]
    jaw, ideal_jaw = own[:, face.JAW_OPEN], ideal[:, face.JAW_OPEN]
    jerk = np.diff(ideal_jaw.astype(float), 3) * FRAME_RATE**3
    pauses = [own[frames, face.MOUTH].std(0) for frames in _silences(said)]
    still = Sum(float(np.sum(pauses)), sum(len(pause) for pause in pauses))
    return Found(
        fit=fit(own, said.phonemes),
        shut_without_need=_shut_without_need(own, said.phonemes),
        jaw=_products(jaw, ideal_jaw),
        loudness=max((_products(*pair) for pair in _lagged(loudness(trial.arrives), ideal_jaw)), key=_correlation),
        apart=Sum(float(np.abs(face.aperture(own) - face.aperture(ideal)).sum()), spoken),
        silence=still,
        rules_jerk=Sum(float((jerk * jerk).sum()), len(jerk)),
    )


def loudness(sound: Samples) -> Array:
    """Root mean square of each frame of a sound, smoothed: [n]."""
    count = len(sound) // FRAME_SAMPLES
    level = np.sqrt((sound[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES).astype(float) ** 2).mean(1))
    return np.convolve(level, np.hanning(BASELINE_SMOOTH + 2)[1:-1], "same")


@dataclass(slots=True)
class Cost:
    """CPU seconds for seconds of sound."""

    cpu_s: float = 0.0
    sound_s: float = 0.0
    chunks: list[float] = field(default_factory=list)
    """CPU seconds of each chunk."""

    def take(self, trial: Trial, mover: Mover) -> None:
        """Measures one trial."""
        for chunk in chunks_of(trial.said, trial.arrives, told=False, turn_id="cost"):
            begun = time.process_time()
            mover.answer(chunk)
            self.chunks.append(time.process_time() - begun)
        self.cpu_s = sum(self.chunks)
        self.sound_s += len(trial.arrives) / SAMPLE_RATE


def _shut_without_need(faces: NDArray[np.float32], phonemes: Sequence[Phoneme]) -> Share:
    shut = face.aperture(faces) < CLOSED
    near = np.zeros(len(faces) + 1, bool)
    for phoneme in phonemes:
        if not phoneme.ipa or phoneme.ipa[0] in "pbm":
            margin = SILENT_CLOSURE if phoneme.ipa else LATE
            first = max(phoneme.start_sample - margin, 0) // FRAME_SAMPLES
            near[first : (phoneme.end_sample + margin) // FRAME_SAMPLES + 1] = True
    wrong = total = 0
    for phoneme in phonemes:
        own = slice(phoneme.start_sample // FRAME_SAMPLES, max(phoneme.end_sample // FRAME_SAMPLES, 1))
        if phoneme.ipa and phoneme.ipa[0] not in "pbm" and not near[: len(faces)][own].any():
            total += 1
            wrong += bool(shut[own].any())
    return Share(wrong, total)


def _silences(said: Said) -> Iterator[slice]:
    """Frames of what is silent: what no phoneme covers, and pauses."""
    at = 0
    sounding = [(phoneme.start_sample, phoneme.end_sample) for phoneme in said.phonemes if phoneme.ipa]
    for begin, end in [*sounding, (len(said.sound), len(said.sound))]:
        first, last = at + SILENCE_EDGE, begin - SILENCE_EDGE
        if last - first >= LEAST_SILENCE:
            yield slice(first // FRAME_SAMPLES, last // FRAME_SAMPLES)
        at = end


def _lagged(one: Array, other: Array) -> Iterator[tuple[Array, Array]]:
    count = min(len(one), len(other))
    for lag in range(-BASELINE_LAG, BASELINE_LAG + 1):
        first, last = max(lag, 0), count + min(lag, 0)
        yield one[first:last], other[first - lag : last - lag]


def _sums(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _products(one: Array, other: Array) -> tuple[float, float, float]:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other), float(one @ one), float(other @ other)


def _correlation(products: Sequence[float]) -> float:
    both, one, other = products
    return both / float(np.sqrt(one * other) + 1e-12)
