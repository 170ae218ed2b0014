"""The faults' judge: what counts as speaking again, as an old frame, and as a round in which all was as promised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtests.faults.figures import BEGIN, END, PAGE, Measured, page, read, write
from loadtests.faults.kinds import OF_REPLICAS, faults
from loadtests.faults.room import Watcher
from loadtests.faults.rounds import AGAIN_S, Round
from services.core.events import StageFrame, StageMotion, StageStop, StageVoice
from services.core.virtual_time import virtual_time
from services.names import NAMES

WELL = Round("kill chat", 1, back_s=2.0, again_s=1.0, silence_s=3.0, old=0, sent=3, thanked=3)


def voice(epoch: int) -> bytes:
    return StageFrame(voice=StageVoice(epoch=epoch)).SerializeToString()


def motion(epoch: int) -> bytes:
    return StageFrame(motion=StageMotion(epoch=epoch)).SerializeToString()


def stop(epoch: int) -> bytes:
    return StageFrame(stop=StageStop(epoch=epoch)).SerializeToString()


def test_what_comes_of_an_epoch_that_was_stopped_or_overtaken_is_old() -> None:
    watcher = Watcher()
    for message in (voice(1), motion(1), motion(0), stop(2), voice(2), motion(2)):
        watcher.take(message, 1.0)
    assert watcher.old == 0
    for message in (voice(1), motion(1)):
        watcher.take(message, 2.0)
    assert watcher.old == 2


@virtual_time
async def test_she_speaks_when_voice_and_frames_of_one_turn_have_come_since_then() -> None:
    watcher = Watcher()
    watcher.take(voice(1), 1.0)
    watcher.take(motion(1), 5.0)
    watcher.take(motion(2), 6.0)
    assert await watcher.speaks(2.0, 0.0) is None, "the voice is older"
    watcher.take(voice(3), 7.0)
    assert await watcher.speaks(2.0, 0.0) is None, "frames of another turn"
    watcher.take(motion(3), 7.5)
    assert await watcher.speaks(2.0, 0.0) == 7.5


def test_the_longest_silence_counts_from_the_beginning_and_to_the_end() -> None:
    watcher = Watcher(voices=[0.0, 11.0, 12.0, 30.0])
    assert watcher.longest_silence_s(10.0, 14.5) == 2.5


@pytest.mark.parametrize(
    "changes",
    [
        {"again_s": None},
        {"again_s": AGAIN_S + 0.1},
        {"old": 1},
        {"doubled": 1},
        {"thanked": 2, "lost": 1},
        {"sent": 4},
    ],
)
def test_a_round_is_well_only_when_everything_was_as_promised(changes: dict[str, float | None]) -> None:
    assert WELL.well
    assert not replace(WELL, **changes).well  # type: ignore[arg-type]


def test_the_page_has_a_line_for_each_fault_with_the_sum_of_its_rounds_and_keeps_the_rest(tmp_path: Path) -> None:
    rounds = (WELL, replace(WELL, number=2, again_s=None, silence_s=9.0, sent=4))
    slow = Measured("a machine", "abc", 2.4, (replace(WELL, fault="slow Redis"),))
    write(tmp_path / "faults.json", {"slow Redis": slow, "kill chat": Measured("a machine", "def", 12.6, rounds)})
    written = page(f"before\n{BEGIN}old\n{END}after\n", read(tmp_path / "faults.json")).splitlines()
    assert (written[0], written[2], written[-1]) == ("before", "a machine.", "after")
    assert written[6:8] == [
        "| kill chat | 2 | 7 | 6 | 0 | 0 | 0 | 2.0 | inf | inf | 9.0 | 1 | 13 | def |",
        "| slow Redis | 1 | 3 | 3 | 0 | 0 | 0 | 2.0 | 1.0 | 1.0 | 3.0 | 1 | 2 | abc |",
    ]
    assert "old" not in written


def test_the_faults_page_has_a_place_for_the_figures() -> None:
    assert "| fault |" in page(PAGE.read_text(encoding="utf-8"), {})


def test_every_process_has_its_kill() -> None:
    assert {f"kill {name}" for name in (*NAMES, "kafka", "redis", "triton")} | set(OF_REPLICAS) <= faults().keys()
