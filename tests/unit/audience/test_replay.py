"""The same log gives the same show, byte for byte."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.proto import serialize_length_prefixed
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audience.log import BadLog, RoomLog, header, log_path, read, step
from services.audience.replay import replay, run
from services.core import virtual_time
from services.core.events import LogEntry, RoomSnapshot
from services.core.settings import Audience as Policy
from tests.unit.audience.house import House
from tests.unit.audience.room_in_hand import START_MS, RoomInHand
from tests.unit.audience.test_promises import Script, actions


async def show(folder: Path) -> None:
    """A show of a minute with a restart in it, as the service records it."""
    house = House(Policy(quiet_s=20, interrupt_fen=1000), record_dir=folder)
    async with house.running():
        await house.chat("开始聊天吧大家", "zoe")
        for i in range(6):
            await house.gift(10 if i else 5000, f"giver{i}", combo="c" if i == 3 else "")
            await house.chat(f"这是第{i}个问题，对吗？", f"viewer{i}")
            await asyncio.sleep(0.4)
        await asyncio.sleep(30)
    async with house.running():
        await house.chat("你好呀Lydia", "ann")
        await asyncio.sleep(30)


def test_a_show_recorded_by_the_service_replays_to_the_same_bytes(tmp_path: Path) -> None:
    virtual_time.run(show(tmp_path))
    paths = sorted(tmp_path.glob("*.lydialog"))
    assert len(paths) == 2
    lines: list[str] = []
    for path in paths:
        result = replay(path, lines.append)
        assert result.difference is None
        assert result.turns > 0
        assert result.decisions > 0
    assert any("paid: gift of" in line for line in lines)
    assert any("decision chosen" in line for line in lines)


@settings(max_examples=60, deadline=None)
@given(script=st.lists(actions, max_size=40))
def test_any_show_replays_to_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    show = Script()
    show.run([action for action in script if action != ("restart",)])
    path = write(folder, show.room)
    result = replay(path)
    assert result.difference is None
    assert result.steps == len(show.room.steps)


def write(folder: Path, room: RoomInHand) -> Path:
    path = log_path(folder, "room", START_MS)
    log = RoomLog(path)
    log.write(header("room", room.policy, RoomSnapshot(), START_MS))
    for happened, now_ms, outputs in room.steps:
        log.write(step(happened, outputs, now_ms))
    log.close()
    return path


def a_log(folder: Path) -> Path:
    room = RoomInHand()
    room.chat("你好呀Lydia")
    room.finish()
    room.gift()
    room.finish()
    return write(folder, room)


def test_a_changed_decision_is_found_and_shown(tmp_path: Path) -> None:
    path = a_log(tmp_path)
    entries = list(read(path))
    changed = next(entry for entry in entries if entry.step.decisions)
    changed.step.decisions[0].score += 1
    rewrite(path, entries)
    lines: list[str] = []
    assert run(path, lines.append) == 1
    assert "decision 0" in lines[-1]
    assert "recorded" in lines[-1]


def test_a_log_cut_off_in_an_entry_replays_up_to_the_last_complete_one(tmp_path: Path) -> None:
    path = a_log(tmp_path)
    whole = replay(path)
    content = path.read_bytes()
    for cut in range(1, 40):
        path.write_bytes(content[:-cut])
        assert replay(path).difference is None
        assert replay(path).steps < whole.steps


def test_a_good_log_ends_with_exit_code_zero(tmp_path: Path) -> None:
    lines: list[str] = []
    assert run(a_log(tmp_path), lines.append) == 0
    assert lines[-1].endswith("equal to the recording, byte for byte")


@pytest.mark.parametrize("content", [b"", b"no log at all, only words\n" * 10, b"\xff" * 200])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.lydialog"
    path.write_bytes(content)
    lines: list[str] = []
    assert run(path, lines.append) == 2
    assert lines


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLog, match="cannot be read"):
        replay(tmp_path / "none")


def test_a_log_of_another_version_is_refused(tmp_path: Path) -> None:
    path = a_log(tmp_path)
    entries = list(read(path))
    entries[0].header.version = 99
    rewrite(path, entries)
    with pytest.raises(BadLog, match="version 99"):
        replay(path)


def test_a_room_id_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    assert log_path(tmp_path, "../../etc/passwd", 1).parent == tmp_path


def test_a_disk_that_takes_nothing_does_not_stop_the_show(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    log = RoomLog(log_path(blocked, "room", 1))
    log.write(header("room", Policy(), RoomSnapshot(), START_MS))
    log.close()


def rewrite(path: Path, entries: list[LogEntry]) -> None:
    with path.open("wb") as file:
        for entry in entries:
            serialize_length_prefixed(entry, file)  # type: ignore[arg-type]
