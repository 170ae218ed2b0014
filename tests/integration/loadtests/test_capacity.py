"""What the capacity plan is made of, read from a real `lydia up`."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console
from rich.progress import Progress

from loadtests.capacity.__main__ import arguments, main
from loadtests.capacity.measure import Wanted, measure
from loadtests.capacity.measured import UP
from loadtests.capacity.processes import TICKS_PER_S, machine_cpu_s, used


@pytest.mark.timeout(200)
async def test_a_speaking_room_with_a_crowd_leaves_its_figures() -> None:
    with Progress(console=Console(file=io.StringIO())) as progress:
        steps = [step async for step in measure(UP, "fast", [Wanted(speaking=1, crowd_per_s=20)], 2.0, progress)]
    (step,) = steps
    assert set(step.cpu_s) == {"lydia", "redis", "fast voice"}
    assert step.cpu_s["lydia"] > 0
    assert step.resident_mb["redis"] > 1
    assert 1 <= step.events <= 41
    assert step.records["lydia.audience"] >= step.events
    assert step.sound_s >= step.voice_s
    assert step.stream_mb > 0


BURN = "import time; sum(i * i for i in range(2_000_000)); print(time.process_time(), flush=True)"
PARENT = (
    f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {BURN!r}]); "
    "print('ended', flush=True); time.sleep(60)"
)


def test_a_process_is_read_with_what_its_ended_children_used() -> None:
    before = machine_cpu_s()
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            burnt = float(process.stdout.readline())
            process.stdout.readline()  # once the parent knows that its child has ended
            found = used(process.pid)
        finally:
            process.kill()
    assert found.cpu_s >= burnt - 2 / TICKS_PER_S
    assert found.resident_mb > 1
    assert machine_cpu_s() - before >= burnt / 2
    assert used(process.pid).cpu_s == 0


def command(*words: str) -> tuple[int, str]:
    """The plan as a person asks for it: exit code and what it printed."""
    out = io.StringIO()
    return main(arguments().parse_args(words), Console(file=out)), out.getvalue()


def test_the_plan_is_printed_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = command("20", "--gpu")
    assert code == 0
    assert "USD for a room and hour" in printed
    assert command("20", "--simulate", "--json", "--assume", "scale_every_s=300")[0] == 0
    (planned,) = json.loads(capsys.readouterr().out)
    assert planned["rooms"] == 20
    assert [minute["late"] for minute in planned["minutes"][:2]] == [0, 0]


def test_what_is_assumed_is_listed_with_why() -> None:
    code, printed = command("--assumptions", "--assume", "core_hour=2112")
    assert code == 0
    assert "2112" in printed
    assert "given" in printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["0"], "0 rooms: must be from 1"),
        (["--voice", "loud"], "loud on cluster: not measured. Mend: run"),
        (["--measured", "/nowhere.json"], "nothing was measured yet. Mend: run"),
        (["--assume", "core_our=1"], "core_our: no such assumption"),
    ],
)
def test_wrong_questions_are_told_what_is_wrong(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words)[0] == 2
    assert told in capsys.readouterr().err
