"""Text segments from what a model writes piece by piece: its tags become emotions and gestures."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator

from services.chat.clauses import Splitter
from services.chat.tags import Tags
from services.core.events import ChatRequest, Emphasis, TextSegment
from services.core.inference import ModelFailed

INTENSITY = 0.6
"""Models say what she feels, not how much of it."""
_OPENING = re.compile(r"^(?:\s|\*\s|[>#]+(?!\d))+")
_MARKDOWN = re.compile(r"`+|(?<!\d)(?<!\d )\*+|\*+(?! ?\d)|(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9])")
"""Not what people write with the same signs: 2*3, user_name; and nothing else of C#, #1 and 3>2."""
_EMPHASIS = re.compile(r"(?<!\d)(\*{1,3})(?=\S)([^*]+?)(?<=\S)\1(?!\d)")
"""As in Markdown; underscores are more often a name's."""


async def segments(pieces: AsyncIterator[str], request: ChatRequest, *, rung: str) -> AsyncGenerator[TextSegment]:
    """Segments, each as soon as its end is certain. Raises ModelFailed when nothing was written."""
    sequence = 0
    splitter, tags = Splitter(), Tags()
    ready: list[str] = []
    async for piece in pieces:
        ready += splitter.push(tags.without(piece))
        while len(ready) > 1 or (ready and sequence == 0):
            # One is kept back, so that the last one can be marked; the very first goes out at once.
            yield _segment(request, sequence, ready.pop(0), tags, rung, last=False)
            sequence += 1
    ready += splitter.push(tags.rest())
    ready += splitter.finish()
    if not ready and sequence == 0:
        raise ModelFailed(f"nothing was written to turn {request.turn.turn_id}")
    for place, text in enumerate(ready or [""]):
        yield _segment(request, sequence + place, text, tags, rung, last=place >= len(ready) - 1)


def _segment(request: ChatRequest, sequence: int, text: str, tags: Tags, rung: str, *, last: bool) -> TextSegment:
    turn = request.turn
    text, emphasis = _plain(text)
    return TextSegment(
        room_id=turn.room_id,
        turn_id=turn.turn_id,
        epoch=turn.epoch,
        sequence=sequence,
        text=text,
        emotion=tags.emotion,
        intensity=INTENSITY,
        gesture=tags.take_gesture(),
        last=last,
        lane=turn.lane,
        rung=rung,
        emphasis=emphasis,
    )


def _plain(text: str) -> tuple[str, list[Emphasis]]:
    """The text without Markdown, and where in it the words are that stand out."""
    text, plain = _OPENING.sub("", text), ""
    found = []
    at = 0
    for marked in _EMPHASIS.finditer(text):
        plain += _MARKDOWN.sub("", text[at : marked.start()])
        begin = len(plain)
        plain += _MARKDOWN.sub("", marked[2])
        found.append(Emphasis(begin=begin, end=len(plain)))
        at = marked.end()
    return plain + _MARKDOWN.sub("", text[at:]), found
