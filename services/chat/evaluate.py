"""How well viewers are understood: `python -m services.chat.evaluate FILE` with a list of {text, intent}.

`intent` is a name, a list of acceptable names, or `fallback` for what she cannot know.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from services.chat.meaning import Meaning
from services.chat.persona import load
from services.chat.retrieval import Match, Retrieval
from services.places import FITTED


@dataclass(frozen=True)
class Asked:
    """One text, what it should find and what it found."""

    text: str
    expected: tuple[str, ...]
    found: Match

    @property
    def verdict(self) -> str:
        """One of right, wrong or fallback (the honest one; right where nothing could be known)."""
        if not self.found.fits:
            return "right" if "fallback" in self.expected else "fallback"
        return "right" if self.found.intent in self.expected else "wrong"


def evaluate(file: Path, retrieval: Retrieval) -> list[Asked]:
    """Asks everything in the file."""
    asked = []
    for entry in yaml.safe_load(file.read_text(encoding="utf-8")):
        expected = entry["intent"] if isinstance(entry["intent"], list) else [entry["intent"]]
        asked.append(Asked(entry["text"], tuple(expected), retrieval.find(entry["text"])))
    return asked


def main(file: Path) -> None:
    retrieval = Retrieval(load(), Meaning(), FITTED)
    begin = time.perf_counter()
    asked = evaluate(file, retrieval)
    spent = (time.perf_counter() - begin) / len(asked) * 1000
    for one in asked:
        if one.verdict != "right":
            found, expected = one.found, "/".join(one.expected)
            print(f"{one.verdict:9}{one.text}  {expected} ≠ {found.intent} {found.score:.2f} +{found.margin:.2f}")
    counts = {verdict: sum(one.verdict == verdict for one in asked) for verdict in ("right", "wrong", "fallback")}
    print(
        ", ".join(f"{verdict} {count / len(asked):.1%}" for verdict, count in counts.items()),
        f"of {len(asked)}; {spent:.0f} ms each",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
