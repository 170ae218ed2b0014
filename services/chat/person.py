"""Of whom a sentence speaks: of the one it is said to, of the one who says it."""

from __future__ import annotations

import re

KINDS = 4
"""Values of `person`."""
_HER = re.compile(r"[你您妳泥澜]|主播|\b(?:you|your|yours|yourself|u|ur|ya|lydia|she|her)\b")
_ONESELF = re.compile(r"[我俺咱]|本人|\b(?:i|my|me|mine|im|ive|we|our|us|myself)\b")


def person(text: str) -> int:
    """0 to 3: 2 where it names the one spoken to ("your cat"), 1 where it names the speaker ("my cat"); or both."""
    text = text.lower()
    return 2 * (_HER.search(text) is not None) + (_ONESELF.search(text) is not None)
