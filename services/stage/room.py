"""One room on the stage: its media clock, its timeline, its body, and the renderers that draw it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from services.core.clock import Clock
from services.core.events import (
    Caption,
    Decision,
    Hello,
    MotionChunk,
    Performed,
    Performing,
    RoomStatus,
    StageFrame,
    StageMotion,
    StageStop,
    StageVoice,
    Turn,
    VoiceChunk,
)
from services.core.ids import derived
from services.core.settings import Stage as Settings
from services.motion.face import NAMES
from services.motion.frames import to_bytes
from services.motion.joints import JOINTS
from services.stage.body import Body
from services.stage.timeline import FRAME, RATE, Began, Effect, Pose, Report, Silence, Sound, Timeline, Words

log = logging.getLogger(__name__)

LABEL = "数字人主播 · 内容由AI生成"
"""The AI label of every performance (GB 45438-2025 and the platforms' rules). Not a setting, on purpose."""
TICK_S = 0.4
"""How often frames are sent while somebody watches."""
FRAMES_AHEAD = 60
"""How many frames are sent ahead of their time (a second). Those that turn out otherwise are sent again."""
FRAMES_AT_ONCE = 16
"""Fewer wait for the next tick, long before their time: a message costs the same, however few are in it."""
UNSEEN = frozenset(
    (
        Decision.REASON_DUPLICATE,
        Decision.REASON_MODERATED,
        Decision.REASON_WITHDRAWN,
        Decision.REASON_SKIPPED,
        Decision.REASON_EXPIRED,
        Decision.REASON_QUEUE_FULL,
        Decision.REASON_FLOODING,
        Decision.REASON_NOT_PERFORMED,
    )
)
"""Decisions for these reasons tell of nothing that she would look at: it is old, or not for the room."""
DECISIONS = 30
"""So many of the latest choices are told to a renderer that joins."""
RENDERER_QUEUE = 256
"""Messages waiting for one renderer; a renderer that falls behind further is disconnected and comes back fresh."""


@dataclass(eq=False)
class Renderer:
    """A connection that draws the room."""

    messages: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(RENDERER_QUEUE))
    sequence: int = 0
    lost: bool = False

    def put(self, content: bytes) -> None:
        """Queues a message. When the queue is full the renderer is lost."""
        if self.messages.full():
            self.lose()
        elif not self.lost:
            self.messages.put_nowait(content)

    def lose(self) -> None:
        """Takes no further message; None tells its sender to hang up."""
        if self.lost:
            return
        self.lost = True
        if self.messages.full():
            self.messages.get_nowait()
        self.messages.put_nowait(None)


