"""The one process that loads libespeak-ng: `python -m services.speech.espeak.worker`.

espeak-ng is under GPL-3, so nothing else of Lydia loads it or depends on it. The process reads requests from its
standard input and writes sounds to its standard output (see `protocol`), until the input ends or its parent dies.

Every request is spoken by a copy (fork) of the process as it was after loading, made before the request comes.
espeak-ng carries random and filter state from one text to the next; a fresh copy gives the same samples for the same
request, always and in any worker.

The C interface is that of espeak-ng's `speak_lib.h`:
https://github.com/espeak-ng/espeak-ng/blob/1.52.0/src/include/espeak-ng/speak_lib.h
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import resource
import signal
import sys
from io import FileIO
from pathlib import Path
from typing import Any

from services.speech.espeak.protocol import (
    LENGTH,
    MAX_REQUEST_BYTES,
    MAX_SOUND_S,
    BadFrame,
    Hello,
    Line,
    Reply,
    Request,
    Sound,
    pack_hello,
    pack_reply,
    unpack_request,
)

AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_PHONEME_EVENTS = 0x0001
INITIALIZE_DONT_EXIT = 0x8000
CHARS_UTF8 = 1
PHONEMES = 0x100
RATE, PITCH, RANGE = 1, 3, 4
EVENT_END, EVENT_PHONEME = 0, 7
PR_SET_PDEATHSIG = 1
VOICES = Path(__file__).parent / "voices"
"""Voice files of our own; their attributes are described in espeak-ng's docs/voices.md."""
SEED = 2112
INPUT_ENDED, BROKEN = 3, 4
"""Exit codes of a copy."""
MAX_CPU_S = 10
"""A copy that computes for longer is ended by the system."""


class Unavailable(Exception):
    """There is no usable espeak-ng on this machine."""


class Refused(Exception):
    """A request that gets an error instead of sound."""


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Library:
    """libespeak-ng. Phoneme events carry espeak-ng's own (ASCII) names, which fit the event's eight bytes."""

    def __init__(self) -> None:
        """Raises Unavailable."""
        path, data = _find()
        try:
            self._lib: Any = ctypes.CDLL(path)
        except OSError as error:
            raise Unavailable(str(error)) from None
        self.sample_rate: int = self._lib.espeak_Initialize(
            AUDIO_OUTPUT_SYNCHRONOUS, 0, data, INITIALIZE_PHONEME_EVENTS | INITIALIZE_DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise Unavailable("espeak-ng finds no voice data")
        self._lib.espeak_Synth.argtypes = (
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )
        if hasattr(self._lib, "espeak_ng_SetRandSeed"):  # since 1.52
            self._lib.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
        self._room = MAX_SOUND_S * self.sample_rate * 2
        self._pcm = bytearray()
        self._events: list[tuple[str, int]] = []
        self._callback = _Callback(self._take)  # kept alive as long as the library may call it
        self._lib.espeak_SetSynthCallback(self._callback)

    def speak(self, request: Request) -> Reply:
        """Synthesises a request. To be called once in the life of a process."""
        sounds = []
        try:
            for line in request.lines:
                sounds.append(self._line(line))
                self._room -= len(sounds[-1].pcm_s16le)
        except Refused as error:
            return Reply(request.request_id, (), str(error))
        return Reply(request.request_id, tuple(sounds), "")

    def _line(self, line: Line) -> Sound:
        self._pcm.clear()
        self._events.clear()
        voice = VOICES / Path(line.voice).name
        if not voice.is_file() or self._lib.espeak_SetVoiceByFile(os.fsencode(voice)) != 0:
            raise Refused(f"no voice {line.voice!r}")
        for parameter, value in ((RATE, line.rate), (PITCH, line.pitch), (RANGE, line.pitch_range)):
            self._lib.espeak_SetParameter(parameter, value, 0)
        text = line.text.encode("utf-8", "replace")
        if b"\0" in text:
            raise Refused("the text holds a null character")
        result = self._lib.espeak_Synth(text, len(text) + 1, 0, 0, 0, CHARS_UTF8 | PHONEMES, None, None)
        if result != 0:
            raise Refused(f"espeak-ng answered {result}")
        if len(self._pcm) > self._room:
            raise Refused(f"speech of more than {MAX_SOUND_S} s")
        return Sound(tuple(self._events), bytes(self._pcm))

    def _take(self, wave: Any, samples: int, events: Any) -> int:
        """espeak-ng's callback; anything but 0 breaks the synthesis off."""
        if wave and samples > 0:
            self._pcm += ctypes.string_at(wave, samples * 2)
        index = 0
        while events[index].type != EVENT_END:
            event = events[index]
            if event.type == EVENT_PHONEME:
                self._events.append((_name(event), event.sample))
            index += 1
        return int(len(self._pcm) > self._room)


def _name(event: _Event) -> str:
    raw: bytes = bytes(event.id)[:8]  # all eight bytes: a full-length name has no terminator
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def _find() -> tuple[str, bytes | None]:
    """The library and its data: from the `espeakng-loader` package, else the system's own."""
    try:
        import espeakng_loader
    except ImportError:
        system = ctypes.util.find_library("espeak-ng")
        if system is None:
            raise Unavailable("neither the package espeakng-loader nor a system libespeak-ng is installed") from None
        return system, None
    return str(espeakng_loader.get_library_path()), os.fsencode(espeakng_loader.get_data_path())


def _die_with(parent: int) -> None:
    """Linux ends this process when its parent ends, even by SIGKILL and even in the middle of a synthesis."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def serve(source: FileIO, sink: FileIO) -> None:
    """Answers requests until the input ends. Both streams are unbuffered: copies share them."""
    try:
        library = Library()
    except Unavailable as error:
        sink.write(pack_hello(Hello(0, str(error))))
        return
    sink.write(pack_hello(Hello(library.sample_rate, "")))
    parent = os.getpid()
    while True:
        copy = os.fork()
        if copy == 0:
            _die_with(parent)
            os._exit(_serve_one(library, source, sink))
        _, status = os.waitpid(copy, 0)
        if os.waitstatus_to_exitcode(status) == INPUT_ENDED:
            return
        if status != 0:  # it may have died in the middle of a reply: only a new worker is sure to be understood
            sys.exit(f"a copy ended with status {status}")


def _serve_one(library: Library, source: FileIO, sink: FileIO) -> int:
    """The life of a copy, which was made before its request came. Returns its exit code."""
    head = _read(source, LENGTH.size)
    if not head:
        return INPUT_ENDED
    (length,) = LENGTH.unpack(head)
    if length > MAX_REQUEST_BYTES:
        return BROKEN
    try:
        request = unpack_request(_read(source, length))
    except BadFrame:
        return BROKEN
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    reply = memoryview(pack_reply(library.speak(request)))
    while reply:
        reply = reply[sink.write(reply) :]
    return 0


def _read(source: FileIO, size: int) -> bytes:
    """So many bytes; none when the input has ended before."""
    found = b""
    while len(found) < size:
        more = source.read(size - len(found))
        if not more:
            return b""
        found += more
    return found


def main() -> None:
    """Serves the parent process."""
    _die_with(os.getppid())
    serve(FileIO(0, "r", closefd=False), FileIO(1, "w", closefd=False))


if __name__ == "__main__":
    main()
