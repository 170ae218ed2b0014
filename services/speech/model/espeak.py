"""The rung `espeak`: the fast voice. It needs neither a GPU nor weights, and knows when each phoneme sounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import numpy as np

from services.core.events import Emotion, Phoneme, TextSegment, VoiceChunk
from services.core.inference import ModelFailed
from services.speech.espeak.client import EspeakClient, EspeakFailed
from services.speech.espeak.phonemes import Sounding, stressed, timed
from services.speech.espeak.protocol import Line, Sound
from services.speech.espeak.voice import Voice, english, in_mood, mandarin
from services.speech.mandarin import words
from services.speech.sound import SAMPLE_RATE, Samples, faded, from_s16le, limited, resample, silence, to_s16le
from services.speech.text import PAUSE_S, Language, Phrase, Run, phrases

RUNG = "espeak"
MAX_PART = 60
"""Hanzi or words of a piece that is spoken at once. Longer segments come in several pieces, each with its phonemes."""
LAST_PAUSE_S = 0.12
"""Silence after the turn's last phrase."""


class EspeakSpeech:
    """TextSegment → VoiceChunks of whole phrases, with sample positions counted from the segment's first sample."""

    def __init__(self, client: EspeakClient, voice: Callable[[Language, Emotion, float], Voice] = in_mood) -> None:
        """`voice`: who speaks a language, in a mood of this intensity."""
        self._client = client
        self._voice = voice

    async def ready(self) -> bool:
        return self._client.ready

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        at = 0
        for part, is_last in _parts(phrases(request.text, language=request.language)):
            sound, phonemes = await self._part(part, request, ends_turn=is_last and request.last)
            yield VoiceChunk(
                sample_rate=SAMPLE_RATE,
                start_sample=at,
                pcm_s16le=to_s16le(sound),
                phonemes=[
                    Phoneme(ipa=p.ipa, start_sample=at + p.start, end_sample=at + p.end, stress=p.stress)
                    for p in phonemes
                ],
                rung=RUNG,
            )
            at += len(sound)

    async def _part(
        self, part: list[Phrase], request: TextSegment, *, ends_turn: bool
    ) -> tuple[Samples, list[Sounding]]:
        """Several phrases with their pauses. Raises ModelFailed."""
        runs = [
            _Run(
                run,
                phrase.mark if run is phrase.runs[-1] else ",",
                self._voice(run.language, request.emotion, request.intensity),
            )
            for phrase in part
            for run in phrase.runs
        ]
        try:
            sounds, rate = await self._client.speak([run.line for run in runs])
        except EspeakFailed as error:
            raise ModelFailed(str(error)) from None
        # A long sentence takes tens of milliseconds, in which the loop has others to serve.
        return await asyncio.to_thread(_joined, part, runs, sounds, rate, ends_turn=ends_turn)


def _joined(
    part: list[Phrase], runs: list[_Run], sounds: Sequence[Sound], rate: int, *, ends_turn: bool
) -> tuple[Samples, list[Sounding]]:
    """The phrases' sound with their pauses."""
    heard = (run.heard(sound, rate) for run, sound in zip(runs, sounds, strict=True))
    pieces: list[Samples] = []
    phonemes: list[Sounding] = []
    at = 0
    for phrase in part:
        for _ in phrase.runs:
            piece, soundings = next(heard)
            phonemes += [Sounding(s.ipa, at + s.start, at + s.end, s.stress) for s in soundings]
            pieces.append(piece)
            at += len(piece)
        pause = silence(LAST_PAUSE_S if ends_turn and phrase is part[-1] else PAUSE_S[phrase.mark])
        phonemes.append(Sounding("", at, at + len(pause), 0))
        pieces.append(pause)
        at += len(pause)
    return limited(np.concatenate(pieces)), phonemes


class _Run:
    """One run on its way through espeak-ng. `mark` shapes its melody."""

    def __init__(self, run: Run, mark: str, voice: Voice) -> None:
        spoken = words(run.text) if run.language == "zh" else []
        text = mandarin(spoken) if run.language == "zh" else english(run.text)
        self.line = Line(text + mark.replace("…", ","), voice.name, voice.rate, voice.pitch, voice.pitch_range)
        self._language = run.language
        self._gain = voice.gain
        self._syllables = [syllable for word in spoken for syllable in word]

    def heard(self, sound: Sound, rate: int) -> tuple[Samples, list[Sounding]]:
        """Its sound at SAMPLE_RATE, without the silence around it; nothing when no word of it can be read."""
        raw = from_s16le(sound.pcm_s16le)
        soundings = timed(sound.events, raw, rate, mandarin=self._language == "zh")
        if self._language == "zh":
            soundings = stressed(soundings, self._syllables)
        if not soundings:
            return silence(0), []
        begin, end = soundings[0].start, soundings[-1].end
        at = [round((edge - begin) * SAMPLE_RATE / rate) for edge in (*(s.start for s in soundings), end)]
        samples = faded(resample(raw[begin:end] * self._gain, rate)[: at[-1]])
        return samples, [
            Sounding(s.ipa, start, stop, s.stress) for s, start, stop in zip(soundings, at, at[1:], strict=False)
        ]


def _parts(found: list[Phrase]) -> Iterator[tuple[list[Phrase], bool]]:
    """The phrases in groups of at most MAX_PART, and whether it is the last group."""
    part: list[Phrase] = []
    size = 0
    for phrase in found:
        length = sum(len(run.text) if run.language == "zh" else run.text.count(" ") + 1 for run in phrase.runs)
        if part and size + length > MAX_PART:
            yield part, False
            part, size = [], 0
        part.append(phrase)
        size += length
    if part:
        yield part, True
