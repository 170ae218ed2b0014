"""Lips, jaw and tongue of a segment whose phonemes are known, as a function of time.

Each sound pulls the articulators towards its target with a strength that falls off in time before and after it; what
shows is the weighted mean (Cohen and Massaro 1993, "Modeling coarticulation in synthetic visual speech"), so rounding
comes early and tongue-only consonants leave the lips to their neighbours. On top of that some things must happen
whatever the neighbours are (Edwards et al. 2016, "JALI"): lips close for p b m, the lower lip touches the teeth for
f v, the teeth nearly meet for hisses. These are curves of their own, which `mouth` obeys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.core.events import Phoneme
from services.motion import face
from services.motion.curves import ease, soft_limit
from services.motion.face import INDEX
from services.motion.frames import SAMPLE_RATE
from services.motion.visemes import ARTICULATORS, PAUSE, Kind, Viseme, visemes

Array = NDArray[Any]

JAW, PUCKER, FUNNEL, SPREAD, UPPER, LOWER, TONGUE = range(len(ARTICULATORS))
CLOSED, TOUCHING, HISSING = range(len(ARTICULATORS), len(ARTICULATORS) + 3)
WIDTH = len(ARTICULATORS) + 3
"""Columns of an articulation: the articulators, then how far lips are shut, lip meets teeth, teeth meet; 0 to 1."""

GROUPS = (
    (slice(JAW, PUCKER), 22.0, 22.0),
    (slice(PUCKER, UPPER), 12.0, 16.0),
    (slice(UPPER, TONGUE), 22.0, 22.0),
    (slice(TONGUE, CLOSED), 30.0, 30.0),
)
"""Jaw, lip shape, lip height, tongue: the articulators that share a strength, and how fast it falls off before and
after a sound, per second."""
ROUND_OFF_S = 0.015
"""Takes the corner off the strengths' tops."""
HOLDS = 0.25
"""A sound is at full strength for this share of its length to either side of its middle."""
SHORT_PAUSE_S = 0.25
"""In a shorter pause the mouth does not come to rest."""
PAUSE_EDGE_S = 0.08
"""At a pause's edges its strength already falls: the mouth prepares for the next sound."""
SURROUNDINGS_S = 0.6
"""Silence assumed before and after a segment; sounds farther away are not looked at."""

STRESS_JAW = (0.84, 1.0, 1.12)
"""What stress 0, 1, 2 does to a vowel's jaw."""
FOLLOW_ON_S = np.array([0.13] * len(ARTICULATORS) + [0.06] * 3)
"""A new segment takes this long to leave the last shape of the one before, and what must happen comes sooner."""

SHUT_BEFORE_S = 0.045
"""After a pause the lips are shut so long before a stop is heard."""
FULL_FOR = 0.6
"""Share of a sound for which lips are fully shut, or touch, or teeth meet; the rest is the opening."""
AT_LEAST_S = 0.04
"""Two frames: it must be seen."""
COMES_S, GOES_S, QUICKEST_S = 0.07, 0.06, 0.045

JAW_LIMIT = 0.9
HISS_JAW, TOUCH_JAW = 0.16, 0.08
"""The jaw opens no farther while teeth meet, and while the lower lip meets the teeth."""
STRETCH = (INDEX["MouthStretchLeft"], INDEX["MouthStretchRight"])


@dataclass(frozen=True, slots=True)
class _Sound:
    viseme: Viseme
    start: float
    end: float
    stress: int


class SegmentLips:
    """The articulation of one segment. Times are seconds of the turn."""

    def __init__(self, phonemes: Sequence[Phoneme], came_from: Array, at: float) -> None:
        """`came_from` is the articulation [WIDTH] just before the segment's first frame, which is at time `at`."""
        sounds = _sounds(phonemes)
        self._start = np.array([sound.start for sound in sounds])
        self._end = np.array([sound.end for sound in sounds])
        lasts = np.maximum(self._end - self._start, 0.01)
        pause = np.array([sound.viseme.kind is Kind.PAUSE for sound in sounds])
        self._middle = (self._start + self._end) / 2
        self._holds = np.where(pause, np.maximum(lasts / 2 - PAUSE_EDGE_S, HOLDS * lasts), HOLDS * lasts)
        self._target = np.array([sound.viseme.target for sound in sounds])
        self._strength = np.array([sound.viseme.strength for sound in sounds])
        self._strength[pause] *= np.clip(lasts[pause] / SHORT_PAUSE_S, 0.2, 1)[:, None]
        vowel = np.array([sound.viseme.kind is Kind.VOWEL for sound in sounds])
        stress = np.array([STRESS_JAW[min(sound.stress, 2)] for sound in sounds])
        self._target[vowel, JAW] *= stress[vowel]
        # Long sounds reach farther.
        self._pace = np.clip(np.sqrt(0.09 / lasts), 0.7, 1.4)
        self._musts = tuple(_windows(sounds, kind) for kind in (Kind.CLOSURE, Kind.TOUCH, Kind.HISS))
        before = at - 1 / 60
        self._since = before
        self._excess = came_from - self._free(np.array([before]))[0]

    def __call__(self, t: Array) -> Array:
        """The articulation [n, WIDTH] at times [n], which lie close together."""
        left = 1 - ease((t[:, None] - self._since) / FOLLOW_ON_S)
        articulation: Array = self._free(t) + left * self._excess
        return articulation

    def _free(self, t: Array) -> Array:
        """As if nothing had come before the segment."""
        near = slice(
            int(np.searchsorted(self._end, t[0] - SURROUNDINGS_S)),
            int(np.searchsorted(self._start, t[-1] + SURROUNDINGS_S)) or 1,
        )
        since = t[:, None] - self._middle[near]
        away = np.maximum(np.abs(since) - self._holds[near], 0)
        away = np.sqrt(away * away + ROUND_OFF_S * ROUND_OFF_S) * self._pace[near]
        articulation = np.empty((len(t), WIDTH))
        for group, (columns, falls_before, falls_after) in enumerate(GROUPS):
            fall = np.where(since < 0, falls_before, falls_after)
            weight = np.exp(-fall * away) * self._strength[near, group]
            mean = np.einsum("np,pk->nk", weight, self._target[near, columns])
            articulation[:, columns] = mean / weight.sum(1, keepdims=True)
        for column, windows in enumerate(self._musts, CLOSED):
            articulation[:, column] = _within(t, windows)
        return articulation


