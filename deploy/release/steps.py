"""What a proof consists of: steps that are told as they are done, each with its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


class NotProven(Exception):
    """Something is not as it must be. The text says what was seen."""


@dataclass
class Report:
    """Tells a person what goes on, and keeps it in a file."""

    path: Path
    _begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("", encoding="utf-8")

    def say(self, text: str) -> None:
        """One line, with the time since the beginning."""
        line = f"[{time.monotonic() - self._begun:7.1f} s] {text}"
        print(line, flush=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Says that it was done, and how long it took. A step that fails says which it was."""
        begun = time.monotonic()
        try:
            yield
        except Exception:
            self.say(f"FAILED: {what}")
            raise
        self.say(f"{what} ({time.monotonic() - begun:.1f} s)")


def expect(true: object, told: str) -> None:
    """Raises NotProven where something is not so."""
    if not true:
        raise NotProven(told)
