"""A segment's text → sound with timed phonemes, piece by piece. Everything here runs in the calling thread."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np

from services.core.events import TextSegment
from services.speech.espeak.phonemes import Sounding
from services.speech.moods import Mood, mood
from services.speech.natural.emphasis import emphasised
from services.speech.natural.encoder import MAX_SYMBOLS, Features, Floats, Ints
from services.speech.natural.phones import SPACE, Phone
from services.speech.natural.reading import Reader
from services.speech.natural.voices import Manner, Melody, Voice
from services.speech.sound import SAMPLE_RATE, Samples, limited, silence
from services.speech.text import PAUSE_S, Phrase, phrases

FRAME = 600
"""Samples of the encoder's frames."""
EARLY_S = 0.06
"""One hears a sound so long before its symbol begins. Measured, see tests/integration/speech/test_natural_voice.py."""
SOUNDING = -4.0
"""The encoder's energy of what can be heard; in silence it is about -9.5, in a vowel 9."""
LEAD, TAIL = 2, 3
"""Frames before the first and after the last of a clause that can be heard, for soft edges."""
FADE_IN, FADE_OUT = 96, 720
"""Samples."""
FIRST_SYMBOLS, LATER_SYMBOLS = 40, 150
"""Phrases are encoded together up to so many symbols: the first ones few, for an early sound, later ones more, for a
melody that spans the sentence."""
LAST_PAUSE_S = 0.12
"""Silence after the turn's last phrase."""
SLOWEST, FASTEST = 0.85, 1.2
"""Speeds at which the network still speaks well."""
VOICED_HZ = 40.0
"""Below this the encoder's pitch means: no voice."""
OCTAVE, DOUBLED_RANGE = 50.0, 60.0
"""The units of a mood."""


class Encodes(Protocol):
    """Says of symbols what a vocoder makes sound of."""

    def __call__(self, tokens: Sequence[int], style: Floats, speed: float) -> Features:
        """See `Encoder`."""


class Stylish(Protocol):
    """Says in which style a text of so many symbols is said."""

    def __call__(self, melody: Melody, symbols: int) -> Floats:
        """See `Styles`."""


