"""The harness against a real `lydia up` and a whole cluster: a quiet audience, and a gateway that loses gifts."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from loadtests.load.__main__ import arguments, main
from loadtests.load.faulty import LOSE, LOST
from loadtests.load.plan import Load, plan
from loadtests.load.result import load
from loadtests.load.run import run
from loadtests.load.stages import SEEN, TRACED
from loadtests.load.target import PUSH_SECRETS, clustered, started

PATIENT = """
send_lag_p99_ms: 60000
lost: 0
twice: 0
profiles: {quiet: {paid_waiting: 0}}
"""
"""No word about speed: that depends on the machine."""


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    file = tmp_path / "objectives.yaml"
    file.write_text(PATIENT)
    return file


async def command(*words: str) -> tuple[int, str]:
    """The harness as a person starts it: exit code and what it printed."""
    out = io.StringIO()
    code = await main(arguments().parse_args(words), Console(file=out, width=200))
    return code, out.getvalue()


@pytest.mark.timeout(400)
async def test_a_quiet_audience_loses_nothing_and_the_report_says_so(tmp_path: Path, patient: Path) -> None:
    page, seconds = tmp_path / "reports" / "quiet.html", "15"
    code, printed = await command(
        "--profile", "quiet:2", "--seconds", seconds, "--drain", "90", "--speed", "5", "--processes", "2",
        "--repeated", "0.2", "--out", str(page), "--objectives", str(patient),
    )  # fmt: skip
    assert code == 0, printed
    found = load(page.with_suffix(".json"))
    quiet = found.profiles["quiet"]
    assert found.traced
    assert set(found.ways) == {"douyin", "direct"}
    assert not quiet.refusals
    assert quiet.outcomes["chat"]["answered"] > 0
    assert set(quiet.outcomes["chat"]) <= {"answered", "dropped"}
    assert set(quiet.stages) == set(TRACED)
    assert all(one.frame_ms is not None and one.voice_ms > 0 for one in quiet.answers)
    assert "Objectives kept" in page.read_text()
    assert "kept   taken, and lost: 0" in printed


@pytest.mark.timeout(400)
@pytest.mark.parametrize("target_of", [started, clustered])
async def test_gifts_that_vanish_between_gateway_and_bus_are_named_by_their_ids(
    target_of: Callable[..., Any], tmp_path: Path
) -> None:
    load_ = Load({"busy": 2}, 10, only=("gift",), repeated=0, ways=("direct",))
    planned = plan(load_)
    note = tmp_path / "lost.txt"
    faults = {LOSE: "10", LOST: str(note)}
    module = "loadtests.load.faulty"
    async with target_of(voice="fast", speed=50, traced=True, module=module, settings=faults) as target:
        with Progress(console=Console(file=io.StringIO())) as progress:
            found = await run(target, planned, processes=1, drain_s=120, progress=progress)
        busy = found.profiles["busy"]
        assert sorted(one.event_id for one in busy.lost) == sorted(note.read_text().split()) != []
        assert all(one.where.startswith("between gateway and audience") for one in busy.lost)
        assert all("last in its trace: receive direct" in one.where for one in busy.lost)
        assert busy.outcomes["paid"] == {"answered": busy.events["gift"] - len(busy.lost), "lost": len(busy.lost)}
        assert not busy.twice


@pytest.mark.timeout(300)
async def test_one_that_runs_already_is_measured_from_outside_and_compared_with_itself(
    tmp_path: Path, patient: Path
) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps(PUSH_SECRETS))
    async with started(voice="fast", speed=20, traced=False) as target:
        words = ("--address", target.address, "--push-secrets", str(secrets), "--profile", "quiet:2", "--seconds", "5")
        for name, more in (("first", ()), ("second", ("--against", str(tmp_path / "first.json")))):
            page = tmp_path / f"{name}.html"
            _, printed = await command(*words, *more, "--out", str(page), "--objectives", str(patient))
            found = load(page.with_suffix(".json"))
            assert not found.traced
            assert set(found.profiles["quiet"].stages) == set(SEEN)
            assert set(found.ways) == {"douyin", "direct"}
            assert "MISSED" not in printed
    assert "against the earlier run" in printed
    assert "Against the earlier run" in page.read_text()


async def test_a_target_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    code, printed = await command("--address", "127.0.0.1:9", "--out", str(tmp_path / "none.html"))
    assert code == 2
    assert "nobody answers at 127.0.0.1:9" in printed
    assert not (tmp_path / "none.html").exists()


async def test_wrong_options_are_told_before_anything_starts(tmp_path: Path) -> None:
    for words, told in (
        (("--profile", "loud"), "there is no profile 'loud'"),
        (("--profile", "quiet:many"), "write it like quiet or quiet:4"),
        (("--address", "127.0.0.1:9", "--way", "douyin"), "needs --push-secrets"),
        (("--address", "127.0.0.1:9", "--cluster"), "give one of them"),
        (("--against", str(tmp_path / "nowhere.json")), "cannot be read"),
    ):
        code, printed = await command(*words, "--out", str(tmp_path / "none.html"))
        assert code == 2
        assert told in " ".join(printed.split())


async def test_a_harness_that_is_told_to_end_leaves_no_lydia_behind(tmp_path: Path) -> None:
    harness = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.load", "--out", str(tmp_path / "none.html"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        while not (started_here := _lydia_below(harness.pid)):
            assert harness.returncode is None
            await asyncio.sleep(0.1)
        harness.terminate()
        assert await harness.wait() == 130
        with pytest.raises(ProcessLookupError):
            os.kill(started_here, 0)
    finally:
        if harness.returncode is None:
            harness.kill()
            await harness.wait()


def _lydia_below(pid: int) -> int | None:
    """The process of a Lydia that another process has started."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if "services.cli" in Path(f"/proc/{child}/cmdline").read_text():
            return int(child)
    return None
