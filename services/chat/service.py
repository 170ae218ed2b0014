"""Chat: turns in, her words out, clause by clause."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing

from services.chat.clauses import STRONG, WEAK
from services.chat.persona import Language, Persona
from services.chat.retrieval import has_words, language
from services.core import topics
from services.core.bus.port import Bus, Delivery, Record
from services.core.clock import Clock
from services.core.envelope import seal
from services.core.events import ChatRequest, HistoryLine, Performed, TextSegment, Turn
from services.core.ids import derived
from services.core.inference import Inference, ModelFailed
from services.core.ladder import Ladder
from services.core.moderation import Moderator
from services.core.state.port import Put, State
from services.core.telemetry import Telemetry
from services.core.turns import TurnWorker
from services.core.worker import Verdict, Worker

log = logging.getLogger(__name__)

HISTORY_LINES = 20
HISTORY_TTL_S = 3_600
ROOMS = 1_000
"""Rooms whose newest turns are remembered, until what was heard of them is known."""


class Chat:
    """Answers turns. What she said is remembered only as far as the room heard it."""

    def __init__(
        self,
        bus: Bus,
        state: State,
        inference: Inference,
        clock: Clock,
        telemetry: Telemetry,
        moderator: Moderator,
        persona: Persona,
        *,
        rungs: Sequence[str] = ("chat.persona",),
        own: Collection[str] = (),
    ) -> None:
        """`rungs`: names of models, best first. The last one is her own persona, and so are those of `own`: they all
        answer a turn with the same words.
        """
        self._bus = bus
        self._state = state
        self._inference = inference
        self._clock = clock
        self._telemetry = telemetry
        self._moderator = moderator
        self._persona = persona
        self._ladder = Ladder(rungs, clock, telemetry.metrics, service="chat")
        self._own = frozenset({rungs[-1], *own})
        self._asked: OrderedDict[str, list[HistoryLine]] = OrderedDict()
        self._turns = TurnWorker(bus, state, telemetry, service="chat")
        self._history = Worker(bus, telemetry, service="chat-history")

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            answering = self._turns.run(topics.TURNS, self._answer, is_last=lambda _: True)
            tasks.create_task(answering, name="chat turns")
            tasks.create_task(self._history.run(topics.PERFORMED, handle=self._heard), name="chat history")

    async def listening(self) -> None:
        """Returns when it reads turns, and misses no control any more."""
        await self._turns.listening()

    async def drain(self) -> None:
        """Begins no further turn; returns when what was begun is answered and remembered."""
        await self._turns.drain()
        await self._history.drain()

    # --- answering ---------------------------------------------------------------------------------------------------

    async def _answer(self, turn: Turn, _: Record) -> None:
        """Publishes the turn's segments. A turn that comes again, after a crash, gets the same ids.

        A language model would not write the same words again, so a turn it had begun is closed by the persona.
        """
        self._remember_asked(turn)
        rungs = self._ladder.usable()
        if not _free(turn) or (rungs[0] not in self._own and await self._begun(turn)):
            rungs = [rung for rung in rungs if rung in self._own]
        request = ChatRequest(turn=turn)
        if not self._own.issuperset(rungs):  # her own lines do not depend on what was said before
            request.history.extend(await self._lines(turn.room_id))
        published = 0
        begun = self._clock.monotonic()
        for rung in rungs:
            own = rung in self._own
            sequence, said, spoken_in = 0, "", _language(turn)
            at_once: list[TextSegment] = []
            try:
                async with aclosing(self._stream(rung, request)) as segments:
                    async for segment in segments:
                        segment.sequence = sequence
                        segment.language = spoken_in = language(segment.text) if has_words(segment.text) else spoken_in
                        spoken = self._moderated(segment, said)
                        astray = spoken is not segment and not own
                        spoken.last |= astray
                        if own and sequence > 0:  # they are all there by now
                            at_once.append(spoken)
                        elif sequence >= published:
                            await self._publish(turn, spoken)
                            published = sequence + 1
                            if sequence == 0:
                                waited = self._clock.monotonic() - begun
                                self._telemetry.metrics.first_words_seconds.labels(rung).observe(waited)
                        if astray:  # what a model writes on is no better
                            break
                        sequence += 1
                        # Her own lines stand each for itself; thanks, for instance, name one viewer after the other.
                        said = "" if own else segment.text
            except ModelFailed as error:
                log.warning("chat steps down from %s: %s", rung, error)
                self._ladder.failed(rung)
                if sequence == 0 or (own and rung != rungs[-1]):
                    continue
                await self._publish(turn, *at_once)
                await self._close(turn, sequence)
            else:
                await self._publish(turn, *at_once)
                self._ladder.served(rung)
            return
        await self._close(turn, published)

    async def _begun(self, turn: Turn) -> bool:
        """Whether the turn had been begun before; it has from now on."""
        before = await self._state.get(begun_key(turn.room_id))
        await self._state.apply(Put(begun_key(turn.room_id), turn.turn_id.encode(), HISTORY_TTL_S))
        return before is not None and before.decode() == turn.turn_id

    async def _stream(self, rung: str, request: ChatRequest) -> AsyncGenerator[TextSegment, None]:
        stream = self._inference.stream(rung, request, request_id=request.turn.turn_id)
        try:
            async for segment in stream:
                yield segment
        except ModelFailed:
            raise
        except Exception as error:  # whatever is wrong with a rung, the next one answers
            raise ModelFailed(f"it broke: {type(error).__name__}") from error

    async def _close(self, turn: Turn, sequence: int) -> None:
        """Ends a turn whose rung died: with an honest line when nothing had been said, else just so."""
        text = ""
        if sequence == 0:
            lines = self._persona.lines["silence_broken"]
            text = lines[int(derived(turn.turn_id)[:4], 16) % len(lines)].text(_language(turn), {})
        await self._publish(
            turn,
            TextSegment(
                room_id=turn.room_id,
                turn_id=turn.turn_id,
                epoch=turn.epoch,
                sequence=sequence,
                text=text,
                last=True,
                lane=turn.lane,
                rung="persona",
            ),
        )

    def _moderated(self, segment: TextSegment, said: str) -> TextSegment:
        """The segment, or a safe line in its place. A moderator that fails counts as a refusal.

        `said` is what she said just before: what must not be said may also be said in two breaths.
        """
        if not segment.text:
            return segment
        try:
            finding = self._moderator.check(f"{said.rstrip(STRONG + WEAK)} {segment.text}".strip(), where="output")
        except Exception:  # nothing unchecked is ever said
            log.exception("the moderator failed")
            blocked = True
        else:
            blocked = finding is not None
            if finding is not None:
                self._telemetry.metrics.held_back.labels(finding.category).inc()
        if not blocked:
            return segment
        safe = self._persona.lines["fallback_safe"]
        line = safe[int(derived(segment.turn_id, segment.sequence)[:4], 16) % len(safe)]
        held = TextSegment()
        held.CopyFrom(segment)
        held.text = line.text(language(segment.text), {})
        held.ClearField("emphasis")
        held.emotion, held.gesture, held.intensity = line.emotion, line.gesture, line.intensity
        return held

    async def _publish(self, turn: Turn, *segments: TextSegment) -> None:
        for segment in segments:
            if segment.sequence == 0:
                segment.turn.CopyFrom(turn)
        await self._bus.publish(
            *(
                seal(
                    topics.TEXT,
                    segment,
                    event_id=derived("text", segment.turn_id, segment.sequence),
                    room_id=segment.room_id,
                    source="chat",
                    now_ms=self._clock.now_ms(),
                )
                for segment in segments
            )
        )

    # --- memory ------------------------------------------------------------------------------------------------------

    def _remember_asked(self, turn: Turn) -> None:
        """What viewers said in a turn, until it is known whether she was heard."""
        self._asked[turn.turn_id] = [
            HistoryLine(speaker=HistoryLine.SPEAKER_VIEWER, viewer_id=event.viewer.id, text=event.chat.text)
            for event in turn.audience.events[:1]
            if event.HasField("chat")
        ]
        while len(self._asked) > ROOMS:
            self._asked.popitem(last=False)

    async def _heard(self, performed: Performed, _: Delivery) -> Verdict:
        ended = performed.state in (Performed.STATE_FINISHED, Performed.STATE_STOPPED)
        if ended and performed.heard_text:
            said = HistoryLine(speaker=HistoryLine.SPEAKER_LYDIA, text=performed.heard_text)
            lines = [*await self._lines(performed.room_id), *self._asked.pop(performed.turn_id, []), said]
            kept = ChatRequest(history=lines[-HISTORY_LINES:]).SerializeToString()
            await self._state.apply(Put(history_key(performed.room_id), kept, HISTORY_TTL_S))
        return Verdict.DONE

    async def _lines(self, room_id: str) -> list[HistoryLine]:
        stored = await self._state.get(history_key(room_id))
        return list(ChatRequest.FromString(stored).history) if stored else []


def _free(turn: Turn) -> bool:
    """Whether a language model may word the turn: answers and idle talk. Thanks need exact names."""
    if turn.WhichOneof("cause") == "audience":
        return bool(turn.audience.events[0].HasField("chat"))
    return bool(turn.WhichOneof("cause") == "silence")


def _language(turn: Turn) -> Language:
    """The language of what is answered; Chinese where nobody wrote."""
    texts = [event.chat.text for event in turn.audience.events[:1]]
    return language(texts[0]) if texts else "zh"


def begun_key(room_id: str) -> str:
    """The state's note of the turn that chat began last."""
    return f"room:{room_id}:chat-begun"


def history_key(room_id: str) -> str:
    """The state's last lines of the room: who said what, as heard."""
    return f"room:{room_id}:history"
