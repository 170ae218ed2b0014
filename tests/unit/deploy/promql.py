"""The names of metrics in PromQL, as far as our own queries go."""

from __future__ import annotations

import re

_NOT_NAMES = re.compile(r'\{[^}]*\}|"[^"]*"|\[[^\]]*\]|\b(?:by|on|without|ignoring)\s*\([^)]*\)')
_WORDS = re.compile(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()")
_OPERATORS = {"and", "or", "unless", "bool", "offset", "on", "by", "group_left", "group_right", "m", "h", "e6"}


def names(expr: str) -> set[str]:
    """All metrics of an expression: words that are no label, function, operator or duration."""
    return set(_WORDS.findall(_NOT_NAMES.sub(" ", expr))) - _OPERATORS
