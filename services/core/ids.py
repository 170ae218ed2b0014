"""Identifiers: derived where a repetition must give the same one, drawn from an injected source where not."""

from __future__ import annotations

import hashlib
import random
import secrets
from typing import Protocol


def derived(*parts: str | int) -> str:
    """The same parts always give the same id: 32 hexadecimal digits.

    Each part is written with its length, so ("ab", "c") and ("a", "bc") differ.
    """
    text = "".join([f"{len(part)}:{part}" for part in map(str, parts)])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Ids(Protocol):
    """A source of ids that nobody derives."""

    def new(self) -> str:
        """A fresh id, 32 hexadecimal digits."""


class RandomIds:
    """Unpredictable ids."""

    def new(self) -> str:
        return secrets.token_hex(16)


class SeededIds:
    """The same seed gives the same ids: for replay and tests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def new(self) -> str:
        return f"{self._random.getrandbits(128):032x}"
