"""What a run found, as it is written beside the report and read again for a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from loadtests.bench import percentile
from loadtests.load.fates import Fate
from loadtests.load.plan import Plan
from loadtests.load.sending import Sent

VERSION = 1
KEPT = 5000
"""Answer times kept of each way, evenly chosen from all in order of time; a full load has a hundred thousand."""


class Unfit(Exception):
    """The file is no result that this version reads; the text says why."""


class Part(BaseModel):
    """A part of a result."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(Part):
    """One event that she answered. Seconds since the begin, milliseconds from the scheduled time."""

    at_s: float
    lane: str
    free: bool
    voice_ms: float
    frame_ms: float | None
    waited_ms: float
    """Of that, between its receipt and the opening of its turn, by the target's clock: waiting to be chosen, mostly."""

    @property
    def made_ms(self) -> float:
        """The first voice without the wait to be chosen, which is her policy and not her speed."""
        return max(self.voice_ms - self.waited_ms, 0.0)


class Lost(Part):
    """One event that was taken and came to nothing, or was answered more than once."""

    event_id: str
    room_id: str
    kind: str
    lane: str
    at_s: float
    where: str


class Profile(Part):
    """What happened in all rooms of one profile."""

    rooms: int
    events: dict[str, int]
    """Kind → sent."""
    outcomes: dict[str, dict[str, int]]
    """Lane → outcome → events."""
    reasons: dict[str, dict[str, int]]
    """Lane → why events were dropped → how many."""
    refusals: dict[str, int]
    answers: list[Answer]
    stages: dict[str, list[float]]
    """Stage → milliseconds of each answered event, in order of time. Events only of those that opened a turn."""
    lost: list[Lost]
    twice: list[Lost]


class Way(Part):
    """How the target answered those who sent."""

    requests: int
    items: int
    refused: dict[str, int]
    unreadable: int
    answer_ms: list[float]
    """In order of time; at most KEPT."""
    answer_p99_ms: float
    """Of all."""


class Lag(Part):
    """How late the harness itself sent."""

    n: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class Result(Part):
    """One run."""

    version: int = VERSION
    made_at: str
    machine: str
    commit: str
    target: str
    """What was measured, in words."""
    rungs: list[str]
    """The voices that spoke."""
    traced: bool
    seconds: float
    watched_s: float
    """Until the harness stopped to watch."""
    load: dict[str, str]
    """What was asked for, in words."""
    not_pushed: dict[str, int]
    lag: Lag
    blind_s: float
    """How long streams were away altogether, over all rooms."""
    ways: dict[str, Way]
    profiles: dict[str, Profile]

    def save(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=1), encoding="utf-8")


def load(path: Path) -> Result:
    """Raises Unfit."""
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unfit(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unfit(f"{path}: is no result of this version ({where}: {first['msg']})") from None


def lag(sent: Iterable[Sent]) -> Lag:
    """How late requests went out."""
    late = [(one.sent - one.scheduled) * 1000 for one in sent]
    return Lag(
        n=len(late),
        p50_ms=_round(percentile(late, 0.5)),
        p99_ms=_round(percentile(late, 0.99)),
        max_ms=_round(max(late, default=0.0)),
    )


def ways(sent: Sequence[Sent]) -> dict[str, Way]:
    """How the target answered, by way."""
    found = {}
    for name in dict.fromkeys(one.request.way for one in sent):
        of = sorted((one for one in sent if one.request.way == name), key=lambda one: one.scheduled)
        times = [(one.answered - one.scheduled) * 1000 for one in of]
        step = -(-len(times) // KEPT)
        found[str(name)] = Way(
            requests=len(of),
            items=sum(len(one.request.event_ids) for one in of),
            refused=_counts(one.refusal for one in of if one.refusal),
            unreadable=sum(one.bad for one in of),
            answer_ms=[_round(time) for time in times[::step]],
            answer_p99_ms=_round(percentile(times, 0.99)),
        )
    return found


def profiles(
    plan: Plan, fates: Sequence[Fate], stages: Mapping[str, Mapping[str, float]], last_steps: Mapping[str, str]
) -> dict[str, Profile]:
    """What happened, by profile. `stages`: event id → stage → ms; `last_steps`: event id → its trace's end."""
    return {
        name: _profile(rooms, [fate for fate in fates if fate.event.profile == name], stages, last_steps)
        for name, rooms in plan.load.rooms.items()
    }


def _profile(
    rooms: int, fates: Sequence[Fate], stages: Mapping[str, Mapping[str, float]], last_steps: Mapping[str, str]
) -> Profile:
    lanes = sorted({fate.event.lane for fate in fates})
    timed = [stages[fate.event.event_id] for fate in fates if fate.event.event_id in stages]

    def trouble(fate: Fate, where: str) -> Lost:
        event = fate.event
        return Lost(
            event_id=event.event_id,
            room_id=event.room_id,
            kind=event.kind,
            lane=event.lane,
            at_s=_round(fate.at_s),
            where=where,
        )

    def told(fate: Fate) -> str:
        last = last_steps.get(fate.event.event_id, "")
        return f"{fate.reason}; last in its trace: {last}" if last else fate.reason

    def by_lane(wanted: Callable[[Fate], bool], word: Callable[[Fate], str]) -> dict[str, dict[str, int]]:
        found = {
            lane: _counts(word(fate) for fate in fates if fate.event.lane == lane and wanted(fate)) for lane in lanes
        }
        return {lane: counts for lane, counts in found.items() if counts}

    return Profile(
        rooms=rooms,
        events=_counts(fate.event.kind for fate in fates),
        outcomes=by_lane(lambda _: True, lambda fate: fate.outcome),
        reasons=by_lane(lambda fate: fate.outcome == "dropped", lambda fate: fate.reason),
        refusals=_counts(fate.reason for fate in fates if fate.outcome == "refused"),
        answers=[
            Answer(
                at_s=_round(fate.at_s),
                lane=fate.event.lane,
                free=fate.free,
                voice_ms=_round(fate.voice_ms),
                frame_ms=None if fate.frame_ms is None else _round(fate.frame_ms),
                waited_ms=_round(fate.choosing_ms or 0.0),
            )
            for fate in fates
            if fate.voice_ms is not None
        ],
        stages={
            stage: [_round(one[stage]) for one in timed] for stage in dict.fromkeys(key for one in timed for key in one)
        },
        lost=[trouble(fate, told(fate)) for fate in fates if fate.outcome == "lost"],
        twice=[trouble(fate, f"heard in {fate.times} turns") for fate in fates if fate.times > 1],
    )


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _round(value: float) -> float:
    return round(value, 2)
