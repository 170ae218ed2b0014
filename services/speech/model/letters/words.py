"""English words by files of this repository: which there are, and how those are said that the network says wrongly.

That a word is known matters as much as its sound: endings and compounds are made of known words. A Bloom filter (1970)
tells it in ten bits a word; of words that are none it takes one in a hundred for one, which the network then says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.speech.model.letters.letters import Letters
from services.speech.natural.english import English, Entry
from services.speech.natural.letters import pronounce
from services.speech.text import MAX_WORD

WORDS, KNOWN = Path(__file__).parent / "words.json", Path(__file__).parent / "known.npz"
ROOM = 2_000_000
"""Bytes of the network and both files together."""
BITS, PLACES = 10, 7
"""Of the filter: for each word, and how many of them are set."""
_WRITTEN = re.compile("[A-Za-z]+(?:'[A-Za-z]+)*")
"""Words as they come to be read; see services/speech/text.py."""


class Known:
    """A set of words that forgets which they were."""

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        """`bits`: eight to a number."""
        self.bits = bits

    @classmethod
    def of(cls, words: Collection[str]) -> Known:
        """With room for so many."""
        made = cls(np.zeros(-(-BITS * max(len(words), 1) // 8), np.uint8))
        for word in words:
            for place in made._places(word):
                made.bits[place // 8] |= 1 << place % 8
        return made

    def __contains__(self, word: str) -> bool:
        return all(self.bits[place // 8] >> place % 8 & 1 for place in self._places(word))

    def _places(self, word: str) -> Iterator[int]:
        digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
        first, step = int.from_bytes(digest[:8]), int.from_bytes(digest[8:])
        return ((first + turn * step) % (8 * len(self.bits)) for turn in range(PLACES))


class OwnWords:
    """A `Lexicon`: what is listed as listed, what else is known by its letters."""

    def __init__(self, listed: Mapping[str, Entry], known: Known, letters: Callable[[str], str]) -> None:
        self._listed, self._known, self._letters = listed, known, letters

    def get(self, word: str, /) -> Entry | None:
        """See `Lexicon`."""
        entry = self._listed.get(word)
        if entry is not None or not (word.isascii() and word.isalpha() and word in self._known):
            return entry
        return self._letters(word.lower()) or None


def english(letters: Callable[[str], str], listed: Mapping[str, Entry], known: Known) -> English:
    """Reads words by these."""
    return English(OwnWords(listed, known, letters), by_letters(letters))


def by_letters(letters: Callable[[str], str]) -> Callable[[str], str]:
    """Says any word: by the network, and by rules what it keeps silent of."""
    return lambda word: letters(word) or pronounce(word)


def known_of(lexicon: Mapping[str, Entry]) -> Known:
    """The words that can come, of letters alone."""
    return Known.of([word for word in lexicon if len(word) > 1 and word.isascii() and word.isalpha()])


def exceptions(
    lexicon: Mapping[str, Entry], letters: Callable[[str], str], known: Known, common: Iterable[str], room: int
) -> dict[str, Entry]:
    """Words with several forms, single letters, and words that would be said wrongly: the commonest first, then the
    shortest, up to `room` bytes of JSON.
    """
    can_come = {word: entry for word, entry in lexicon.items() if _WRITTEN.fullmatch(word) and len(word) <= MAX_WORD}
    found = {word: entry for word, entry in can_come.items() if len(word) == 1 or not isinstance(entry, str)}
    right, own = English(lexicon), english(letters, found, known)
    left = room - len(packed(found))
    written: dict[str, list[str]] = defaultdict(list)
    for word in can_come:
        written[word.lower()].append(word)
    order = dict.fromkeys((*(form for word in common for form in written.get(word, ())), *sorted(can_come, key=len)))
    more: dict[str, Entry] = {}
    for word in order:
        if word not in found and own.phones(word, ends_phrase=False) != right.phones(word, ends_phrase=False):
            left -= len(packed({word: can_come[word]})) - len(packed({}))
            if left < 0:
                break
            more[word] = can_come[word]
    return found | more


def packed(words: Mapping[str, Entry]) -> bytes:
    """As the file holds them: sorted, a word a line."""
    return (json.dumps(words, ensure_ascii=False, indent=0, sort_keys=True, separators=(",", ":")) + "\n").encode()


def read() -> English:
    """Reads words by the repository's files. Raises OSError, ValueError, onnxruntime's errors."""
    with np.load(KNOWN) as kept:
        known = Known(kept["bits"])
    return english(Letters(), json.loads(WORDS.read_text(encoding="utf-8")), known)


def common() -> list[str]:
    """Words in lower case: those of the persona, then the likeliest first, by the pieces into which the sentence
    embedding cuts texts.
    """
    from services.chat.e5.weights import Weights
    from services.speech.model.vocoder.texts import sentences

    hers = sorted({word for text in sentences("en") for word in _WRITTEN.findall(text.lower())})
    weights = Weights()
    likely: dict[str, float] = {}
    for number, score in enumerate(weights.scores.tolist()):
        piece = weights.piece(number).decode(errors="ignore")
        if re.fullmatch("▁[A-Za-z]+", piece):
            word = piece[1:].lower()
            likely[word] = max(likely.get(word, score), score)
    return [*hers, *sorted(likely, key=lambda word: -likely[word])]


def said(words: Iterable[str], letters: Letters) -> dict[str, str]:
    """What the network says of many words."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for word in dict.fromkeys(words):
        by_length[len(word)].append(word)
    return {
        word: sounds
        for same in by_length.values()
        for at in range(0, len(same), 512)
        for word, sounds in zip(same[at : at + 512], letters.many(same[at : at + 512]), strict=True)
    }
