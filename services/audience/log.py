"""A room's log: everything that happened to it and what was decided, for `lydia replay`.

A file holds LogEntry messages, each with its length before it. It holds names and words of viewers.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from google.protobuf.message import DecodeError
from google.protobuf.proto import parse_length_prefixed, serialize_length_prefixed

from services.audience.ledger import Outputs
from services.core.events import (
    Control,
    EpochTaken,
    Heard,
    LogEntry,
    LogHeader,
    LogStep,
    Performed,
    RoomSnapshot,
    Tick,
)
from services.core.settings import Audience as Policy

log = logging.getLogger(__name__)

VERSION = 1
SUFFIX = ".lydialog"


class BadLog(Exception):
    """The file is no log that this version can replay; the text says why."""


def log_path(folder: Path, room_id: str, started_ms: int) -> Path:
    """One file for each room and run of the service: a run that was cut off may have left half an entry."""
    return folder / f"{quote(room_id, safe='')}-{started_ms}{SUFFIX}"


def header(room_id: str, policy: Policy, snapshot: RoomSnapshot, now_ms: int) -> LogEntry:
    """The room is taken up. To be called before a director changes the snapshot."""
    settings = policy.model_dump_json(exclude={"words"})
    entry = LogHeader(version=VERSION, room_id=room_id, settings=settings, snapshot=snapshot, at_ms=now_ms)
    return LogEntry(header=entry)


def step(happened: Heard | Performed | Control | Tick | EpochTaken, outputs: Outputs, now_ms: int) -> LogEntry:
    """One step of the room's director."""
    entry = LogStep(
        now_ms=now_ms,
        controls=outputs.controls,
        turns=[opened.turn for opened in outputs.opened],
        decisions=[told.decision for told in outputs.told],
    )
    match happened:
        case Heard():
            entry.heard.CopyFrom(happened)
        case Performed():
            entry.performed.CopyFrom(happened)
        case Control():
            entry.control.CopyFrom(happened)
        case EpochTaken():
            entry.epoch_taken.CopyFrom(happened)
        case Tick():
            entry.tick.SetInParent()
    return LogEntry(step=entry)


class RoomLog:
    """Writes each entry with one unbuffered call, so that all complete entries outlive the process.

    A disk that takes no more ends the recording, not the show.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            log.warning("the room is not recorded: %s", error)

    def write(self, entry: LogEntry) -> None:
        """Appends it."""
        if self._file is None:
            return
        try:
            self._file.write(packed(entry))
        except OSError as error:
            log.warning("the recording of the room ends: %s", error)
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def packed(entry: LogEntry) -> bytes:
    """As a file holds it."""
    buffer = io.BytesIO()
    serialize_length_prefixed(entry, buffer)
    return buffer.getvalue()


def read(path: Path) -> Iterator[LogEntry]:
    """The complete entries of a file; half an entry at its end is left out. Raises BadLog."""
    try:
        with path.open("rb") as file:
            while entry := _next(file):
                yield entry
    except OSError as error:
        raise BadLog(f"{path}: cannot be read ({error})") from None


def _next(file: BinaryIO) -> LogEntry | None:
    try:
        return parse_length_prefixed(LogEntry, cast(io.BytesIO, file))
    except (DecodeError, ValueError, OverflowError, MemoryError) as error:
        if not file.read(1):
            return None
        raise BadLog(f"{file.name}: is no log of a room ({error})") from None
