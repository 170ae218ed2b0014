"""What may be answered and what may be said: word, pinyin and pattern rules over folded text.

The rules stand in `moderation.yaml`, which explains its own form; `settings.audience.words` adds a file of that form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from services.core.folding import HAN, digits, fold, joined, plain, syllables
from services.core.yaml_files import read_yaml

BUILT_IN = Path(__file__).with_name("moderation.yaml")

Where = Literal["input", "output"]

REMEMBERED, SHORT = 4096, 40
"""Of so many texts, no longer than that, the latest findings are remembered: a crowd repeats itself, and its names."""

_LONG_WORD = re.compile(f"[{HAN}]{{4,}}")
_DRAWN_OUT = re.compile(r"([a-z])\1+")
_LONG_DRAWN_OUT = re.compile(r"([a-z])\1{2,}")


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a text is refused. Holds none of its words."""

    rule: str
    category: str


class BadRules(ValueError):
    """A rule file that cannot be used: which file, what is wrong, how to mend it."""


class RuleText(BaseModel):
    """One rule as written in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    category: str
    where: Literal["input", "output", "both"] = "both"
    words: tuple[str, ...] = ()
    pinyin: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    digits: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


class _RuleFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: tuple[RuleText, ...]


class _Views:
    """The same text, spelt in the ways that rules look at."""

    def __init__(self, text: str) -> None:
        self.plain = plain(text)
        self.digits = digits(self.plain)
        self.words = _Words(fold(text))
        self.joined = joined(text)


class _Words:
    """The folded text, with drawn-out letters shortened, and as it sounds."""

    def __init__(self, folded: str) -> None:
        self.folded = folded
        once, twice = _DRAWN_OUT.sub(r"\1", folded), _LONG_DRAWN_OUT.sub(r"\1\1", folded)
        self.spellings = tuple({folded, once, twice})
        self.syllables = syllables(folded)


class _Word:
    """A Chinese word counts anywhere; a Latin one as a whole word, or as its beginning when written with `*`."""

    def __init__(self, written: str) -> None:
        """Raises BadRules when nothing of it is left to compare."""
        self.folded = fold(written.removesuffix("*"))
        if not self.folded:
            raise BadRules(f"the word {written!r} has neither letters nor digits. Write it as a pattern under `plain`.")
        self._begins = written.endswith("*")

    @cached_property
    def whole(self) -> re.Pattern[str]:
        """What finds it; hundreds of words are never looked for so closely."""
        before = "(?<![a-z0-9])" if self.folded[0].isascii() else ""
        after = "(?![a-z0-9])" if self.folded[-1].isascii() and not self._begins else ""
        return re.compile(before + re.escape(self.folded) + after)


class _Rule:
    """A rule, compiled."""

    def __init__(self, text: RuleText) -> None:
        self.finding = Finding(text.name, text.category)
        self._where = text.where
        self._words = tuple(map(_Word, text.words))
        self._folded = tuple(word.folded for word in self._words)
        self._long = tuple(word for word in self._folded if _LONG_WORD.fullmatch(word))
        self._patterns = _any_of(text.patterns)
        self._syllables = _any_of([_syllable_run(word) for word in text.pinyin])
        self._plain = _any_of(text.plain)
        self._digits = _any_of(text.digits)
        self._allowed = _any_of([re.escape(fold(phrase)) for phrase in text.allow])

    def applies(self, where: Where) -> bool:
        return self._where in ("both", where)

    def matches(self, views: _Views) -> bool:
        if _found(self._plain, views.plain) or _found(self._digits, views.digits):
            return True
        return self._said(views.words) or self._broken_up(views.joined)

    def _said(self, words: _Words) -> bool:
        if not self._in(words):
            return False
        if self._allowed is None:
            return True
        rest = self._allowed.sub(" ", words.folded)
        return rest == words.folded or self._in(_Words(rest))

    def _broken_up(self, joined: str) -> bool:
        """Whether a long word was written with gaps. Short ones stand across harmless gaps too often."""
        if not any(map(joined.__contains__, self._long)):
            return False
        rest = joined if self._allowed is None else self._allowed.sub(" ", joined)
        return any(map(rest.__contains__, self._long))

    def _in(self, words: _Words) -> bool:
        if _found(self._patterns, words.folded) or _found(self._syllables, words.syllables):
            return True
        # The plain search is what makes hundreds of words cheap; few texts get as far as the expressions.
        return any(
            word.folded in spelling and word.whole.search(spelling) is not None
            for spelling in words.spellings
            if any(map(spelling.__contains__, self._folded))
            for word in self._words
        )


class Moderator:
    """Checks texts against rules. Pure: the same rules and text always give the same finding."""

    def __init__(self, rules: tuple[RuleText, ...]) -> None:
        """Raises BadRules when a pattern is no regular expression."""
        self._rules = {
            where: tuple(rule for rule in map(_compiled, rules) if rule.applies(where)) for where in ("input", "output")
        }
        self._remembered = lru_cache(REMEMBERED)(self._check)

    @classmethod
    def built_in(cls, extra: Path | None = None) -> Moderator:
        """Lydia's own rules, then those of the file `extra`. Raises BadRules."""
        return cls(read(BUILT_IN) + (read(extra) if extra is not None else ()))

    def check(self, text: str, where: Where) -> Finding | None:
        """The first rule against this text: "input" is what viewers write, "output" what Lydia is about to say.

        None when nothing speaks against it. Never raises, whatever the text holds.
        """
        return self._remembered(text, where) if len(text) <= SHORT else self._check(text, where)

    def _check(self, text: str, where: Where) -> Finding | None:
        views = _Views(text)
        return next((rule.finding for rule in self._rules[where] if rule.matches(views)), None)


def read(path: Path) -> tuple[RuleText, ...]:
    """The rules of a file. Raises BadRules."""
    try:
        return _RuleFile.model_validate(read_yaml(path)).rules
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRules(f"{path}: cannot be read ({error}). Name a readable YAML file of rules.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BadRules(f"{path}: {place}: {first['msg']}. Compare it with {BUILT_IN.name}.") from None


def _compiled(text: RuleText) -> _Rule:
    try:
        return _Rule(text)
    except re.error as error:
        raise BadRules(f"rule {text.name}: {error.pattern!r} is no regular expression: {error}.") from None


def _any_of(patterns: list[str] | tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{p.replace('{han}', HAN)})" for p in patterns)) if patterns else None


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is not None


def _syllable_run(word: str) -> str:
    """Syllables in a row, as characters or written out with or without spaces."""
    return r"(?<![a-z])" + " ?".join(map(re.escape, word.split())) + r"(?![a-z])"
