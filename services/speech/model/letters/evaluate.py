"""How often words are said wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.speech.model.letters.letters import sounds_of

_MARKS = str.maketrans("", "", "ˈˌ")


@dataclass(frozen=True, slots=True)
class Wrong:
    """Shares."""

    sounds: float
    """Insertions, deletions and replacements by sound that there should be; a wrong stress is a wrong vowel."""
    sounds_but_for_stress: float
    words: float
    words_but_for_stress: float


def wrong(right: Mapping[str, str], say: Callable[[str], str]) -> Wrong:
    """`right`: word → its sounds. `say`: what is measured."""
    count = off = bare_off = words = bare_words = 0
    for word, sounds in right.items():
        found = say(word)
        wanted = sounds_of(sounds) or []
        by = distance(wanted, sounds_of(found) or [])
        bare = distance(sounds.translate(_MARKS), found.translate(_MARKS))
        count += len(wanted)
        off, bare_off, words, bare_words = off + by, bare_off + bare, words + (by > 0), bare_words + (bare > 0)
    return Wrong(off / count, bare_off / count, words / len(right), bare_words / len(right))


def distance(wanted: Sequence[object], found: Sequence[object]) -> int:
    """The fewest insertions, deletions and replacements between both."""
    row = list(range(len(found) + 1))
    for index, unit in enumerate(wanted, 1):
        diagonal, row[0] = row[0], index
        for place, other in enumerate(found, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (unit != other))
    return row[-1]
