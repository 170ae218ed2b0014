"""A comparison names what became slower, and where, and leaves alone what chance does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from loadtests.load.compare import compare
from loadtests.load.result import Answer, Lag, Lost, Profile, Result, Unfit, Way, load
from loadtests.load.verdict import OBJECTIVES, Objectives, ProfileObjectives, check, objectives

STAGES = {"gateway": 3.0, "audience": 8.0, "chat": 12.0, "speech": 18.0, "motion": 6.0, "stage": 2.0}
GIFT = Lost(event_id="f00d", room_id="load-quiet-0", kind="gift", lane="paid", at_s=12.5, where="between …")


def result(seed: int, *, extra: dict[str, float] | None = None, n: int = 120, lost: tuple[Lost, ...] = ()) -> Result:
    """Timings as a run records them: each stage log-normal around its usual time, with what is planted on top."""
    chance = random.Random(seed)
    stages = {
        name: [ms * chance.lognormvariate(0, 0.35) + (extra or {}).get(name, 0.0) for _ in range(n)]
        for name, ms in STAGES.items()
    }
    voices = [sum(times[k] for times in stages.values()) for k in range(n)]
    answers = [
        Answer(at_s=k / 2, lane="chat", free=k % 4 > 0, voice_ms=ms + 9000, frame_ms=ms + 9005, waited_ms=9000)
        for k, ms in enumerate(voices)
    ]
    profile = Profile(
        rooms=6,
        events={"chat": n},
        outcomes={"chat": {"answered": n}},
        reasons={},
        refusals={},
        answers=answers,
        stages=stages,
        lost=list(lost),
        twice=[],
    )
    way = Way(requests=n, items=n, refused={}, unreadable=0, answer_ms=stages["gateway"], answer_p99_ms=9.0)
    return Result(
        made_at="2026-11-25T23:00:00+00:00",
        machine="2 cores",
        commit="abc",
        target="lydia up",
        rungs=["espeak"],
        traced=True,
        seconds=60,
        watched_s=80,
        load={"seed": "2112"},
        not_pushed={},
        lag=Lag(n=n, p50_ms=0.2, p99_ms=1.5, max_ms=3),
        blind_s=0,
        ways={"direct": way},
        profiles={"quiet": profile},
    )


def test_fifty_milliseconds_of_sleep_in_speech_are_found_and_speech_is_named() -> None:
    found = compare(result(1), result(2, extra={"speech": 50}))
    assert found.worse
    assert {one.measure for one in found.slower if one.measure.startswith("stage")} == {"stage speech"}
    assert "stage speech: p50" in found.told()[0]
    assert any(one.measure == "chat: first voice, without the wait" for one in found.slower)


@pytest.mark.parametrize("seed", range(3, 11))
def test_two_runs_of_the_same_code_are_not_called_worse(seed: int) -> None:
    assert not compare(result(1), result(seed)).worse


def test_a_machine_that_changes_within_a_run_is_noise_and_not_a_regression() -> None:
    steady, shaken = result(1), result(2)
    half = [ms * (3 if k >= 60 else 1) for k, ms in enumerate(shaken.profiles["quiet"].stages["speech"])]
    profile = shaken.profiles["quiet"].model_copy(
        update={"stages": {**shaken.profiles["quiet"].stages, "speech": half}, "answers": []}
    )
    found = compare(steady, shaken.model_copy(update={"profiles": {"quiet": profile}}))
    assert all(one.verdict != "slower" for one in found.differences if one.share == 0.5)


def test_a_hundred_milliseconds_less_are_told_as_faster() -> None:
    found = compare(result(1, extra={"chat": 100}), result(2))
    assert not found.worse
    assert {one.measure for one in found.differences if one.verdict == "faster"} >= {"stage chat"}


def test_a_few_values_prove_nothing() -> None:
    found = compare(result(1, n=6), result(2, n=6, extra={"speech": 50}))
    assert not found.slower
    assert {one.verdict for one in found.differences} == {"too few"}


def test_a_lost_gift_is_named_by_its_id_and_makes_the_run_worse() -> None:
    found = compare(result(1), result(2, lost=(GIFT,)))
    assert found.worse
    assert found.told() == ["lost: gift f00d in load-quiet-0: between …"]
    assert not compare(result(1, lost=(GIFT,)), result(2, lost=(GIFT,))).worse


def test_what_makes_two_runs_unlike_is_told() -> None:
    other = result(2).model_copy(update={"machine": "64 cores", "load": {"seed": "1"}})
    assert list(compare(result(1), other).unlike) == ["machine: 2 cores then, 64 cores now", "seed: 2112 then, 1 now"]


def test_objectives_are_checked_against_what_was_found() -> None:
    wanted = Objectives(lost=0, send_lag_p99_ms=1, profiles={"quiet": ProfileObjectives(voice_p95_ms=1000)})
    kept = {one.name: one.kept for one in check(result(1, lost=(GIFT,)), wanted)}
    assert kept == {
        "the harness sent on time: lateness p99": False,
        "taken, and lost": False,
        "quiet: first voice of a message, without the wait to be chosen: p95": True,
    }


def test_messages_that_nobody_answered_do_not_keep_an_objective_of_latency() -> None:
    silent = result(1, n=0)
    silent.profiles["quiet"].outcomes["chat"] = {"waiting": 3}
    wanted = Objectives(profiles={"quiet": ProfileObjectives(voice_p95_ms=1000)})
    assert [one.kept for one in check(silent, wanted)] == [False]


def test_the_objectives_file_is_readable_and_a_misspelt_one_is_refused(tmp_path: Path) -> None:
    assert objectives(OBJECTIVES).lost == 0
    file = tmp_path / "objectives.yaml"
    file.write_text("lots: 0\n")
    with pytest.raises(Unfit, match="lots"):
        objectives(file)


def test_a_result_is_the_same_when_it_is_read_again_and_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    result(1).save(file)
    assert load(file) == result(1)
    file.write_text("{}")
    with pytest.raises(Unfit, match="is no result of this version"):
        load(file)
    with pytest.raises(Unfit, match="cannot be read"):
        load(tmp_path / "nowhere.json")
