"""How well she speaks, in numbers: `python -m services.speech.evaluate`.

Loudness and pitch of both languages, whether phonemes lie where their sound is, and how soon the first chunk is there.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import SystemClock
from services.core.envelope import seal
from services.core.events import Phoneme, TextSegment, VoiceChunk
from services.core.inference import InProcess, Model
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech
from services.speech.model.natural import natural_voice
from services.speech.natural.voices import VOICES
from services.speech.service import ESPEAK, NATURAL, Speech
from services.speech.sound import SAMPLE_RATE, Samples, from_s16le
from services.speech.speak import speak

SENTENCES = {
    "zh": (
        "爸爸妈妈陪宝宝跑步。",
        "我们明白朋友的宝贝怕猫。",
        "别怕，慢慢爬到半坡，面包便宜。",
        "大伯买了八百八十八本漂亮的书。",
        "你好，我是李星澜，欢迎来到我的直播间。",
        "谢谢你送的礼物，我特别喜欢，比心。",
        "每天抱一抱小熊猫，心情就会变好。",
        "今天的天气很不错，我们一起去公园散步吧？",
    ),
    "en": (
        "People buy big apples at the market.",
        "My mama baked a bumpy apple pie.",
        "A puppy jumped above the map, Bob.",
        "Maybe somebody remembers my umbrella.",
        "Hello everyone, I am Lydia, and I come from the year twenty one twelve.",
        "Thank you so much for the beautiful gift!",
        "Pop music makes a happy evening better.",
        "Would you like to hear a bedtime story about a bear?",
    ),
}
BILABIALS = frozenset(("p", "b", "m", "pʰ"))
NASAL_HZ = 800
"""A murmur through the nose lies below, a mouth that is open sounds above: an m is as loud as its vowels, and shut."""
VOWELS = frozenset("ɑaeoɤəɚiuyʅɿʊɪɛæɐʌɔɝ")


@dataclass(frozen=True, slots=True)
class Dip:
    """A bilabial between two vowels: where its label is, and where the mouth sounds most shut. Samples."""

    ipa: str
    start: int
    end: int
    softest: int


def joined(chunks: Sequence[VoiceChunk]) -> tuple[Samples, list[Phoneme]]:
    """Sound and phonemes of a turn of one segment of up to one piece."""
    return from_s16le(b"".join(chunk.pcm_s16le for chunk in chunks)), list(chunks[0].phonemes)


def loudness(sound: Samples) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4, mono), with the K filter's analogue prototype as its response."""
    s = 2j * np.pi * np.fft.rfftfreq(2 * len(sound), 1 / SAMPLE_RATE)
    shelf, w, q = 10 ** (3.999843853973347 / 20), 2 * np.pi * 1681.974450955533, 0.7071752369554196
    k = (shelf * s**2 + shelf**0.4996667741545416 * w / q * s + w**2) / (s**2 + w / q * s + w**2)
    w, q = 2 * np.pi * 38.13547087602444, 0.5003270373238773
    k *= s**2 / (s**2 + w / q * s + w**2)
    heard = np.fft.irfft(np.fft.rfft(sound, 2 * len(sound)) * k)[: len(sound)]
    block, hop = round(0.4 * SAMPLE_RATE), round(0.1 * SAMPLE_RATE)
    padded = np.pad(heard, (0, max(0, block - len(heard))))
    power = np.square(np.lib.stride_tricks.sliding_window_view(padded, block)[::hop]).mean(axis=1)
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    if not power.size:
        return -np.inf
    power = power[power > 0.1 * power.mean()]
    return float(-0.691 + 10 * np.log10(power.mean()))


def pitch(sound: Samples) -> Samples:
    """Hertz of the voiced frames, 50 a second, by the autocorrelation's peak between 80 and 500 Hz."""
    found = []
    for begin in range(0, len(sound) - 1_200, 480):
        window = sound[begin : begin + 1_200]
        if np.sqrt(np.square(window).mean()) < 0.03:
            continue
        spectrum = np.fft.rfft(window - window.mean(), 4_096)
        similar = np.fft.irfft(np.abs(spectrum) ** 2)[: SAMPLE_RATE // 80]
        lag = SAMPLE_RATE // 500 + int(similar[SAMPLE_RATE // 500 :].argmax())
        if similar[lag] > 0.6 * similar[0]:
            found.append(SAMPLE_RATE / lag)
    return np.array(found, dtype=np.float32)


def dips(sound: Samples, phonemes: Sequence[Phoneme]) -> Iterator[Dip]:
    """Bilabials between vowels, each with the softest moment above NASAL_HZ between the middles of those vowels."""
    width = round(0.01 * SAMPLE_RATE)
    level = np.convolve(np.square(_through_the_mouth(sound)), np.ones(width) / width, mode="same")
    for before, own, after in zip(phonemes, phonemes[1:], phonemes[2:], strict=False):
        if own.ipa in BILABIALS and before.ipa[:1] in VOWELS and after.ipa[:1] in VOWELS:
            begin = (before.start_sample + before.end_sample) // 2
            end = (after.start_sample + after.end_sample) // 2
            softest = begin + int(level[begin:end].argmin())
            yield Dip(own.ipa, own.start_sample, own.end_sample, softest)


def _through_the_mouth(sound: Samples) -> Samples:
    """What is above NASAL_HZ (Butterworth's slope of order 4, without delay)."""
    spectrum = np.fft.rfft(sound)
    above = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE) / NASAL_HZ
    heard = np.fft.irfft(spectrum * above**4 / np.sqrt(1 + above**8), len(sound))
    return heard.astype(np.float32)


