"""How alike texts are in letters and sound: cosines of weighted n-grams, for slips and homophones."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pypinyin import lazy_pinyin

Floats = NDArray[np.float32]

_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z0-9']+")
_HAN = re.compile(r"[\u3400-\u9fff]")


class Grams:
    """The n-grams of many examples behind an inverted index. Rare grams count more (inverse document frequency)."""

    def __init__(
        self, count: int, vocabulary: Sequence[str], starts: NDArray[Any], places: NDArray[Any], values: Floats
    ):
        """`count` examples. Gram k is in the examples `places[starts[k]:starts[k + 1]]`, with these `values`."""
        self._count = count
        self._number = {gram: number for number, gram in enumerate(vocabulary)}
        self._starts, self._places, self._values = starts, places, values
        times = np.diff(starts)
        self._weights = np.log((1 + count) / (1 + times)) + 1
        self._unknown = float(np.log(1 + count)) + 1

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """The index of these examples; takes some seconds for ten thousand."""
        documents = [_grams(text) for text in texts]
        vocabulary = sorted({gram for document in documents for gram in document})
        found: defaultdict[str, list[int]] = defaultdict(list)
        for place, document in enumerate(documents):
            for gram in document:
                found[gram].append(place)
        starts = np.cumsum([0, *(len(found[gram]) for gram in vocabulary)])
        places = np.array([place for gram in vocabulary for place in found[gram]], np.int32)
        made = cls(len(texts), vocabulary, starts, places, np.zeros(len(places), np.float32))
        rows = [made._row(document) for document in documents]
        made._values = np.array([rows[place][gram] for gram in vocabulary for place in found[gram]], np.float32)
        return made

    @classmethod
    def kept(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The index that was kept. Raises KeyError."""
        vocabulary = arrays["grams"].tobytes().decode().split("\n")
        return cls(int(arrays["count"]), vocabulary, arrays["starts"], arrays["places"], arrays["values"])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `kept` needs."""
        return {
            "count": np.array(self._count),
            "grams": np.frombuffer("\n".join(self._number).encode(), np.uint8),
            "starts": self._starts,
            "places": self._places,
            "values": self._values,
        }

    def similar(self, text: str) -> Floats:
        """Cosine of a text to each example, [count], 0 to 1."""
        similar = np.zeros(self._count, np.float32)
        for gram, value in self._row(_grams(text)).items():
            if (number := self._number.get(gram)) is not None:
                span = slice(self._starts[number], self._starts[number + 1])
                similar[self._places[span]] += value * self._values[span]
        return similar

    def among_examples(self) -> Iterator[tuple[NDArray[Any], NDArray[Any], Floats]]:
        """The cosines of all pairs of examples, as sums of products gram by gram: (places, places, products)."""
        for first, end in pairwise(self._starts):
            places, values = self._places[first:end], self._values[first:end]
            yield places, places, np.outer(values, values)

    def _row(self, grams: Counter[str]) -> dict[str, float]:
        row = {}
        for gram, times in grams.items():
            number = self._number.get(gram)
            weight = self._unknown if number is None else float(self._weights[number])
            row[gram] = weight * times**0.5
        length = sum(value**2 for value in row.values()) ** 0.5
        return {gram: value / length for gram, value in row.items()}


def _grams(text: str) -> Counter[str]:
    """Hanzi one by one and in pairs, pairs of their syllables without tones; other words whole and in threes."""
    grams: Counter[str] = Counter()
    for run in _RUN.findall(text):
        if _HAN.match(run):
            grams.update(run)
            grams.update(left + right for left, right in pairwise(run))
            grams.update(f"{left} {right}" for left, right in pairwise(lazy_pinyin(run)))
        else:
            grams.update([run])
            grams.update(f"·{run}·"[place : place + 3] for place in range(len(run)))
    return grams
