"""One room in the hands of the audience service: its director, and what of its decisions is not carried out yet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from services.audience.director import Director, Input
from services.audience.ledger import Outputs
from services.audience.log import RoomLog, step
from services.core.bus.port import Delivery, Record
from services.core.events import Control, Decision, LogEntry, Turn
from services.core.state.port import Lease


@dataclass(slots=True)
class Unsettled:
    """What follows from one or more steps, until the state and the bus have it."""

    outputs: list[Outputs] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)
    """For the topic of the rooms' logs."""
    epochs: list[int] = field(default_factory=list)
    """Numbers that its steps took without asking the state."""
    records: list[Record] | None = None
    """Sealed once, so that a repetition publishes the same bytes."""

    def controls(self) -> list[Control]:
        return [control for outputs in self.outputs for control in outputs.controls]

    def turns(self) -> list[Turn]:
        return [opened.turn for outputs in self.outputs for opened in outputs.opened]

    def decisions(self) -> list[Decision]:
        return [told.decision for outputs in self.outputs for told in outputs.told]


@dataclass(slots=True, eq=False)
class Room:
    """Only who holds `lock` steps it."""

    room_id: str
    lease: Lease
    """Without it nothing that the director decides can be carried out."""
    director: Director
    recording: RoomLog | None
    on_topic: bool = False
    """Whether its log goes to the topic of the rooms' logs."""
    entry: int = 0
    """Of its log on the topic, the number of the next one since it was taken up."""
    sure_from: float = 0.0
    """From when on, by the clock, its records are not looked up before they are taken in."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stepped: Delivery | None = None
    """The record taken in last: when carrying out its effects fails it is handed in again, but not stepped again."""
    unsettled: Unsettled = field(default_factory=Unsettled)
    wants_epoch: bool = False
    wake_at_ms: int | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `wake_at_ms` may have changed."""
    closed: bool = False
    """Somebody else has unloaded it: look it up again."""

    def step(self, happened: Input, now_ms: int) -> None:
        """Lets the director decide and keeps what follows."""
        outputs = self.director.step(happened, now_ms)
        if self.recording is not None or self.on_topic:
            self.log(step(happened, outputs, now_ms))
        self.unsettled.outputs.append(outputs)
        self.unsettled.records = None
        self.wants_epoch = outputs.wants_epoch
        self.wake_at_ms = outputs.wake_at_ms
        self.changed.set()

    def log(self, entry: LogEntry) -> None:
        """Records it, in a file now, on the topic with what else follows from the step."""
        if self.recording is not None:
            self.recording.write(entry)
        if self.on_topic:
            self.unsettled.entries.append(entry)

    def pressing(self) -> bool:
        """Whether something is to be carried out that others wait for."""
        return self.wants_epoch or any(outputs.opened or outputs.controls for outputs in self.unsettled.outputs)

    def resting(self) -> bool:
        """Whether it may be unloaded: all it knows is in the state, and time alone changes nothing."""
        return self.wake_at_ms is None and not self.director.busy and not self.unsettled.outputs
