"""Cuts a text into the pieces that the sentence embedding reads: the likeliest sequence under a unigram model.

https://arxiv.org/abs/1804.10959 §3.2: the best path, found from left to right.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from services.chat.e5.weights import Weights

BEFORE = "\u2581"
"""Stands for a space, and before every text."""
UNLIKELY = 10.0
"""By how much a sign that no piece has is less likely than the least likely piece."""
_SPACES = re.compile(" {2,}")


class Pieces:
    """Safe to use from several threads."""

    def __init__(self, weights: Weights, order: Sequence[int]) -> None:
        """`order`: the pieces' numbers in the order of their bytes, see `ordered`."""
        self._weights = weights
        self._order = order
        self._scores: list[float] = weights.scores.tolist()
        self._unknown = min(self._scores) - UNLIKELY

    def numbers(self, text: str) -> list[int]:
        """The numbers of a text's pieces, with those of its begin and end, at most as many as the network takes."""
        spelt = _SPACES.sub(" ", text.translate(self._weights.spelt))
        signs = [sign.encode() for sign in (spelt if spelt.startswith(" ") else f" {spelt}").replace(" ", BEFORE)]
        best = [0.0] + [float("-inf")] * len(signs)
        last = [(0, 0)] * (len(signs) + 1)  # the last piece of the best path to each place, and where it begins
        for at in range(len(signs)):
            alone = best[at] + self._unknown
            if alone > best[at + 1]:
                best[at + 1], last[at + 1] = alone, (self._weights.unknown, at)
            for end, number in self._from(signs, at):
                likely = best[at] + self._scores[number]
                if likely > best[end]:
                    best[end], last[end] = likely, (number, at)
        found, at = [], len(signs)
        while at:
            number, at = last[at]
            found.append(number)
        most = self._weights.shape.longest - 2
        return [self._weights.begin, *found[::-1][:most], self._weights.end]

    def _from(self, signs: Sequence[bytes], at: int) -> Iterator[tuple[int, int]]:
        """The pieces that begin here: where each ends, and its number."""
        read, place = b"", 0
        for end in range(at, len(signs)):
            read += signs[end]
            place = bisect_left(self._order, read, lo=place, key=self._weights.piece)
            if place == len(self._order):
                return
            piece = self._weights.piece(self._order[place])
            if not piece.startswith(read):
                return
            if len(piece) == len(read) and self._order[place] != self._weights.unknown:
                yield end + 1, self._order[place]


def ordered(weights: Weights) -> list[int]:
    """The pieces' numbers in the order of their bytes. Takes a second."""
    return sorted(range(weights.count), key=weights.piece)
