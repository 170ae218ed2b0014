"""Names of viewers as she says them."""

from __future__ import annotations

import re
import unicodedata

from services.core.moderation import Moderator

MOST_HANZI, MOST_LETTERS = 10, 18
_UNSPEAKABLE = re.compile(r"[^\w\s·'-]+|_+")
_LONG_FIGURES = re.compile(r"\d{5,}")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")


def spoken(name: str, moderator: Moderator) -> str | None:
    """The name without what cannot be spoken, cut to a breath's length; None when nothing sayable is left.

    Names are written by strangers, so they are moderated like everything else she says.
    """
    if _refused(name, moderator):
        return None
    clean = _UNSPEAKABLE.sub(" ", unicodedata.normalize("NFKC", name))
    clean = _DRAWN_OUT.sub(r"\1\1", _LONG_FIGURES.sub(" ", clean))
    clean = " ".join(clean.split()).strip("·'- ")
    most = MOST_HANZI if re.search(r"[\u3400-\u9fff]", clean) else MOST_LETTERS
    if len(clean) > most:
        clean = clean[:most].rsplit(" ", 1)[0] if " " in clean[:most] else clean[:most]
    if not re.search(r"\w", clean) or _refused(clean, moderator):
        return None
    return clean


def _refused(name: str, moderator: Moderator) -> bool:
    """Whether the name may not be said, or would not be answered as a message."""
    return any(moderator.check(name, where=where) is not None for where in ("input", "output"))
