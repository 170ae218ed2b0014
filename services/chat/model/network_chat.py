"""The rung of her own network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from itertools import islice, pairwise

from services.chat.clauses import STRONG, WEAK
from services.chat.model.persona import PersonaChat
from services.chat.model.prompt import Facts, prompt
from services.chat.model.writer import Writer
from services.chat.names import spoken
from services.chat.persona import Persona
from services.chat.retrieval import Match, Retrieval, language, normal
from services.chat.written import segments
from services.core.events import AudienceEvent, ChatRequest, HistoryLine, TextSegment
from services.core.ids import derived
from services.core.moderation import Moderator

RUNG = "network"
AT_ONCE = 12
"""Tokens that are written without asking whether anybody still wants them: a dozen milliseconds."""


class NetworkChat:
    """ChatRequest → TextSegments. Deterministic: the same request is answered with the same words.

    The network answers what one viewer wrote. Everything else, and every cry for help, is the persona's.
    """

    def __init__(
        self,
        writer: Writer,
        facts: Facts,
        persona: Persona,
        retrieval: Retrieval,
        moderator: Moderator,
        hand_written: PersonaChat,
    ) -> None:
        self._writer = writer
        self._facts = facts
        self._persona = persona
        self._retrieval = retrieval
        self._moderator = moderator
        self._hand_written = hand_written

    async def ready(self) -> bool:
        return True

    async def stream(self, request: ChatRequest) -> AsyncIterator[TextSegment]:
        events = list(request.turn.audience.events)
        one = len({event.viewer.id for event in events}) == 1 and events[0].HasField("chat")
        match = await asyncio.to_thread(self._retrieval.find, events[0].chat.text) if one else None
        if match is None or (match.fits and self._persona.intents[match.intent].grave):
            async with aclosing(self._hand_written.stream(request)) as answer:  # type: ignore[type-var]
                async for segment in answer:
                    yield segment
            return
        words = self._words(request, events[0], match)
        async with aclosing(segments(_pieces(words), request, rung=RUNG)) as answer:
            async for segment in answer:
                yield segment

    def _words(self, request: ChatRequest, event: AudienceEvent, match: Match) -> Iterator[str]:
        asked, turn_id = event.chat.text, request.turn.turn_id
        tongue = language(asked)
        facts = [self._facts.text(match.intent, tongue)] if match.fits else []
        past = remembered(request.history, event.viewer.id)
        tokens = prompt(self._writer.tokenizer, normal(asked), facts=facts, past=past)
        name = spoken(event.viewer.name, self._moderator)
        if name is None:
            lines = self._persona.lines["unnamed_viewer"]
            name = lines[int(derived(turn_id)[:8], 16) % len(lines)].text(tongue, {})
        for piece in self._writer.words(tokens, random.Random(derived(turn_id, "network"))):
            yield name if piece == "{viewer}" else piece


def remembered(history: Sequence[HistoryLine], viewer_id: str) -> list[tuple[str, str]]:
    """What this viewer said before and what she answered, oldest first: the viewer's memory of the room."""
    return [
        (normal(asked.text), answered.text)
        for asked, answered in pairwise(history)
        if asked.speaker == HistoryLine.SPEAKER_VIEWER
        and asked.viewer_id == viewer_id
        and answered.speaker == HistoryLine.SPEAKER_LYDIA
    ]


async def _pieces(words: Iterator[str]) -> AsyncIterator[str]:
    """The words as they are written, in threads, some at a time; who closes this stops the writing."""
    while piece := await asyncio.to_thread(_some, words):
        yield piece


def _some(words: Iterator[str]) -> str:
    """The next words up to where a segment may end; the sign after an end, which decides, is waited for."""
    text, ending = "", False
    for piece in islice(words, AT_ONCE):
        text += piece
        if ending:
            break
        ending = any(sign in STRONG or sign in WEAK for sign in piece)
    return text
