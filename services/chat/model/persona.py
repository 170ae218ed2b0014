"""The rung that always works: her hand-written persona, found by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from services.chat.clauses import split
from services.chat.names import spoken
from services.chat.persona import Language, Line, Persona
from services.chat.retrieval import Retrieval, language
from services.core.events import (
    EMOTION_NEUTRAL,
    GESTURE_NONE,
    AudienceEvent,
    ChatRequest,
    FansClub,
    HistoryLine,
    TextSegment,
    Turn,
)
from services.core.ids import derived
from services.core.moderation import Moderator

MEDIUM_FEN, BIG_FEN = 1_000, 10_000
"""From 10 and from 100 yuan on a gift is thanked with more ado."""
NAMED_AT_ONCE = 3
"""So many viewers are greeted by name in one breath."""
FULL_THANKS = 2
"""So many givers of small gifts get a sentence each; those after them in the same turn are named in a row."""
RUNG = "persona"


class PersonaChat:
    """ChatRequest → TextSegments. Deterministic: the same request is answered with the same words."""

    def __init__(self, persona: Persona, retrieval: Retrieval, moderator: Moderator) -> None:
        self._persona = persona
        self._retrieval = retrieval
        self._moderator = moderator

    async def ready(self) -> bool:
        return True

    async def stream(self, request: ChatRequest) -> AsyncIterator[TextSegment]:
        turn = request.turn
        said = [line.text for line in request.history if line.speaker == HistoryLine.SPEAKER_LYDIA]
        pieces = await asyncio.to_thread(lambda: list(self._pieces(turn, said)))
        for sequence, (text, line) in enumerate(pieces):
            yield TextSegment(
                room_id=turn.room_id,
                turn_id=turn.turn_id,
                epoch=turn.epoch,
                sequence=sequence,
                text=text,
                emotion=line.emotion,
                intensity=line.intensity,
                # A gesture once, with the first words it belongs to.
                gesture=line.gesture if sequence == 0 or pieces[sequence - 1][1] is not line else GESTURE_NONE,
                last=sequence == len(pieces) - 1,
                lane=turn.lane,
                rung=RUNG,
            )

    def _pieces(self, turn: Turn, said: Sequence[str]) -> Iterator[tuple[str, Line]]:
        """What she says, segment by segment, each with the line it comes from."""
        pick = _Pick(self._persona, turn.turn_id, said)
        match turn.WhichOneof("cause"):
            case "operator":
                line = Line(turn.operator.text, turn.operator.text, EMOTION_NEUTRAL, 0.3, GESTURE_NONE)
                yield from ((part, line) for part in split(turn.operator.text))
            case "silence":
                lines = self._persona.lines["idle"]
                yield from _clauses(lines[turn.silence.rundown_index % len(lines)], pick.room_language, {})
            case "audience":
                yield from self._to_audience(list(turn.audience.events), pick)

    def _to_audience(self, events: Sequence[AudienceEvent], pick: _Pick) -> Iterator[tuple[str, Line]]:
        kind = events[0].WhichOneof("kind")
        match kind:
            case "chat":
                yield from self._answer(events[0], events[0].chat.text, len({e.viewer.id for e in events}), pick)
            case "gift" | "fans_club" | "super_chat":
                yield from self._thanks(events, pick)
            case "like":
                count = str(sum(event.like.count for event in events))
                yield from _clauses(pick.line("likes"), pick.room_language, {"count": count})
            case "enter":
                yield from self._welcome(events, pick)
            case _:
                line = pick.line("follow" if kind == "follow" else "share")
                names = self._names(events) or [self._name(events[0], pick)]
                yield from _clauses(line, pick.room_language, {"viewer": _joined(names, pick)})

    def _answer(self, event: AudienceEvent, text: str, viewers: int, pick: _Pick) -> Iterator[tuple[str, Line]]:
        tongue = language(text)
        if viewers > 1:
            yield from _clauses(pick.line("merged_opening"), tongue, {"count": str(viewers)})
        match = self._retrieval.find(text)
        known = self._persona.intents[match.intent].answers if match.fits else self._persona.lines["fallback"]
        yield from _clauses(pick.among(known), tongue, {"viewer": self._name(event, pick)})

    def _thanks(self, events: Sequence[AudienceEvent], pick: _Pick) -> Iterator[tuple[str, Line]]:
        """Segment k thanks viewer k, so that the stage's report tells who has been thanked."""
        by_viewer: dict[str, list[AudienceEvent]] = {}
        for event in events:
            by_viewer.setdefault(event.viewer.id, []).append(event)
        for place, given in enumerate(by_viewer.values()):
            line, slots = self._thanks_line(given, place, pick, last=place == len(by_viewer) - 1)
            slots["viewer"] = self._name(given[0], pick)
            yield line.text(pick.room_language, slots), line
        if len(by_viewer) == 1 and events[0].HasField("super_chat") and events[0].super_chat.text:
            yield from self._answer(events[0], events[0].super_chat.text, 1, pick)

    def _thanks_line(
        self, given: Sequence[AudienceEvent], place: int, pick: _Pick, *, last: bool
    ) -> tuple[Line, dict[str, str]]:
        first = given[0]
        if first.HasField("fans_club"):
            joined = first.fans_club.reason == FansClub.REASON_JOINED
            return pick.line("fans_club_joined" if joined else "fans_club_level"), {"level": str(first.fans_club.level)}
        if first.HasField("super_chat"):
            return pick.line("super_chat"), {}
        names = list(dict.fromkeys(event.gift.name for event in given if event.gift.name))
        joint = "和" if pick.room_language == "zh" else " and "
        slots = {
            "gift": joint.join(names[:2]) or ("礼物" if pick.room_language == "zh" else "gift"),
            "count": str(sum(event.gift.count for event in given)),
        }
        value = sum(event.gift.value_fen for event in given)
        if place >= FULL_THANKS and value < MEDIUM_FEN:
            return pick.line("thanks_name_last" if last else "thanks_name"), slots
        if place > 0:
            return pick.line("thanks_next"), slots
        if value >= BIG_FEN:
            return pick.line("thanks_big"), slots
        if int(slots["count"]) > 1:
            return pick.line("thanks_combo"), slots
        return pick.line("thanks_medium" if value >= MEDIUM_FEN else "thanks_small"), slots

    def _welcome(self, events: Sequence[AudienceEvent], pick: _Pick) -> Iterator[tuple[str, Line]]:
        names = self._names(events)
        if len(names) > 1:
            yield from _clauses(pick.line("welcome_many"), pick.room_language, {"viewers": _joined(names, pick)})
        else:
            slots = {"viewer": self._name(events[0], pick)}
            yield from _clauses(pick.line("welcome"), pick.room_language, slots)

    def _names(self, events: Sequence[AudienceEvent]) -> list[str]:
        """The names that can be said, each once, as many as fit in a breath."""
        said = (spoken(event.viewer.name, self._moderator) for event in events)
        return list(dict.fromkeys(name for name in said if name))[:NAMED_AT_ONCE]

    def _name(self, event: AudienceEvent, pick: _Pick) -> str:
        name = spoken(event.viewer.name, self._moderator)
        return name or pick.line("unnamed_viewer").text(pick.room_language, {})


class _Pick:
    """Chooses among lines of equal right: by the turn, and not what the room has just heard."""

    def __init__(self, persona: Persona, turn_id: str, said: Sequence[str]) -> None:
        self._persona = persona
        self._turn_id = turn_id
        self._said = " ".join(said)
        self._draws = 0
        self.room_language: Language = language(self._said) if said else "zh"

    def line(self, name: str) -> Line:
        """A line of a named list."""
        return self.among(self._persona.lines[name])

    def among(self, lines: Sequence[Line]) -> Line:
        """One of these."""
        self._draws += 1
        fresh = [line for line in lines if not self._heard(line)] or lines
        return fresh[int(derived(self._turn_id, self._draws)[:8], 16) % len(fresh)]

    def _heard(self, line: Line) -> bool:
        return any(split(text)[0] in self._said for text in (line.zh, line.en) if "{" not in split(text)[0])


def _joined(names: Sequence[str], pick: _Pick) -> str:
    return ("、" if pick.room_language == "zh" else ", ").join(names)


def _clauses(line: Line, tongue: Language, slots: dict[str, str]) -> Iterator[tuple[str, Line]]:
    yield from ((part, line) for part in split(line.text(tongue, slots)))