class Vocoder(Protocol):
    """Makes sound of features."""

    def stream(self, features: Features, start: int = 0, end: int | None = None) -> Iterator[Samples]:
        """The sound of the frames start … end, in pieces, the first one small."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some sound of the segment, and with a clause's first piece all its phonemes, counted from its first sample."""

    sound: Samples
    phonemes: tuple[Sounding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Clause:
    """A phrase inside a group that was encoded together. Frames `start` … `end` are sounded, then comes a pause."""

    features: Features
    start: int
    end: int
    phonemes: tuple[Sounding, ...]
    pause: int
    """Samples of silence after the sound."""
    gain: Floats
    """[2T] of the features."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A phrase and its symbols."""

    phrase: Phrase
    phones: list[Phone]
    pause_s: float

    @property
    def symbols(self) -> int:
        return sum(len(phone.symbols) for phone in self.phones)


class Speaker:
    """One voice. May be used by several threads at once."""

    def __init__(self, encoder: Encodes, vocoder: Vocoder, reader: Reader, voice: Voice, styles: Stylish) -> None:
        self._encoder = encoder
        self._vocoder = vocoder
        self._reader = reader
        self._voice = voice
        self._styles = styles

    def speak(self, segment: TextSegment) -> Iterator[Piece]:
        """The pieces of a segment in order; none when there is nothing to say. Each `next` is a short piece of work."""
        now = mood(segment.emotion, segment.intensity)
        for group in _groups(self._read(segment)):
            for clause in self._encode(group, now):
                yield from self._sound(clause)

    def _read(self, segment: TextSegment) -> list[_Read]:
        emphasis = [(each.begin, each.end) for each in segment.emphasis]
        found = phrases(segment.text, emphasis, language=segment.language)
        read = []
        for phrase in found:
            ends = segment.last and phrase is found[-1]
            phones = self._reader.phones(phrase, ends=ends)
            if any(phone.ipa for phone in phones):
                read.append(_Read(phrase, _fitting(phones), LAST_PAUSE_S if ends else PAUSE_S[phrase.mark]))
        return read

    def _encode(self, group: Sequence[_Read], now: Mood) -> list[_Clause]:
        phones: list[Phone] = []
        begins = []
        for read in group:
            phones += [SPACE] if phones else []
            begins.append(len(phones))
            phones += read.phones
        melody = _melody(group)
        manner = self._voice.manners[melody]
        tokens = self._reader.tokens(phones)
        speed = min(max(manner.pace * (1 + now.rate), SLOWEST), FASTEST)
        features = self._encoder(tokens, self._styles(melody, len(tokens) - 2), speed)
        features = dataclasses.replace(features, f0=_moved(features.f0, manner, now))
        # Symbol 0 is the pad; each phone has one or more.
        lengths = [len(phone.symbols) for phone in phones]
        stand_out = np.repeat([False, *(phone.emphasis for phone in phones), False], [1, *lengths, 1])
        features, louder = emphasised(features, stand_out)
        edges = np.concatenate(([0], np.cumsum(features.durations)))[1 + np.cumsum([0, *lengths])]
        return list(_clauses(group, begins, phones, edges, features, louder * np.float32(manner.gain)))

    def _sound(self, clause: _Clause) -> Iterator[Piece]:
        total = (clause.end - clause.start) * FRAME
        phonemes = clause.phonemes
        at = 0
        for sound in self._vocoder.stream(clause.features, clause.start, clause.end):
            shaped = limited(sound * _gain(clause, at, len(sound)))
            shaped *= _edges(at, len(shaped), total)
            at += len(shaped)
            yield Piece(shaped, phonemes)
            phonemes = ()
        yield Piece(silence(clause.pause / SAMPLE_RATE), phonemes)


def _fitting(phones: list[Phone]) -> list[Phone]:
    """As much of a phrase, with its mark, as the network can take: only twenty words of nonsense are longer."""
    room = MAX_SYMBOLS - len(phones[-1].symbols)
    ends = np.cumsum([len(phone.symbols) for phone in phones[:-1]])
    return [*phones[: int(np.searchsorted(ends, room, side="right"))], phones[-1]]


def _groups(read: Sequence[_Read]) -> Iterator[list[_Read]]:
    """Phrases that are encoded together."""
    group: list[_Read] = []
    symbols, most = 0, FIRST_SYMBOLS
    for one in read:
        if group and symbols + one.symbols > most:
            yield group
            group, symbols, most = [], 0, LATER_SYMBOLS
        group.append(one)
        symbols += one.symbols + 1
    if group:
        yield group


def _melody(group: Sequence[_Read]) -> Melody:
    languages = {run.language for read in group for run in read.phrase.runs}
    return "mixed" if len(languages) > 1 else languages.pop()


def _moved(f0: Floats, manner: Manner, now: Mood) -> Floats:
    """The melody at her height and in her mood: higher or lower, wider or flatter."""
    voiced = f0 > VOICED_HZ
    if not voiced.any():
        return f0
    middle = float(np.exp(np.log(f0[voiced]).mean()))
    wide = 1 + now.pitch_range / DOUBLED_RANGE
    height = manner.pitch * 2 ** (now.pitch / OCTAVE)
    moved = f0.copy()
    moved[voiced] = height * middle * (f0[voiced] / middle) ** wide
    return moved


def _clauses(
    group: Sequence[_Read],
    begins: Sequence[int],
    phones: Sequence[Phone],
    edges: Ints,
    features: Features,
    gain: Floats,
) -> Iterator[_Clause]:
    """`begins`: each phrase's first phone. `edges`: [phones + 1] frames at which they begin."""
    total = int(features.durations.sum())
    ends = [*(begin - 1 for begin in begins[1:]), len(phones)]
    cuts = [0, *(_quietest(features.energy, phones, edges, begin) for begin in begins[1:]), total]
    for read, begin, end, after, before in zip(group, begins, ends, cuts, cuts[1:], strict=False):
        heard = np.flatnonzero(features.energy[2 * after : 2 * before] > SOUNDING) + 2 * after
        if not heard.size:
            continue
        start = max(int(heard[0]) // 2 - LEAD, after)
        stop = min(int(heard[-1]) // 2 + 1 + TAIL, before)
        silent_from = (int(heard[-1]) + 1) * FRAME // 2 - start * FRAME
        pause = max(round(read.pause_s * SAMPLE_RATE) - ((stop - start) * FRAME - silent_from), 0)
        whole = (stop - start) * FRAME + pause
        timed = _timed(phones[begin:end], edges[begin : end + 1], start, silent_from, whole)
        yield _Clause(features, start, stop, timed, pause, gain)


def _quietest(energy: Floats, phones: Sequence[Phone], edges: Ints, begin: int) -> int:
    """The middle of the silence, or of what comes nearest to it, before the phrase that begins with phone `begin`."""
    last = next(index for index in range(begin - 1, -1, -1) if phones[index].ipa)
    first, until = int(edges[last]) + 1, int(edges[begin]) + 1
    by_frame = energy[2 * first : 2 * until].reshape(-1, 2).max(axis=1)
    if not by_frame.size:
        return int(edges[begin])
    quiet = np.flatnonzero(by_frame <= by_frame.min() + 1)
    return first + int(quiet[len(quiet) // 2])


def _timed(phones: Sequence[Phone], edges: Ints, start: int, silent_from: int, whole: int) -> tuple[Sounding, ...]:
    """The phonemes of a clause without gaps, in samples from its first, and the pause at its end.

    What makes no sound of its own (a space, a mark) belongs to the sound before it.
    """
    sounding = [index for index, phone in enumerate(phones) if phone.ipa]
    early = EARLY_S * SAMPLE_RATE
    at = [min(max(round((int(edges[index]) - start) * FRAME - early), 0), silent_from) for index in sounding]
    at[0] = 0
    found = [
        Sounding(phones[index].ipa, begin, end, phones[index].stress)
        for index, begin, end in zip(sounding, at, [*at[1:], silent_from], strict=True)
        if end > begin
    ]
    return tuple(chain(found, [Sounding("", silent_from, whole, 0)] if whole > silent_from else []))


def _gain(clause: _Clause, at: int, length: int) -> Samples:
    """Of the clause's samples at … at + length."""
    place = (np.arange(at, at + length) + clause.start * FRAME) * (2 / FRAME) - 0.5
    found: Samples = np.interp(place, np.arange(len(clause.gain)), clause.gain).astype(np.float32)
    return found


def _edges(at: int, length: int, total: int) -> Samples:
    """Soft edges of a clause of `total` samples, as factors for those from `at` on."""
    place = np.arange(at, at + length, dtype=np.float32)
    return np.clip(np.minimum((place + 1) / FADE_IN, (total - place) / FADE_OUT), 0, 1).astype(np.float32)


assert LATER_SYMBOLS < MAX_SYMBOLS
