"""The dialogues written for her, as they stand in `dialogues/*.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.chat.tags import EMOTIONS, GESTURES, tagged

FOLDER = Path(__file__).parent / "dialogues"


class BadDialogue(Exception):
    """A file of dialogues that cannot be used; the text names the file, the place and the mend."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a viewer wrote, in one or several wordings, and her answer with its tags in front."""

    asked: tuple[str, ...]
    answer: str


Dialogue = tuple[Exchange, ...]


def load(folder: Path = FOLDER) -> list[Dialogue]:
    """All dialogues, in the order of the files. Raises BadDialogue."""
    return [dialogue for path in sorted(folder.glob("*.yaml")) for dialogue in _file(path)]


def _file(path: Path) -> Iterator[Dialogue]:
    try:
        # Everything is text here: 666 and yes are what viewers write.
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        entries = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadDialogue(f"{path.name}: cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise BadDialogue(f"{path.name}: is no list of dialogues. README.md beside the files shows one.")
    for number, entry in enumerate(entries, 1):
        yield _dialogue(entry, f"{path.name}, dialogue {number}")


def _dialogue(entry: Any, place: str) -> Dialogue:
    if not isinstance(entry, list) or not entry or len(entry) % 2:
        raise BadDialogue(f"{place}: needs turns in pairs, a viewer's and hers.")
    exchanges = []
    for asked, answer in zip(entry[::2], entry[1::2], strict=True):
        if not isinstance(asked, str) or not isinstance(answer, dict) or len(answer) != 1:
            raise BadDialogue(
                f"{place}: needs the viewer's words, then `emotion gesture: her words`. It has {asked!r}."
            )
        ((manner, words),) = answer.items()
        emotion, _, gesture = manner.partition(" ")
        if emotion not in EMOTIONS or (gesture or "none") not in GESTURES or not words:
            raise BadDialogue(f"{place}: `{manner}` is no emotion and gesture of hers.")
        wordings = tuple(part.strip() for part in asked.split(" | "))
        exchanges.append(Exchange(wordings, tagged(emotion, gesture or "none", words)))
    return tuple(exchanges)


def turns(dialogues: list[Dialogue]) -> set[str]:
    """Everything that is said in them, each once: every wording of the viewers' and every answer of hers."""
    return {text for dialogue in dialogues for exchange in dialogue for text in (*exchange.asked, exchange.answer)}