def _sounds(phonemes: Sequence[Phoneme]) -> list[_Sound]:
    """The phonemes taken apart, in order, between two silences."""
    sounds = []
    for phoneme in phonemes:
        at = phoneme.start_sample / SAMPLE_RATE
        lasts = (phoneme.end_sample - phoneme.start_sample) / SAMPLE_RATE
        for viseme, share in visemes(phoneme.ipa):
            sounds.append(_Sound(viseme, at, at + share * lasts, phoneme.stress))
            at += share * lasts
    first, last = sounds[0].start, sounds[-1].end
    return [
        _Sound(PAUSE, first - SURROUNDINGS_S, first, 0),
        *sounds,
        _Sound(PAUSE, last, last + SURROUNDINGS_S, 0),
    ]


def _windows(sounds: Sequence[_Sound], kind: Kind) -> Array:
    """When sounds of a kind must be seen, [m, 4]: begins to, does fully, begins to end, is over. Seconds."""
    found = []
    for before, sound, after in zip(sounds, sounds[1:], sounds[2:], strict=False):
        if sound.viseme.kind is not kind:
            continue
        lasts = sound.end - sound.start
        full = max(sound.start - SHUT_BEFORE_S, before.start) if before.viseme.kind is Kind.PAUSE else sound.start
        ends = max(sound.start + FULL_FOR * lasts, full + AT_LEAST_S)
        comes_s = min(COMES_S, max(0.45 * (before.end - before.start), QUICKEST_S))
        goes_s = min(GOES_S, max(0.45 * (after.end - after.start), QUICKEST_S))
        found.append((full - comes_s, full, ends, ends + goes_s))
    return np.array(found).reshape(-1, 4)


def _within(t: Array, windows: Array) -> Array:
    """1 inside the windows, 0 outside, eased between, [n]."""
    begins, full, ends, over = windows.T
    inside = np.minimum(ease((t[:, None] - begins) / (full - begins)), 1 - ease((t[:, None] - ends) / (over - ends)))
    most: Array = inside.max(1, initial=0.0)
    return most


def mouth(values: Array, articulation: Array, jaw_gain: Array) -> None:
    """Adds an articulation [n, WIDTH] to faces [n, 61], which hold the mood's share of the mouth already.

    The mood gives way where it would keep lips from meeting, teeth from showing or a vowel from its shape. `jaw_gain`
    [n] is about 1, more when she is loud.
    """
    parts = np.clip(articulation, 0, 1)
    closed, touching, hissing = parts[:, CLOSED], parts[:, TOUCHING], parts[:, HISSING]
    rounded = np.minimum(0.8 * parts[:, PUCKER] + parts[:, FUNNEL], 1)

    jaw = soft_limit(parts[:, JAW] * jaw_gain + values[:, face.JAW_OPEN], JAW_LIMIT)
    jaw -= hissing * np.maximum(jaw - HISS_JAW, 0)
    jaw -= touching * np.maximum(jaw - TOUCH_JAW, 0)
    jaw *= 1 - 0.5 * closed
    apart = 1 - closed

    for shape, amount in (
        (face.UPPER_UP, parts[:, UPPER]),
        (face.LOWER_DOWN, parts[:, LOWER] * (1 - touching)),
    ):
        values[:, shape] = (values[:, shape] + amount[:, None]) * apart[:, None]
    values[:, face.SMILE] = values[:, face.SMILE] * (1 - 0.6 * rounded[:, None]) + 0.4 * parts[:, SPREAD, None]
    values[:, STRETCH] += 0.6 * parts[:, SPREAD, None] * apart[:, None]
    values[:, face.PRESS] *= np.maximum(1 - jaw / 0.2, 0)[:, None]
    values[:, face.PRESS] += 0.45 * closed[:, None]
    values[:, face.PUCKER] += parts[:, PUCKER] * (1 - 0.3 * closed)
    values[:, face.FUNNEL] += parts[:, FUNNEL] * (1 - 0.6 * closed)
    values[:, INDEX["MouthRollLower"]] += 0.22 * closed + 0.5 * touching
    values[:, INDEX["MouthRollUpper"]] += 0.22 * closed
    values[:, INDEX["MouthShrugLower"]] += 0.45 * touching
    values[:, INDEX["TongueOut"]] += parts[:, TONGUE] * apart
    values[:, face.JAW_OPEN] = jaw
    values[:, face.MOUTH_CLOSE] = jaw * closed
