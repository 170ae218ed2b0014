"""Did the run keep to its objectives?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from loadtests.bench import percentile
from loadtests.load.result import Part, Profile, Result, Unfit

OBJECTIVES = Path(__file__).with_name("objectives.yaml")


class ProfileObjectives(Part):
    """Of one profile."""

    voice_p95_ms: float | None = Field(None, gt=0)
    paid_waiting: int | None = Field(None, ge=0)


class Objectives(Part):
    """What a run has to keep to. The file says what each means."""

    send_lag_p99_ms: float | None = Field(None, gt=0)
    answer_p99_ms: float | None = Field(None, gt=0)
    lost: int | None = Field(None, ge=0)
    twice: int | None = Field(None, ge=0)
    blind_s: float | None = Field(None, ge=0)
    profiles: dict[str, ProfileObjectives] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """One objective and what was measured."""

    name: str
    limit: float
    found: float
    unit: str = ""

    @property
    def kept(self) -> bool:
        """What was not measured at all (NaN) is not kept."""
        return self.found <= self.limit


def objectives(path: Path = OBJECTIVES) -> Objectives:
    """Raises Unfit."""
    try:
        return Objectives.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise Unfit(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError:
        raise Unfit(f"{path}: is no YAML") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise Unfit(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None


def check(result: Result, wanted: Objectives) -> list[Checked]:
    """Every objective that is asked for and that the run can answer."""
    parts = result.profiles.values()
    answers = [way.answer_p99_ms for way in result.ways.values()]
    found: list[tuple[str, float | None, float, str]] = [
        ("the harness sent on time: lateness p99", wanted.send_lag_p99_ms, result.lag.p99_ms, "ms"),
        ("answer to those who send: p99", wanted.answer_p99_ms, max(answers, default=float("nan")), "ms"),
        ("taken, and lost", wanted.lost, sum(len(part.lost) for part in parts), ""),
        ("answered twice", wanted.twice, sum(len(part.twice) for part in parts), ""),
        ("time without a stream", wanted.blind_s, result.blind_s, "s"),
    ]
    for name, of in wanted.profiles.items():
        if name in result.profiles:
            part = result.profiles[name]
            chats = [one.made_ms for one in part.answers if one.lane == "chat"]
            if "chat" in part.outcomes:
                found.append(
                    (
                        f"{name}: first voice of a message, without the wait to be chosen: p95",
                        of.voice_p95_ms,
                        percentile(chats, 0.95),
                        "ms",
                    )
                )
            found.append((f"{name}: paid events not thanked in time", of.paid_waiting, waiting(part), ""))
    return [Checked(name, limit, value, unit) for name, limit, value, unit in found if limit is not None]


def waiting(profile: Profile) -> int:
    """Paid events that the audience still had when the watching ended, and those whose fate nobody saw."""
    paid = profile.outcomes.get("paid", {})
    return paid.get("waiting", 0) + paid.get("unseen", 0)
