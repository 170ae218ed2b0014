"""Reading fields of foreign JSON: liberal in what is taken, strict in what comes out.

Platforms send numbers as text, seconds for milliseconds, names cut in mid-character and fields nobody announced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from services.gateway.platform import Unreadable

ID_CHARS = 256
NAME_CHARS = 100
TEXT_CHARS = 2_000
URL_CHARS = 2_000
SECONDS_BELOW = 10**11
"""A time stamp below this is in seconds: in milliseconds it would be before March 1973."""
MAX_INT64 = 2**63 - 1
MAX_UINT32 = 2**32 - 1

Fields = Mapping[str, Any]
"""An item's fields by spelling-independent name, see `fields_of`."""


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


class _Documented(dict[str, str]):
    """The names that stand in the code, folded when first asked for. Those of foreign items would fill the memory."""

    def __missing__(self, name: str) -> str:
        folded = self[name] = _folded(name)
        return folded


_DOCUMENTED = _Documented()

_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Surrogates cannot be encoded, noncharacters mean nothing, and the bidirectional controls reorder what others wrote.
_UNFIT = re.compile(r"[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\ufeff\u202a-\u202e\u2066-\u2069]")


class BadField(Exception):
    """A field that the event cannot be without is missing or senseless.

    The text names the field as documented and what it must be, never what it held.
    """


def _bounded_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= 20 else None


_JSON = json.JSONDecoder(parse_int=_bounded_int, parse_constant=lambda _constant: None)


def decode(raw: bytes) -> Any:
    """JSON, with broken UTF-8 replaced: one cut name must not cost the whole delivery. Raises Unreadable."""
    try:
        return _JSON.decode(raw.decode("utf-8-sig", "replace"))
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None


def encode(item: object) -> bytes:
    """An item as JSON again, for the dead letters."""
    try:
        return json.dumps(item, separators=(",", ":")).encode()
    except RecursionError:
        return b'"(nested too deeply to be kept)"'


def clean(text: str, limit: int) -> str:
    """Valid Unicode in one line, without control characters, at most `limit` code points."""
    if len(text) <= limit and text.isprintable() and "  " not in text:
        return text.strip()
    return _SPACE.sub(" ", _UNFIT.sub("", text[: limit * 2])).strip()[:limit]


def fields_of(item: object) -> Fields:
    """The item's fields with `sec_openid`, `sec_open_id` and `SecOpenId` under one name, for `value`."""
    if not isinstance(item, dict):
        raise BadField("it must be a JSON object")
    known = _DOCUMENTED.get  # without `__missing__`
    return {known(name) or _folded(name): value for name, value in item.items()}


def value(fields: Fields, name: str) -> Any:
    """The field of that name in any spelling; None when it is missing."""
    return fields.get(_DOCUMENTED[name])


def text(fields: Fields, name: str, *, limit: int) -> str | None:
    """A text field, cleaned; numbers are taken as text. None when it is missing or something else."""
    found = fields.get(_DOCUMENTED[name])
    if isinstance(found, str):
        return clean(found, limit)
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return clean(str(found), limit)


def identifier(fields: Fields, name: str) -> str:
    """An id that must be there. Raises BadField."""
    found = text(fields, name, limit=ID_CHARS + 1)
    if not found or len(found) > ID_CHARS:
        raise BadField(f"{name} must be a text of 1 to {ID_CHARS} characters")
    return found


def url(fields: Fields, name: str) -> str:
    """A web address, or nothing: a page shows it, so no other scheme passes."""
    found = text(fields, name, limit=URL_CHARS) or ""
    return found if found.startswith(("https://", "http://")) else ""


def whole(value: object) -> int | None:
    """A whole number, also when written as text or as 3.0. None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    return None


def required_count(fields: Fields, name: str) -> int:
    """How many; at least one. Raises BadField."""
    number = whole(value(fields, name))
    if number is None or not 1 <= number <= MAX_UINT32:
        raise BadField(f"{name} must be a whole number from 1 to {MAX_UINT32}")
    return number


def money_fen(fields: Fields, name: str) -> int | None:
    """An amount in fen, or None when the platform does not send it. Raises BadField for a senseless one."""
    found = value(fields, name)
    if found is None:
        return None
    number = whole(found)
    if number is None or not 0 <= number <= MAX_INT64:
        raise BadField(f"{name} must be a whole number of fen, 0 or more")
    return number


def level(fields: Fields, name: str) -> int:
    """A level; 0 when unknown."""
    found = fields.get(_DOCUMENTED[name])
    if found is None:
        return 0
    number = whole(found)
    return number if number is not None and 0 <= number <= MAX_UINT32 else 0


def flag(fields: Fields, name: str) -> bool:
    """Whether a yes-or-no field says yes."""
    return fields.get(_DOCUMENTED[name]) in (True, 1, "1", "true", "True")


def time_ms(value: object, default: int) -> int:
    """Unix time in milliseconds, also from seconds; the default when it is no time of this age."""
    number = whole(value)
    if number is None or not 0 < number < 10**14:
        return default
    return number * 1000 if number < SECONDS_BELOW else number
