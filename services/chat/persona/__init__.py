"""The hand-written persona: what she can say by herself, as it stands in the files beside this one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from services.core import events
from services.core.events import Emotion, Gesture
from services.core.yaml_files import read_yaml

Language = Literal["zh", "en"]

FOLDER = Path(__file__).parent
LINES = "lines.yaml"
UNANSWERABLE = "unanswerable.yaml"
SLOTS = {"viewer", "viewers", "gift", "count", "level"}


class BadPersona(Exception):
    """A persona file that cannot be used; the text names the file, the place and the mend."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something she can say, in both languages, and how she says it. `intensity` is 0 to 1."""

    zh: str
    en: str
    emotion: Emotion
    intensity: float
    gesture: Gesture

    def text(self, language: Language, slots: Mapping[str, str]) -> str:
        """The words in a language, with the slots filled."""
        words = self.zh if language == "zh" else self.en
        for name, value in slots.items():
            words = words.replace(f"{{{name}}}", value)
        return words


@dataclass(frozen=True, slots=True)
class Intent:
    """A thing viewers ask or say, with examples of how they put it, and her answers."""

    name: str
    about: str
    examples: Mapping[Language, tuple[str, ...]]
    answers: tuple[Line, ...]
    grave: bool = False
    """Whether it is worse to miss this than to see it where it is not."""


@dataclass(frozen=True)
class Persona:
    """Everything she can say by herself."""

    canon: str
    intents: Mapping[str, Intent]
    lines: Mapping[str, tuple[Line, ...]]
    unanswerable: tuple[str, ...]
    """Examples of what nothing of hers answers."""
    version: str
    """Changes whenever a file of the persona does."""


def load(folder: Path = FOLDER) -> Persona:
    """Reads the persona. Raises BadPersona."""
    intents: dict[str, Intent] = {}
    version = hashlib.sha256()
    for path in sorted((folder / "intents").glob("*.yaml")):
        if path.name == LINES:
            continue
        version.update(path.read_bytes())
        entries = _yaml(path)
        if not isinstance(entries, list):
            raise BadPersona(f"{path.name}: is no list of intents. Begin each with `- intent: theme.topic`.")
        for entry in entries:
            intent = _intent(entry, path.name)
            if intent.name in intents:
                raise BadPersona(f"{path.name}: the intent {intent.name} stands twice. Rename one.")
            intents[intent.name] = intent
    for path in sorted((folder / "examples").glob("*.yaml")):
        version.update(path.read_bytes())
        for name, examples in _examples(path).items():
            _extend(intents, name, examples, path.name)
    kinds = _examples(folder / UNANSWERABLE)
    unanswerable = tuple(text for examples in kinds.values() for texts in examples.values() for text in texts)
    version.update((folder / UNANSWERABLE).read_bytes())
    path = folder / "intents" / LINES
    version.update(path.read_bytes())
    named = _yaml(path)
    if not isinstance(named, dict):
        raise BadPersona(f"{LINES}: is no mapping of named lists.")
    lines = {name: tuple(_line(item, f"{LINES}, {name}") for item in items) for name, items in named.items()}
    canon = (folder / "canon.md").read_text(encoding="utf-8")
    return Persona(canon, intents, lines, unanswerable, version.hexdigest())


def _examples(path: Path) -> dict[str, dict[Language, tuple[str, ...]]]:
    """Named examples in both languages, as a file holds them."""
    entries = _yaml(path)
    if not isinstance(entries, dict):
        raise BadPersona(f"{path.name}: is no mapping of names to examples.")
    named: dict[str, dict[Language, tuple[str, ...]]] = {}
    for name, examples in entries.items():
        try:
            zh, en = (tuple(map(str, examples[tongue])) for tongue in ("zh", "en"))
        except (KeyError, TypeError):
            raise BadPersona(f"{path.name}: the examples of {name} need zh and en.") from None
        named[str(name)] = {"zh": zh, "en": en}
    return named


def _extend(intents: dict[str, Intent], name: str, more: Mapping[Language, tuple[str, ...]], file: str) -> None:
    """Further examples of a known intent."""
    if name not in intents:
        raise BadPersona(f"{file}: there is no intent {name}.")
    known = intents[name]
    both: dict[Language, tuple[str, ...]] = {t: known.examples[t] + more[t] for t in ("zh", "en")}
    intents[name] = replace(known, examples=both)


def _yaml(path: Path) -> Any:
    try:
        return read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadPersona(f"{path.name}: cannot be read: {error}") from None


def _intent(entry: Any, file: str) -> Intent:
    try:
        name, about = str(entry["intent"]), str(entry["about"])
        examples: dict[Language, tuple[str, ...]] = {
            "zh": tuple(map(str, entry["examples"]["zh"])),
            "en": tuple(map(str, entry["examples"]["en"])),
        }
        answers = tuple(_line(item, f"{file}, {name}") for item in entry["answers"])
    except (KeyError, TypeError) as error:
        raise BadPersona(f"{file}: an intent lacks {error}. README.md beside the files shows a whole one.") from None
    if not answers or not all(examples.values()):
        raise BadPersona(f"{file}: the intent {name} needs examples and answers.")
    return Intent(name, about, examples, answers, grave=entry.get("grave") is True)


def _line(item: Any, place: str) -> Line:
    try:
        emotion: Emotion = getattr(events, f"EMOTION_{item['emotion']}".upper())
        gesture: Gesture = getattr(events, f"GESTURE_{item['gesture']}".upper())
        line = Line(str(item["zh"]).strip(), str(item["en"]).strip(), emotion, float(item["intensity"]), gesture)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadPersona(f"{place}: an answer is wrong: {error}") from None
    unknown = {slot for text in (line.zh, line.en) for slot in re.findall(r"{(\w*)}", text)} - SLOTS
    if unknown or not line.zh or not line.en or not 0 <= line.intensity <= 1:
        raise BadPersona(f"{place}: needs zh and en, an intensity from 0 to 1, and only the slots {sorted(SLOTS)}.")
    return line


def all_lines(persona: Persona) -> Iterator[tuple[str, Line]]:
    """Every line she has, with the name of its intent or list."""
    for intent in persona.intents.values():
        yield from ((intent.name, line) for line in intent.answers)
    for name, lines in persona.lines.items():
        yield from ((name, line) for line in lines)
