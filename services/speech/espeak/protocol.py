"""What the client and the worker say to each other over the worker's standard input and output.

A frame is its body's length (uint32, little endian) and the body. Requests are JSON. A reply's body is the length of
its JSON head (uint32, little endian), the head, and the sound. The first reply of a worker is a `Hello`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any

LENGTH = struct.Struct("<I")
MAX_REQUEST_BYTES = 16_384
MAX_SOUND_S = 60
"""Longer speech is broken off by the worker, and reported as an error."""
MAX_REPLY_BYTES = 4_194_304


class BadFrame(Exception):
    """The other side does not speak this protocol, or a frame is over its allowed size."""


@dataclass(frozen=True, slots=True)
class Request:
    """One run of text in one voice."""

    request_id: int
    text: str
    """Without control characters. Between [[ and ]] espeak-ng's own phoneme names may stand."""
    voice: str
    """A file name in `voices/`."""
    rate: int
    """Words per minute, 80 to 450."""
    pitch: int
    """0 to 99."""
    pitch_range: int
    """0 to 99."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The worker is ready, or says why it will never be."""

    sample_rate: int
    error: str


@dataclass(frozen=True, slots=True)
class Sound:
    """What a request became. `events` are espeak-ng's phoneme names with the sample at which each begins; the end of
    the last one is the end of the sound. With an `error` there is no sound.
    """

    request_id: int
    events: tuple[tuple[str, int], ...]
    pcm_s16le: bytes
    error: str


def pack_request(request: Request) -> bytes:
    """The frame of a request. Raises BadFrame when it is too large."""
    body = json.dumps(asdict(request)).encode()
    if len(body) > MAX_REQUEST_BYTES:
        raise BadFrame(f"a request of {len(body)} bytes is over the {MAX_REQUEST_BYTES} allowed")
    return LENGTH.pack(len(body)) + body


def unpack_request(body: bytes) -> Request:
    """The request of a frame's body. Raises BadFrame."""
    return Request(**_object(body))


def pack_reply(reply: Hello | Sound) -> bytes:
    """The frame of a reply."""
    fields = asdict(reply)
    pcm: bytes = fields.pop("pcm_s16le", b"")
    head = json.dumps(fields).encode()
    return LENGTH.pack(LENGTH.size + len(head) + len(pcm)) + LENGTH.pack(len(head)) + head + pcm


def unpack_hello(body: bytes) -> Hello:
    """The hello of a frame's body. Raises BadFrame."""
    head, _ = _split(body)
    try:
        return Hello(**head)
    except TypeError as error:
        raise BadFrame(str(error)) from None


def unpack_sound(body: bytes) -> Sound:
    """The sound of a frame's body. Raises BadFrame."""
    head, pcm = _split(body)
    try:
        events = tuple((str(name), int(sample)) for name, sample in head.pop("events", ()))
        return Sound(events=events, pcm_s16le=pcm, **head)
    except (TypeError, ValueError) as error:
        raise BadFrame(str(error)) from None


def _split(body: bytes) -> tuple[dict[str, Any], bytes]:
    if len(body) < LENGTH.size:
        raise BadFrame("a reply without a head")
    (length,) = LENGTH.unpack_from(body)
    return _object(body[LENGTH.size : LENGTH.size + length]), body[LENGTH.size + length :]


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadFrame(f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadFrame("no JSON object")
    return value
