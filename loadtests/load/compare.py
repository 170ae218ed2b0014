"""Is this run slower than an earlier one, where, and by how much, beyond what chance does?

A difference of a percentile counts when all of these hold: its bootstrap interval lies wholly on one side of what does
not matter (`LEAST_MS` or `LEAST_SHARE` of the earlier value, whichever is more), and it is larger than the difference
between the two halves of either run, since one machine does not do the same from minute to minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.load.result import Lost, Profile, Result

SHARES = (0.5, 0.95, 0.99)
LEAST_N = {0.5: 8, 0.95: 40, 0.99: 200}
"""Fewer values than this say nothing about the percentile."""
LEAST_MS, LEAST_SHARE = 5.0, 0.1
DRAWS = 1000
INTERVAL = (0.005, 0.995)
"""99 %: some dozens of comparisons are made at once."""
SEED = 2112

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """One percentile of one measure, then and now. Milliseconds."""

    profile: str
    measure: str
    share: float
    then: float
    now: float
    low: float
    high: float
    """Bootstrap interval of now − then."""
    noise: float
    """The largest difference between the halves of a run."""
    verdict: str
    """slower, faster, same, or too few."""

    @property
    def ratio(self) -> float:
        return self.now / self.then if self.then else float("inf")


@dataclass(frozen=True)
class Comparison:
    """All of them."""

    differences: tuple[Difference, ...]
    lost: tuple[Lost, ...]
    """Of this run, when it lost more than the earlier one."""
    twice: tuple[Lost, ...]
    unlike: tuple[str, ...]
    """Why the two runs are hardly comparable."""

    @property
    def slower(self) -> tuple[Difference, ...]:
        return tuple(one for one in self.differences if one.verdict == "slower")

    @property
    def worse(self) -> bool:
        return bool(self.slower or self.lost or self.twice)

    def told(self) -> list[str]:
        """What is worse, and where, in sentences. Stages come first: they say why the rest is."""
        ordered = sorted(
            self.slower, key=lambda one: (not one.measure.startswith("stage "), one.share, one.then - one.now)
        )
        sentences = [
            f"{one.profile}, {one.measure}: p{one.share * 100:.0f} {one.then:.0f} → {one.now:.0f} ms "
            f"(×{one.ratio:.2f}; {one.low:+.0f} to {one.high:+.0f} ms)"
            for one in ordered
        ]
        sentences += [f"lost: {one.kind} {one.event_id} in {one.room_id}: {one.where}" for one in self.lost]
        return sentences + [f"answered twice: {one.kind} {one.event_id} in {one.room_id}" for one in self.twice]


def compare(then: Result, now: Result) -> Comparison:
    """What changed from one run to the next."""
    differences = []
    for name in [name for name in now.profiles if name in then.profiles]:
        earlier, later = dict(measures(then.profiles[name])), dict(measures(now.profiles[name]))
        for measure in [measure for measure in later if measure in earlier]:
            differences += _differences(name, measure, earlier[measure], later[measure])
    for way in [way for way in now.ways if way in then.ways]:
        differences += _differences(way, "answer to the sender", then.ways[way].answer_ms, now.ways[way].answer_ms)
    lost, twice = ([one for p in now.profiles.values() for one in getattr(p, kind)] for kind in ("lost", "twice"))
    before = [sum(len(getattr(p, kind)) for p in then.profiles.values()) for kind in ("lost", "twice")]
    return Comparison(
        tuple(differences),
        tuple(lost) if len(lost) > before[0] else (),
        tuple(twice) if len(twice) > before[1] else (),
        tuple(_unlike(then, now)),
    )


def measures(profile: Profile) -> Iterator[tuple[str, list[float]]]:
    """The series of a profile, in order of time."""
    for lane in ("chat", "paid"):
        yield f"{lane}: first voice, without the wait", [one.made_ms for one in profile.answers if one.lane == lane]
        yield (
            f"{lane}: first voice, she was free",
            [one.voice_ms for one in profile.answers if one.free and one.lane == lane],
        )
        yield (
            f"{lane}: first frame, she was free",
            [one.frame_ms for one in profile.answers if one.free and one.lane == lane and one.frame_ms is not None],
        )
    for stage, times in profile.stages.items():
        # How long the policy lets messages wait depends on what was written before, not on how fast anything is.
        if stage != "choosing":
            yield f"stage {stage}", times


def _differences(profile: str, measure: str, then: Sequence[float], now: Sequence[float]) -> list[Difference]:
    earlier, later = np.asarray(then, dtype=np.float64), np.asarray(now, dtype=np.float64)
    if not len(earlier) or not len(later):
        return []
    chance = np.random.default_rng(SEED)
    old, new = _draws(earlier, chance), _draws(later, chance)
    found = []
    for place, share in enumerate(SHARES):
        value, other = float(np.quantile(earlier, share)), float(np.quantile(later, share))
        low, high = (float(bound) for bound in np.quantile(new[place] - old[place], INTERVAL))
        noise = max(_halves(earlier, share), _halves(later, share))
        matters = max(LEAST_MS, LEAST_SHARE * value)
        verdict = "same"
        if min(len(earlier), len(later)) < LEAST_N[share]:
            verdict = "too few"
        elif low > matters and other - value > noise:
            verdict = "slower"
        elif high < -matters and value - other > noise:
            verdict = "faster"
        found.append(Difference(profile, measure, share, value, other, low, high, noise, verdict))
    return found


def _draws(values: Floats, chance: np.random.Generator) -> Floats:
    """Each percentile of DRAWS samples drawn with repetition: [len(SHARES), DRAWS]."""
    ordered = np.sort(chance.choice(values, (DRAWS, len(values))), axis=1)
    return np.stack([ordered[:, min(int(share * len(values)), len(values) - 1)] for share in SHARES])


def _halves(values: Floats, share: float) -> float:
    half = len(values) // 2
    return abs(float(np.quantile(values[:half], share) - np.quantile(values[half:], share))) if half else 0.0


def _unlike(then: Result, now: Result) -> Iterator[str]:
    for name in ("machine", "target", "seconds", "traced", "rungs"):
        if getattr(then, name) != getattr(now, name):
            yield f"{name}: {getattr(then, name)} then, {getattr(now, name)} now"
    for name in sorted(then.load.keys() | now.load.keys()):
        if then.load.get(name) != now.load.get(name):
            yield f"{name}: {then.load.get(name)} then, {now.load.get(name)} now"
