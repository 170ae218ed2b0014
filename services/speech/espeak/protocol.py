"""What the client and the worker say to each other over the worker's standard input and output.

A frame is its body's length (uint32, little endian) and the body. Requests are JSON. What the worker sends is the
length of a JSON head (uint32, little endian), the head, and the sound: first a `Hello`, then a `Reply` to each request.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any

LENGTH = struct.Struct("<I")
MAX_REQUEST_BYTES = 16_384
MAX_SOUND_S = 60
"""Of one request. Longer speech is broken off by the worker, and reported as an error."""
MAX_REPLY_BYTES = 4_194_304


class BadFrame(Exception):
    """The other side does not speak this protocol, or a frame is over its allowed size."""


@dataclass(frozen=True, slots=True)
class Line:
    """A run of text in one voice."""

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
class Request:
    """Lines to be spoken one after another."""

    request_id: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Hello:
    """The worker is ready, or says why it will never be."""

    sample_rate: int
    error: str


@dataclass(frozen=True, slots=True)
class Sound:
    """What a line became: espeak-ng's phoneme names with the sample at which each begins (the last one lasts until the
    sound's end), and mono signed 16-bit little-endian samples.
    """

    events: tuple[tuple[str, int], ...]
    pcm_s16le: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One sound for each line of a request, or an error and none."""

    request_id: int
    sounds: tuple[Sound, ...]
    error: str


def pack_request(request: Request) -> bytes:
    """The frame of a request. Raises BadFrame when it is too large."""
    body = json.dumps(asdict(request)).encode()
    if len(body) > MAX_REQUEST_BYTES:
        raise BadFrame(f"a request of {len(body)} bytes is over the {MAX_REQUEST_BYTES} allowed")
    return LENGTH.pack(len(body)) + body


def unpack_request(body: bytes) -> Request:
    """The request of a frame's body. Raises BadFrame."""
    try:
        fields = json.loads(body)
        return Request(int(fields["request_id"]), tuple(Line(**line) for line in fields["lines"]))
    except (ValueError, TypeError, KeyError) as error:
        raise BadFrame(f"no request: {error}") from None


def pack_hello(hello: Hello) -> bytes:
    """The frame of a hello."""
    return _pack(asdict(hello), b"")


def unpack_hello(body: bytes) -> Hello:
    """The hello of a frame's body. Raises BadFrame."""
    try:
        return Hello(**_split(body)[0])
    except TypeError as error:
        raise BadFrame(f"no hello: {error}") from None


def pack_reply(reply: Reply) -> bytes:
    """The frame of a reply."""
    head = {
        "request_id": reply.request_id,
        "sounds": [[sound.events, len(sound.pcm_s16le)] for sound in reply.sounds],
        "error": reply.error,
    }
    return _pack(head, b"".join(sound.pcm_s16le for sound in reply.sounds))


def unpack_reply(body: bytes) -> Reply:
    """The reply of a frame's body. Raises BadFrame."""
    head, pcm = _split(body)
    sounds = []
    at = 0
    try:
        for events, size in head["sounds"]:
            sounds.append(Sound(tuple((str(name), int(sample)) for name, sample in events), pcm[at : at + size]))
            at += size
        return Reply(int(head["request_id"]), tuple(sounds), str(head["error"]))
    except (ValueError, TypeError, KeyError) as error:
        raise BadFrame(f"no reply: {error}") from None


def _pack(head: dict[str, Any], pcm: bytes) -> bytes:
    text = json.dumps(head).encode()
    return LENGTH.pack(LENGTH.size + len(text) + len(pcm)) + LENGTH.pack(len(text)) + text + pcm


def _split(body: bytes) -> tuple[dict[str, Any], bytes]:
    if len(body) < LENGTH.size:
        raise BadFrame("a reply without a head")
    (length,) = LENGTH.unpack_from(body)
    try:
        head = json.loads(body[LENGTH.size : LENGTH.size + length])
    except ValueError as error:
        raise BadFrame(f"no JSON: {error}") from None
    if not isinstance(head, dict):
        raise BadFrame("no JSON object")
    return head, body[LENGTH.size + length :]
