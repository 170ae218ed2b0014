"""Cuts text into speakable segments, also while it is still being written.

The first segment is short, so that the first sound comes early; later ones are about a clause or sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

STRONG = "。！？!?；;…\n"
WEAK = "，,、：:—~～"
FIRST_WEIGHT, LATER_WEIGHT = 3, 12
"""A segment ends at a weak boundary only when it has at least so much to say."""
MOST_WEIGHT = 40
"""Longer runs without any boundary are cut at a space, or anywhere at last."""
_LETTER = re.compile(r"[^\W\d_]")
_CLOSING = "”’」』）)】》\"'"
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|vs|No|etc|e\.g|i\.e|a\.m|p\.m)$")


def weight(text: str) -> int:
    """How much there is to say: a Hanzi counts 1, a word of other letters or figures 2."""
    han = sum("\u3400" <= sign <= "\u9fff" for sign in text)
    words = len(re.findall(r"[^\W\d_\u3400-\u9fff]+|\d+", text))
    return han + 2 * words


class Splitter:
    """Takes pieces of text as they come, and gives segments as soon as they are certain."""

    def __init__(self) -> None:
        self._text = ""
        self._first = True

    def push(self, piece: str) -> Iterator[str]:
        """Segments that end within what has come so far."""
        self._text += piece
        while (end := self._boundary()) is not None:
            segment, self._text = self._text[:end].strip(), self._text[end:].lstrip()
            if weight(segment):
                self._first = False
                yield segment

    def finish(self) -> Iterator[str]:
        """What is left."""
        yield from self.push("\n")
        rest, self._text = self._text.strip(), ""
        if weight(rest):
            yield rest

    def _boundary(self) -> int | None:
        text, enough = self._text, FIRST_WEIGHT if self._first else LATER_WEIGHT
        for place, sign in enumerate(text):
            end = place + 1
            while end < len(text) and text[end] in _CLOSING + STRONG:
                end += 1
            if end == len(text) and sign != "\n":
                break  # what follows decides
            if not _LETTER.search(text[:end]):
                continue  # figures alone are in no language: 3… 2… 1… go!
            strong = sign in STRONG or (sign == "." and self._full_stop(place))
            weak = sign in WEAK and not _between_figures(text, place)
            if strong and weight(text[:end]):
                return end
            if weak and weight(text[:end]) >= enough:
                return end
        return _longest(text) if weight(text) > MOST_WEIGHT else None

    def _full_stop(self, place: int) -> bool:
        """Whether the dot ends a sentence: not inside a number, an address or an abbreviation."""
        after = self._text[place + 1 : place + 2]
        return (not after or after.isspace() or after in _CLOSING) and not _ABBREVIATION.search(self._text[:place])


def split(text: str) -> list[str]:
    """The segments of a whole text."""
    splitter = Splitter()
    return [*splitter.push(text), *splitter.finish()]


def _longest(text: str) -> int:
    """Where to cut a run that has no boundary: at the last space of what may be said at once, or behind it."""
    end = next(end for end in range(1, len(text) + 1) if weight(text[:end]) >= MOST_WEIGHT)
    space = text.rfind(" ", 1, end)
    return space if space > 0 else end


def _between_figures(text: str, place: int) -> bool:
    return text[place - 1 : place].isdigit() and text[place + 1 : place + 2].isdigit()