class Room:
    """Owned by the stage, which runs `run` for as long as the room lives."""

    def __init__(
        self,
        room_id: str,
        *,
        clock: Clock,
        settings: Settings,
        status: RoomStatus,
        resume: tuple[str, int] | None,
        report: Callable[[Report], Awaitable[None]],
        began: Callable[[Began], None],
    ) -> None:
        self.room_id = room_id
        self.status = status
        self.renderers: set[Renderer] = set()
        self.consoles: set[Renderer] = set()
        self._clock = clock
        self._speed = settings.speed
        self._settings = settings
        self._opened = clock.monotonic()
        self._report = report
        self._began = began
        self._body = Body(int(derived("idle", room_id)[:8], 16))
        self.timeline = Timeline(
            lead=settings.lead_ms * RATE // 1000, ahead=settings.ahead_ms * RATE // 1000, resume=resume
        )
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._frames_sent_until = 0
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=1000)
        self._reports: asyncio.Queue[Report] = asyncio.Queue(1000)
        self._turn: Turn | None = None
        self._performing: bytes | None = None
        self._begun: Began | None = None
        """Of the turn that is performed."""
        self._decisions: deque[bytes] = deque(maxlen=DECISIONS)
        self.last_used = clock.monotonic()

    def now(self) -> int:
        """The room's media sample at this moment."""
        return int((self._clock.monotonic() - self._opened) * RATE * self._speed)

    @property
    def silenced(self) -> bool:
        """Whether an operator wants her silent: no voice is taken, whatever the other services know of it."""
        return self.status.panic or self.status.muted

    @property
    def turn_id(self) -> str:
        """Of the turn that is performed; "" when none is."""
        return self._begun.turn_id if self._begun is not None else ""

    @property
    def busy(self) -> bool:
        """Whether somebody watches or something is performed."""
        return (
            bool(self.renderers or self.consoles) or self.timeline.performing is not None or not self._reports.empty()
        )

    def voice(self, chunk: VoiceChunk) -> bool:
        """Takes a chunk; False when it will not be performed."""
        taken = self.timeline.voice(chunk, self.now())
        self.rung("chat", chunk.words_rung)
        self.rung("speech", chunk.rung)
        self.wake()
        return taken

    def motion(self, chunk: MotionChunk) -> bool:
        """Takes the frames of a chunk; False when they will not be performed."""
        taken = self.timeline.motion(chunk)
        self.rung("motion", chunk.rung)
        self.wake()
        return taken

    def rung(self, part: Literal["chat", "speech", "motion"], name: str) -> None:
        """The rung that a part of her uses now; a change is told at once. "" says nothing."""
        if name and name != getattr(self.status, f"{part}_rung"):
            setattr(self.status, f"{part}_rung", name)
            self.send_status()

    def interrupt(self, epoch: int, *, reason: str, keep: bool = False) -> None:
        """Everything below the epoch is dead, from this moment on."""
        if not keep:
            self._body.speaks(self._soon())
            self._resend_frames(self._soon() // FRAME)
        self._apply(self.timeline.interrupt(epoch, self.now(), reason=reason, keep=keep))
        self.status.epoch = max(self.status.epoch, epoch)
        self.wake()

    def said(self, text: str) -> None:
        """An operator's text has its turn, and waits no more."""
        if text in self.status.says:
            self.status.says.remove(text)
            self.send_status()

    def dismiss(self) -> None:
        """Everybody who is connected has to come again."""
        for renderer in self.renderers | self.consoles:
            renderer.lose()

    def turn(self, turn: Turn) -> None:
        """The turn that will be performed next, for renderers to show whom it answers. She turns to it meanwhile."""
        self._turn = turn
        if self._begun is not None and self._begun.turn_id == turn.turn_id:  # it came later than its voice
            self._send_performing(turn.turn_id, turn.epoch, self._begun.start, speaking=True)
        self._show(self._body.turns_to(turn, self._soon(), speaking=self.timeline.performing is not None))

    def decision(self, decision: Decision) -> None:
        """A choice, for renderers to show; those who join later get the latest ones. She notices what is new."""
        if decision.outcome != Decision.OUTCOME_CHOSEN and decision.reason not in UNSEEN:
            speaking = self.timeline.performing is not None
            self._show(self._body.notices(decision.event, self._soon(), speaking=speaking))
        serialized = StageFrame(decision=_public(decision)).SerializeToString()
        self._decisions.append(serialized)
        for renderer in self.renderers | self.consoles:
            renderer.put(serialized)

    def _soon(self) -> int:
        """The media sample of the first frame that can still be changed everywhere."""
        return -(-(self.now() + self._settings.lead_ms * RATE // 1000) // FRAME) * FRAME

    def _show(self, changed: bool) -> None:
        if changed:
            self._resend_frames(self._soon() // FRAME)
            self.wake()

    def send_status(self) -> None:
        """Tells renderers how things stand."""
        self.status.renderers = len(self.renderers)
        self._send(StageFrame(status=self.status))

    def wake(self) -> None:
        """There is something to do before the next tick."""
        self.last_used = self._clock.monotonic()
        self._wake.set()

    @contextlib.contextmanager
    def joined(self, *, console: bool = False) -> Iterator[Renderer]:
        """A renderer for as long as the context lasts. It gets what is still to be heard, then all that follows.

        A console gets everything but voice and frames, and does not count as somebody who watches.
        """
        renderer = Renderer()
        company = self.consoles if console else self.renderers
        now = self.now()
        hello = Hello(
            room_id=self.room_id,
            sample_rate=RATE,
            frame_rate=RATE // FRAME,
            face_names=NAMES,
            joints=JOINTS,
            label=LABEL,
            lead_ms=self._settings.lead_ms,
            status=self.status,
        )
        renderer.put(StageFrame(hello=hello).SerializeToString())
        for decision in self._decisions:
            renderer.put(decision)
        if self._performing is not None:
            renderer.put(self._performing)
        if not console:
            for end, content in self._recent:
                if end > now:
                    renderer.put(content)
            first, until = now // FRAME, max(self._frames_sent_until, now // FRAME + FRAMES_AHEAD)
            renderer.put(self._motion(first, until - first))
        company.add(renderer)
        self.send_status()
        self.wake()
        try:
            yield renderer
        finally:
            company.discard(renderer)
            self.send_status()
            self.wake()

    async def run(self) -> None:
        """Performs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell(), name=f"reports {self.room_id}")
            while True:
                self._wake.clear()
                self._apply(self.timeline.advance(self.now()))
                self._send_frames()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._wait()):
                        await self._wake.wait()

    async def finished(self) -> None:
        """Returns when no turn is on the stage and all reports are told."""
        while self.timeline.performing is not None:
            self._over.clear()
            await self._over.wait()
        await self._reports.join()

    async def _tell(self) -> None:
        while True:
            await self._report(await self._reports.get())
            self._reports.task_done()

    def _wait(self) -> float | None:
        """Seconds until something is due."""
        due = self.timeline.next_due(self.now())
        waits = [TICK_S] if self.renderers else []
        if due is not None:
            waits.append(max((due - self.now()) / (RATE * self._speed), 0.001))
        return min(waits, default=None)

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Began():
                    self._begun = effect
                    self._began(effect)
                    self._body.speaks(effect.start)
                    self._resend_frames(effect.start // FRAME)
                    self._send_performing(effect.turn_id, effect.epoch, effect.start, speaking=True)
                case Sound(turn_id, epoch, sequence, start, pcm, last):
                    voice = StageVoice(
                        turn_id=turn_id, epoch=epoch, sequence=sequence, start_sample=start, pcm_s16le=pcm, last=last
                    )
                    self._send(StageFrame(voice=voice), keep_until=start + len(pcm) // 2)
                case Pose(start, chunk):
                    self._body.forget(self.now() // FRAME)
                    self._body.perform(chunk.epoch, start, chunk)
                    self._resend_frames(start // FRAME)
                case Words():
                    self._send(StageFrame(caption=_caption(effect)), keep_until=effect.end)
                case Silence(epoch, at):
                    self._recent.clear()
                    self._send(StageFrame(stop=StageStop(epoch=epoch, at_sample=at, fade_ms=self._settings.fade_ms)))
                    self._body.stop(epoch, at)
                    self._resend_frames(at // FRAME)
                case Report():
                    self._reports.put_nowait(effect)
                    if effect.state not in (Performed.STATE_STARTED, Performed.STATE_HEARD):
                        self._begun = None
                        self._send_performing(effect.turn_id, effect.epoch, self.now(), speaking=False)
                        self._over.set()

    def _send_performing(self, turn_id: str, epoch: int, start: int, *, speaking: bool) -> None:
        known = self._turn is not None and self._turn.turn_id == turn_id
        turn = self._turn if known else Turn(turn_id=turn_id, room_id=self.room_id, epoch=epoch)
        content = StageFrame(performing=Performing(turn=turn, start_sample=start, speaking=speaking))
        self._performing = content.SerializeToString() if speaking else None
        self._send(content)

    def _send(self, content: StageFrame, *, keep_until: int = 0) -> None:
        serialized = content.SerializeToString()
        if keep_until:
            while self._recent and self._recent[0][0] <= self.now():
                self._recent.popleft()
            self._recent.append((keep_until, serialized))
        sounding = content.WhichOneof("content") == "voice"
        for renderer in self.renderers if sounding else self.renderers | self.consoles:
            renderer.put(serialized)

    def _resend_frames(self, first: int) -> None:
        """Frames from `first` on are others than those that were sent."""
        self._frames_sent_until = min(self._frames_sent_until, first)

    def _send_frames(self) -> None:
        if not self.renderers:
            return
        now = self.now() // FRAME
        first, until = max(self._frames_sent_until, now), now + FRAMES_AHEAD
        if until - first >= FRAMES_AT_ONCE:
            content = self._motion(first, until - first)
            for renderer in self.renderers:
                renderer.put(content)
            self._frames_sent_until = until

    def _motion(self, first: int, count: int) -> bytes:
        face, joints = to_bytes(self._body.frames(first, count))
        motion = StageMotion(
            start_sample=first * FRAME,
            frame_count=count,
            face_f32le=face,
            joints_f32le=joints,
            epoch=self.timeline.epoch,
        )
        return StageFrame(motion=motion).SerializeToString()


def _public(decision: Decision) -> Decision:
    """The choice as anybody may read it: without words that were refused or taken back."""
    if decision.reason not in (Decision.REASON_MODERATED, Decision.REASON_WITHDRAWN):
        return decision
    public = Decision()
    public.CopyFrom(decision)
    kind = public.event.WhichOneof("kind")
    if kind in ("chat", "super_chat"):
        getattr(public.event, kind).text = ""
    return public


def _caption(words: Words) -> Caption:
    return Caption(
        turn_id=words.turn_id,
        epoch=words.epoch,
        segment=words.segment,
        text=words.text,
        start_sample=words.start,
        end_sample=words.end,
        emotion=words.emotion,
        intensity=words.intensity,
        gesture=words.gesture,
    )


def numbered(renderer: Renderer, content: bytes, now: int) -> bytes:
    """A message as it goes out: its sequence number and the room's clock before its content.

    Serialised protobuf messages may be joined: the result is the merge of both.
    """
    head = StageFrame(sequence=renderer.sequence, now_sample=now).SerializeToString()
    renderer.sequence += 1
    return head + content
