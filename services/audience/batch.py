"""A batch of one room's records on its way from who reads the topics to who has the room, and the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from google.protobuf.message import DecodeError

from services.core import topics
from services.core.bus.port import Record
from services.core.events import Outbox

READS = topics.READERS["audience"]
"""The topics that audience decides on."""
URGENT = frozenset((topics.PERFORMED, topics.CONTROL))
"""What the stage heard and what an operator orders overtakes what viewers do."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch."""

    finished: int
    """Records from the beginning that are finished; the others must be handed in again."""
    lives: bool
    """Whether something goes on in the room without further records, so that somebody must go on having it."""
    because: str = ""
    """Why not all are finished: something that waiting mends."""

    def pack(self) -> bytes:
        """As JSON, for the way."""
        return json.dumps(asdict(self)).encode()


class RoomsAway(Exception):
    """Nobody answered for the room; nothing of the call is promised to have happened. The text says what is wrong."""


class Rooms(Protocol):
    """Whoever has the rooms."""

    async def take(self, room_id: str, records: Sequence[Record]) -> Taken:
        """As `Audience.take`. Raises RoomsAway. May be cancelled."""


class Garbled(Exception):
    """Bytes that are no batch and no answer."""


def pack(records: Sequence[Record]) -> bytes:
    """The records of one room, for the way. Their headers go along, and with them each record's trace."""
    entries = [Outbox.Entry(topic=r.topic, value=r.value, headers=dict(r.headers)) for r in records]
    return Outbox(entries=entries).SerializeToString(deterministic=True)


def unpack(room_id: str, batch: bytes) -> list[Record]:
    """The records of a batch. Raises Garbled."""
    try:
        entries = Outbox.FromString(batch).entries
    except DecodeError as error:
        raise Garbled(f"is no batch of records: {error}") from None
    records = [Record(entry.topic, room_id, entry.value, dict(entry.headers)) for entry in entries]
    for record in records:
        if record.topic not in READS:
            raise Garbled(f"holds a record of {record.topic!r}, which is not for audience")
    return records


def answer(packed: bytes) -> Taken:
    """What `Taken.pack` packed. Raises Garbled."""
    try:
        told = json.loads(packed)
        return Taken(int(told["finished"]), bool(told["lives"]), str(told["because"]))
    except (ValueError, TypeError, KeyError):
        raise Garbled("is no answer to a batch") from None
