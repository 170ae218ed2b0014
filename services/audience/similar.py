"""Messages of the same meaning: asked by several viewers, with other particles, typing errors or homophones."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.core.folding import plain, syllables

T = TypeVar("T", bound=Hashable)

HER_NAMES = "lydia|莉迪亚|星澜|澜澜"
_POLITE = re.compile(
    rf"{HER_NAMES}|小姐姐|姐姐|主播|请问一下|请问|想问一下|想问问|想问|问一下|话说|老师|"
    r"(?<![a-z])(?:hey|hi|hello|please|pls|plz)(?![a-z])"
)
_PARTICLES = re.compile(r"[啊呀呢哦喔噢嘛啦哇耶嗯呃吧吗么]+(?=$|\W)")
_NO_WORD = re.compile(r"[\W_]+")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_DIGITS = re.compile(r"\d+")

MIN_PAIRS = 4
"""Shorter texts are the same only when they read or sound the same: one character makes another question of them."""
MAX_DIFFERENT_PAIRS = 3
"""A character more or less changes three pairs; another character in the middle changes four, and often the meaning."""


@dataclass(frozen=True, slots=True)
class Form:
    """What of a message counts for comparing."""

    key: str
    """The words alone."""
    sound: str
    """Their pinyin without tones."""
    pairs: frozenset[str]
    """Neighbouring characters."""
    digits: tuple[str, ...]


def form_of(text: str) -> Form:
    """The comparable form of a message. `key` is empty for a message without a letter, digit or character."""
    spelt = plain(text)
    bare = _POLITE.sub(" ", spelt)
    key = _short(_PARTICLES.sub("", bare)) or _short(spelt)
    return Form(
        key,
        syllables(key),
        frozenset(key[i : i + 2] for i in range(len(key) - 1)),
        tuple(_DIGITS.findall(key)),
    )


def _short(text: str) -> str:
    return _DRAWN_OUT.sub(r"\1\1", _NO_WORD.sub("", text))


class SimilarIndex(Generic[T]):
    """Finds what has the same meaning among what was added, without comparing with each."""

    def __init__(self) -> None:
        self._forms: dict[T, Form] = {}
        self._exact: dict[str, T] = {}
        self._by_pair: defaultdict[str, dict[T, None]] = defaultdict(dict)

    def add(self, item: T, form: Form) -> None:
        self._forms[item] = form
        if form.key:
            self._exact.setdefault(form.key, item)
            self._exact.setdefault(form.sound, item)
        for pair in form.pairs:
            self._by_pair[pair][item] = None

    def remove(self, item: T) -> None:
        form = self._forms.pop(item)
        for key in (form.key, form.sound):
            if self._exact.get(key) == item:
                del self._exact[key]
        for pair in form.pairs:
            del self._by_pair[pair][item]
            if not self._by_pair[pair]:
                del self._by_pair[pair]

    def find(self, form: Form) -> T | None:
        """An item of the same meaning, the one that shares most; None when there is none."""
        if not form.key:
            return None
        same = self._exact.get(form.key, self._exact.get(form.sound))
        if same is not None:
            return same
        if len(form.pairs) < MIN_PAIRS:
            return None
        shared: Counter[T] = Counter()
        for pair in form.pairs:
            shared.update(list(self._by_pair.get(pair, ())))
        best: tuple[int, T] | None = None
        enough = len(form.pairs) - MAX_DIFFERENT_PAIRS
        for item, common in [found for found in shared.items() if found[1] >= enough]:
            other = self._forms[item]
            different = len(form.pairs) + len(other.pairs) - 2 * common
            if different > MAX_DIFFERENT_PAIRS or len(other.pairs) < MIN_PAIRS or other.digits != form.digits:
                continue
            if best is None or different < best[0]:
                best = different, item
        return best[1] if best else None
