"""A room's stream, written by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadtests.load.plan import Event, Load, Plan, Request, Room
from loadtests.load.seen import Seen
from loadtests.load.sending import Sent
from services.core.events import (
    LANE_CHAT,
    LANE_PAID,
    AudienceCause,
    AudienceEvent,
    Caption,
    Decision,
    Performing,
    StageFrame,
    StageMotion,
    StageStop,
    StageVoice,
    Turn,
    Viewer,
)

ROOM = "load-quiet-0"
RATE = 24_000


@dataclass
class Show:
    """One room, its plan and what happens there. Times in seconds."""

    events: dict[str, Event] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    seen: Seen = field(default_factory=lambda: Seen(ROOM))
    epochs: int = 0

    @property
    def plan(self) -> Plan:
        return Plan(
            Load({"quiet": 1}, 60),
            (Room(ROOM, "quiet", "direct", 1),),
            self.events,
            tuple(one.request for one in self.sent),
        )

    def send(self, event_id: str, at: float, lane: str = "chat", refusal: str = "", shed: int = 0) -> None:
        """An event is sent, and answered 10 ms later."""
        kind = "gift" if lane == "paid" else "chat"
        self.events[event_id] = Event(event_id, ROOM, "quiet", kind, lane)
        request = Request(at, ROOM, "direct", (event_id,), {})
        self.sent.append(Sent(request, at, at + 0.001, at + 0.01, refusal, shed=shed))

    def tell(self, event_id: str, at: float, outcome: str, reason: str = "PAID", turn_id: str = "") -> None:
        """A decision."""
        decision = Decision(
            event_id=event_id,
            outcome=f"OUTCOME_{outcome}",
            reason=f"REASON_{reason}",
            turn_id=turn_id,
        )
        self._take(StageFrame(decision=decision), at)

    def turn(
        self,
        turn_id: str,
        at: float,
        viewers: dict[str, list[str]],
        *,
        segment_s: float = 1.0,
        stopped: float | None = None,
        paid: bool = True,
        known_after: float | None = 0.0,
    ) -> None:
        """A turn is performed: a segment for each viewer, from `at` on, up to its end or to where it is stopped.

        The stage knows whom it answers so many seconds after its begin, or (None) not before its end.
        """
        self.epochs += 1
        events = [
            AudienceEvent(event_id=key, viewer=Viewer(id=viewer), received_at_ms=1000)
            for viewer, keys in viewers.items()
            for key in keys
        ]
        turn = Turn(
            turn_id=turn_id,
            epoch=self.epochs,
            lane=LANE_PAID if paid else LANE_CHAT,
            opened_at_ms=1005,
            audience=AudienceCause(events=events),
        )
        start, end = int(at * RATE), at + segment_s * len(viewers)
        if known_after != 0.0:
            bare = Turn(turn_id=turn_id, epoch=self.epochs)
            self._take(StageFrame(performing=Performing(turn=bare, start_sample=start, speaking=True)), at)
        if known_after is not None:
            told = StageFrame(performing=Performing(turn=turn, start_sample=start, speaking=True))
            self._take(told, at + known_after)
        for segment in range(len(viewers)):
            begins = at + segment * segment_s
            if stopped is not None and begins > stopped:
                break
            first, sounded = int(begins * RATE), int((begins + 0.8 * segment_s) * RATE)
            self._take(
                StageFrame(caption=Caption(turn_id=turn_id, segment=segment, start_sample=first, end_sample=sounded)),
                begins,
            )
            voice = StageVoice(turn_id=turn_id, epoch=self.epochs, start_sample=first)
            self._take(StageFrame(voice=voice), begins + 0.02)
            self._take(StageFrame(motion=StageMotion(start_sample=first, frame_count=60)), begins + 0.03)
        if stopped is not None:
            end = stopped
            self._take(StageFrame(stop=StageStop(epoch=self.epochs + 1, at_sample=int(stopped * RATE))), stopped)
        self._take(StageFrame(performing=Performing(turn=Turn(turn_id=turn_id), speaking=False)), end)

    def _take(self, frame: StageFrame, at: float) -> None:
        self.seen.take(frame.SerializeToString(), at)