def longest_pause(sound: Samples) -> float:
    """Seconds of the longest stretch without anything to hear, except at the ends."""
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return float(np.diff(loud).max(initial=0) / SAMPLE_RATE)


async def first_chunk_times(rung: str, model: Model, texts: Sequence[str]) -> list[float]:
    """Seconds from a turn's first text segment on the bus to its first voice chunk there, turn after turn.

    `rung`: the model's name in the ladder.
    """
    clock = SystemClock()
    bus, telemetry = MemoryBus(), Telemetry("evaluate")
    speech = Speech(bus, MemoryState(clock), InProcess({rung: model}), clock, telemetry, rungs=(rung,))
    times = []
    async with asyncio.TaskGroup() as tasks, bus.consume(topics.VOICE, group=None) as voice:
        working = tasks.create_task(speech.run(), name="speech")
        heard = aiter(voice)
        for epoch, text in enumerate(texts, 1):
            segment = TextSegment(room_id="room", turn_id=str(epoch), epoch=epoch, text=text, last=True)
            record = seal(topics.TEXT, segment, event_id=str(epoch), room_id="room", source="evaluate", now_ms=0)
            begun = clock.monotonic()
            await bus.publish(record)
            chunk = VoiceChunk.FromString((await anext(heard)).record.value)
            times.append(clock.monotonic() - begun)
            while not chunk.last:
                chunk = VoiceChunk.FromString((await anext(heard)).record.value)
        working.cancel()
    return times


async def real_time_factor(model: Model, texts: Sequence[str], *, rooms: int = 1) -> float:
    """Seconds that pass for a second of sound in each of `rooms` rooms that speak at once; below 1 they keep up."""
    now = asyncio.get_running_loop().time

    async def room(first: int) -> float:
        begun, sounded = now(), 0
        for text in (*texts[first:], *texts[:first]):
            sounded += len(joined(await speak(text, model=model))[0])
        return (now() - begun) * SAMPLE_RATE / sounded

    return max(await asyncio.gather(*(room(number % len(texts)) for number in range(rooms))))


async def measure(rung: str, model: Model) -> None:
    """Writes what is measured of a voice that knows its phonemes."""
    for language, texts in SENTENCES.items():
        spoken = [joined(await speak(text, model=model)) for text in texts]
        sound = np.concatenate([sound for sound, _ in spoken])
        found = [dip for sound, phonemes in spoken for dip in dips(sound, phonemes)]
        inside = sum(dip.start <= dip.softest < dip.end for dip in found)
        low, middle, high = np.percentile(pitch(sound), (5, 50, 95))
        levels = [loudness(sound) for sound, _ in spoken]
        sys.stdout.write(
            f"{rung} {language}: {loudness(sound):.1f} LUFS (sentences {min(levels):.1f} to {max(levels):.1f}), "
            f"peak {20 * np.log10(np.abs(sound).max()):.1f} dBFS, "
            f"pitch {low:.0f} {middle:.0f} {high:.0f} Hz (5 %, median, 95 %), "
            f"softest moment inside its bilabial {inside} of {len(found)}\n"
        )
    everything = [text for texts in SENTENCES.values() for text in texts]
    times = sorted(1000 * seconds for seconds in await first_chunk_times(rung, model, everything * 5))
    sys.stdout.write(
        f"{rung}: first chunk of {len(times)}: median {statistics.median(times):.0f} ms, "
        f"95 % {times[round(0.95 * (len(times) - 1))]:.0f} ms; "
        f"real-time factor {await real_time_factor(model, everything):.3f}, "
        f"{await real_time_factor(model, everything, rooms=8):.2f} in each of eight rooms\n"
    )


async def _report() -> None:
    async with espeak_client(timeout_s=20) as client:  # eight rooms at once have to wait for its few processes
        await measure(ESPEAK, EspeakSpeech(client))
    for name in VOICES:
        async with natural_voice(name) as model:
            await measure(NATURAL, model)


if __name__ == "__main__":
    asyncio.run(_report())
