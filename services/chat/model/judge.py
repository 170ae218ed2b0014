"""Judges answers: whether a persona question got a right one, and whether it is well formed and free of contradictions.

What is asked stands in `held_out.yaml`, what a right answer has in `facts.yaml`, what she must never say in
`contradictions.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.chat.clauses import weight
from services.chat.model.prompt import FACTS
from services.core.events import EMOTION_UNSPECIFIED, GESTURE_UNSPECIFIED, TextSegment
from services.core.yaml_files import read_yaml

HELD_OUT = Path(__file__).with_name("held_out.yaml")
DEVELOPMENT = Path(__file__).with_name("development.yaml")
DEVELOPMENT_OTHERS = Path(__file__).with_name("development_others.yaml")
CONTRADICTIONS = Path(__file__).with_name("contradictions.yaml")
MOST_WEIGHT = 110
"""More than so many syllables are no answer but a speech."""
_STRAY = re.compile(r"[\[\]{}<>|�]")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the fact that answers it."""

    text: str
    fact: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one answer."""

    right: bool
    contradicts: bool
    well_formed: bool


def questions(path: Path = HELD_OUT) -> list[Question]:
    """The held-out questions, in the file's order."""
    return [Question(str(text), fact) for fact, texts in read_yaml(path).items() for text in texts]


class Judge:
    """Knows the facts and the contradictions."""

    def __init__(self) -> None:
        facts = read_yaml(FACTS)
        self._right = {name: re.compile(fact["right"], re.IGNORECASE) for name, fact in facts.items()}
        self._never = [re.compile(pattern, re.IGNORECASE) for pattern in read_yaml(CONTRADICTIONS)]

    def judge(self, fact: str, answer: Sequence[TextSegment]) -> Verdict:
        """The verdict on an answer to a question about this fact."""
        text = "".join(segment.text for segment in answer)
        return Verdict(
            right=self._right[fact].search(text) is not None,
            contradicts=any(never.search(text) for never in self._never),
            well_formed=well_formed(answer),
        )


def well_formed(answer: Sequence[TextSegment]) -> bool:
    """Whether it can be performed: words in order, with an emotion and a gesture each, no mark left over, an end."""
    return (
        bool(answer)
        and [segment.sequence for segment in answer] == list(range(len(answer)))
        and [segment.last for segment in answer] == [False] * (len(answer) - 1) + [True]
        and all(segment.emotion != EMOTION_UNSPECIFIED for segment in answer)
        and all(segment.gesture != GESTURE_UNSPECIFIED for segment in answer)
        and not any(_STRAY.search(segment.text) for segment in answer)
        and 0 < weight("".join(segment.text for segment in answer)) <= MOST_WEIGHT
    )
