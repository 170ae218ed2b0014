"""`lydia record`: makes a file for `lydia replay` of what a room's topics hold, and compares it with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message

from services.audience.log import packed
from services.core import topics
from services.core.bus.port import Bus, Record
from services.core.envelope import unseal
from services.core.events import Control, LogEntry
from services.core.settings import Settings
from services.core.telemetry import Telemetry
from services.servers import Servers

DECIDED = (topics.TURNS, topics.DECISIONS, topics.CONTROL)
Decided = dict[tuple[str, str], bytes]
"""Topic and the event's own id → its bytes."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a room's topics."""

    entries: int
    """In the file."""
    decided: int
    """Turns, decisions and controls of the file."""
    differences: tuple[str, ...]
    """Those that the topics do not hold just so, for people."""


async def run(settings: Settings, room_id: str, path: Path) -> tuple[str, int]:
    """The command, on the cluster that the settings name: what it says, and its exit code. Waits for the servers.

    Raises CannotStart, BusUnavailable, OSError.
    """
    async with AsyncExitStack() as stack:
        bus, _, _ = await Servers(settings, "record", Telemetry("record").metrics).reach(stack)
        return shown(await record(bus, room_id, path), room_id, path)


async def record(bus: Bus, room_id: str, path: Path) -> Recorded:
    """Writes the room's log, from the first time that it was taken up and that is still retained.

    Entries that came twice are written once. Raises BusUnavailable, Malformed, OSError.
    """
    entries: dict[str, LogEntry] = {}
    async for found in bus.read(topics.STEPS):
        if found.key == room_id:
            entry = unseal(found, LogEntry)
            if entries or entry.HasField("header"):
                entries.setdefault(found.headers["ce_id"], entry)
    if not entries:
        return Recorded(0, 0, ())
    await asyncio.to_thread(path.write_bytes, b"".join(packed(entry) for entry in entries.values()))
    in_file = dict(_decided(entries.values()))
    on_topics: Decided = {}
    for topic in DECIDED:
        async for found in bus.read(topic):
            if found.key == room_id and (known := _id(found)):
                on_topics[known] = found.value
    return Recorded(len(entries), len(in_file), tuple(_differences(in_file, on_topics)))


def _decided(entries: Iterable[LogEntry]) -> Iterator[tuple[tuple[str, str], bytes]]:
    for entry in entries:
        step = entry.step
        yield from (((topics.CONTROL, each.control_id), _bytes(each)) for each in step.controls)
        yield from (((topics.TURNS, each.turn_id), _bytes(each)) for each in step.turns)
        yield from (((topics.DECISIONS, each.decision_id), _bytes(each)) for each in step.decisions)


def _bytes(event: Message) -> bytes:
    return event.SerializeToString(deterministic=True)


def _id(found: Record) -> tuple[str, str] | None:
    """None for what the room's director has not decided: an operator's control."""
    if found.topic == topics.CONTROL and unseal(found, Control).issued_by != "audience":
        return None
    return found.topic, found.headers["ce_id"]


def _differences(in_file: Decided, on_topics: Decided) -> Iterator[str]:
    for (topic, event_id), value in in_file.items():
        there = on_topics.get((topic, event_id))
        if there != value:
            yield f"{topic} {event_id}: {'is not there' if there is None else 'says something else'}"


def shown(recorded: Recorded, room_id: str, path: Path) -> tuple[str, int]:
    """For people, and the exit code: 0, 1 when topics and file differ, 2 when there is nothing."""
    if not recorded.entries:
        return f"room {room_id} is not recorded on the bus. Mend: LYDIA_RECORD_TOPIC=true for audience", 2
    told = f"{path}: {recorded.entries} entries with {recorded.decided} turns, decisions and controls of room {room_id}"
    if recorded.differences:
        return "\n".join((f"{told}; the topics differ:", *recorded.differences[:20])), 1
    return f"{told}, each as on its topic, byte for byte", 0
