"""The rung `espeak`: the fast voice. It needs neither a GPU nor weights, and knows when each phoneme sounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from services.core.events import Phoneme, TextSegment, VoiceChunk
from services.core.inference import ModelFailed
from services.speech.espeak.client import EspeakClient, EspeakFailed
from services.speech.espeak.mandarin import pinyin_words
from services.speech.espeak.phonemes import Sounding, timed
from services.speech.sound import SAMPLE_RATE, Samples, from_s16le, limit, resample, silence, to_s16le
from services.speech.text import Phrase, Run, phrases


@dataclass(frozen=True, slots=True)
class Voice:
    """How espeak-ng speaks one language as Lydia; see `protocol.Request` for the units."""

    name: str
    rate: int
    pitch: int
    pitch_range: int
    gain: float


VOICES = {
    "zh": Voice("cmn-latn-pinyin+f2", 165, 60, 50, 1.5),
    "en": Voice("en-us+f2", 165, 60, 50, 1.5),
}
PAUSE_S = {",": 0.16, ";": 0.22, ":": 0.2, ".": 0.3, "?": 0.3, "!": 0.3, "…": 0.4, "": 0.1}
"""Silence after a phrase, by its mark."""


class Espeak:
    """TextSegment → VoiceChunks, relative to the segment: whole phrases as they are ready, not cut to size."""

    def __init__(self, client: EspeakClient) -> None:
        self._client = client

    async def ready(self) -> bool:
        return self._client.ready

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        sound = [np.zeros(0, dtype=np.float32)]
        phonemes: list[Phoneme] = []
        at = 0
        for phrase in phrases(request.text):
            for run in phrase.runs:
                piece, soundings = await self._speak(run, phrase)
                phonemes += [
                    Phoneme(ipa=s.ipa, start_sample=at + s.start, end_sample=at + s.end, stress=s.stress)
                    for s in soundings
                ]
                sound.append(piece)
                at += len(piece)
            pause = silence(PAUSE_S[phrase.mark])
            sound.append(pause)
            phonemes.append(Phoneme(ipa="", start_sample=at, end_sample=at + len(pause)))
            at += len(pause)
        if at:
            yield VoiceChunk(
                sample_rate=SAMPLE_RATE,
                pcm_s16le=to_s16le(limit(np.concatenate(sound))),
                phonemes=phonemes,
                rung="espeak",
            )

    async def _speak(self, run: Run, phrase: Phrase) -> tuple[Samples, list[Sounding]]:
        voice = VOICES[run.language]
        text = run.text
        if run.language == "zh":
            text = " ".join("".join(word) for word in pinyin_words(run.text))
        text += phrase.mark if run is phrase.runs[-1] else ","
        try:
            heard, rate = await self._client.speak(
                text, voice=voice.name, rate=voice.rate, pitch=voice.pitch, pitch_range=voice.pitch_range
            )
        except EspeakFailed as error:
            raise ModelFailed(str(error)) from None
        raw = from_s16le(heard.pcm_s16le) * voice.gain
        soundings = timed(heard.events, raw, rate, mandarin=run.language == "zh")
        while soundings and not soundings[-1].ipa:
            soundings.pop()
        if not soundings:
            return np.zeros(0, dtype=np.float32), []
        begin, end = soundings[0].start, soundings[-1].end
        at = [round((s.start - begin) * SAMPLE_RATE / rate) for s in soundings]
        at.append(round((end - begin) * SAMPLE_RATE / rate))
        sound = resample(raw[begin:end], rate)[: at[-1]]
        return sound, [
            Sounding(s.ipa, start, stop, s.stress) for s, start, stop in zip(soundings, at, at[1:], strict=False)
        ]
