"""A renderer that measures: it plays nothing, but knows when everything would have been heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from websockets.asyncio.client import connect

from services.core.events import LANE_PAID, StageFrame

RATE = 24_000


@dataclass(frozen=True)
class Stopped:
    """A StageStop as it arrived, and the moment at which its last old sample is heard."""

    at: float
    epoch: int
    silent_at: float


@dataclass
class Renderer:
    """One room's connection. Times are `time.perf_counter` seconds."""

    room_id: str
    speaking: bool = False
    thanking: bool = False
    """Whether what she says is of the paid lane, which nothing but an operator cuts."""
    quiet_since: float = field(default_factory=time.perf_counter)
    epoch: int = 0
    first_voice: dict[str, float] = field(default_factory=dict)
    """Event id → when the first voice of the turn that answers it arrived."""
    spoken_events: dict[str, int] = field(default_factory=dict)
    """Event id → in how many turns it was answered."""
    stops: list[Stopped] = field(default_factory=list)
    late_frames: int = 0
    """Voice or frames of an epoch that had been stopped before."""
    voice_samples: int = 0
    arrived_bytes: int = 0
    """Of everything that arrived."""
    gaps: int = 0
    """Voice that did not follow on within its turn."""
    longest_gap_s: float = 0.0
    _causes: dict[str, list[str]] = field(default_factory=dict)
    _next: dict[str, int] = field(default_factory=dict)
    _offset: float | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def heard_at(self, sample: int) -> float:
        """When a media sample is heard by a renderer with no buffer of its own."""
        return (self._offset or 0.0) + sample / RATE

    @property
    def voice_s(self) -> float:
        """Seconds of sound that arrived."""
        return self.voice_samples / RATE

    async def wait(self, timeout: float) -> None:
        """Until something arrives, or the time-out."""
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return

    def take(self, data: bytes) -> None:
        """One message from the stage."""
        now = time.perf_counter()
        self.arrived_bytes += len(data)
        frame = StageFrame.FromString(data)
        # The message that was under way for the shortest time tells the stage's clock best.
        offset = now - frame.now_sample / RATE
        self._offset = offset if self._offset is None else min(self._offset, offset)
        match frame.WhichOneof("content"):
            case "hello":
                self.epoch = frame.hello.status.epoch
            case "performing":
                self.speaking = frame.performing.speaking
                self.thanking = self.speaking and frame.performing.turn.lane == LANE_PAID
                if not self.speaking:
                    self.quiet_since = now
                turn = frame.performing.turn
                self._causes[turn.turn_id] = [event.event_id for event in turn.audience.events]
                if self.speaking:
                    for event_id in self._causes[turn.turn_id]:
                        self.spoken_events[event_id] = self.spoken_events.get(event_id, 0) + 1
            case "voice":
                self._voice(frame, now)
            case "motion":
                self.late_frames += frame.motion.epoch < self.epoch
            case "stop":
                self.epoch = max(self.epoch, frame.stop.epoch)
                silent = self.heard_at(frame.stop.at_sample) + frame.stop.fade_ms / 1000
                self.stops.append(Stopped(now, frame.stop.epoch, max(silent, now + frame.stop.fade_ms / 1000)))
        self._changed.set()

    def _voice(self, frame: StageFrame, now: float) -> None:
        voice = frame.voice
        self.late_frames += voice.epoch < self.epoch
        self.epoch = max(self.epoch, voice.epoch)
        self.voice_samples += len(voice.pcm_s16le) // 2
        expected = self._next.get(voice.turn_id, voice.start_sample)
        self.gaps += expected != voice.start_sample
        self.longest_gap_s = max(self.longest_gap_s, (voice.start_sample - expected) / RATE)
        self._next[voice.turn_id] = voice.start_sample + len(voice.pcm_s16le) // 2
        for event_id in self._causes.get(voice.turn_id, []):
            self.first_voice.setdefault(event_id, now)


@asynccontextmanager
async def watching(address: str, room_id: str) -> AsyncIterator[Renderer]:
    """A renderer of a room for as long as the context lasts. `address` is host:port."""
    renderer = Renderer(room_id)
    async with (
        connect(f"ws://{address}/rooms/{room_id}/stream", max_size=None, compression=None) as socket,
        asyncio.TaskGroup() as tasks,
    ):

        async def read() -> None:
            async for data in socket:
                if isinstance(data, bytes):
                    renderer.take(data)

        reading = tasks.create_task(read(), name=f"renderer {room_id}")
        yield renderer
        reading.cancel()
