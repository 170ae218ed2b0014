"""The claim of the 2022 original, and under which readings it can be true.

Published: ">10 TB" of data, "5 days on tens of A100" for the chat network, "2 days" for text2speech and audio2motion.
Not published: parameters, tokens, how the bytes are counted. So each reading fixes the tokens, and the question is how
large a network the time allows.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.training.gpus import GPUS
from services.training.plan import DAY_S, Network, days

CHAT_DAYS, OTHER_DAYS = 5.0, 2.0
FEW, MANY = 32, 100
"""What "tens of GPUs" may mean."""
BYTES_PER_TOKEN = 3.5
"""UTF-8 text of Chinese and English, vocabularies of 30,000 to 130,000 entries: 3 to 4."""
FILTERED = 570 / 45_000
"""What is left of raw web text: GPT-3 kept 570 GB of 45 TB (2005.14165, §2.2)."""
SOUND_BYTES_PER_S = 32_000
"""16 kHz, 16 bits."""
LEAST = 1e9
"""Below this many parameters nobody in 2022 would have needed Megatron's model parallelism, which the original used."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand the claim."""

    reads: str
    tokens: float
    smallest: float
    """Parameters that 32 GPUs can train on the tokens in the time."""
    largest: float
    """And 100 GPUs."""
    verdict: str


def readings() -> list[Reading]:
    """Of the chat network."""
    clean = 10e12 / BYTES_PER_TOKEN
    return [
        _reading("10 TB of clean text, all of it read once", clean),
        _reading("3 TB of it text, as WuDao (1.08 T characters), read once", 1.07e12),
        _reading("10 TB raw, filtered as GPT-3's, read once", clean * FILTERED),
        _reading("10 TB raw, filtered as GPT-3's, read three times", clean * FILTERED * 3),
        _reading("10 TB with sound and motion, a twentieth of it text, read once", clean / 20),
    ]


def _reading(reads: str, tokens: float) -> Reading:
    smallest, largest = (_parameters(tokens, gpus) for gpus in (FEW, MANY))
    if largest < LEAST:
        verdict = "plausible only for a network that needs no model parallelism"
    elif smallest < LEAST:
        verdict = "plausible for about a billion parameters, with the larger number of GPUs"
    elif largest > tokens / 5:
        verdict = "plausible: more time than data"
    else:
        verdict = "plausible"
    return Reading(reads, tokens, smallest, largest, verdict)


def _parameters(tokens: float, gpus: int) -> float:
    """The largest network that A100s can train in the time, activations recomputed as Megatron did."""
    low, high = 1e6, 1e12
    for _ in range(60):
        middle = (low * high) ** 0.5
        fits = days(Network.of(middle), tokens, GPUS["A100-80"], gpus, "all") <= CHAT_DAYS
        low, high = (middle, high) if fits else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class Other:
    """Text2speech or audio2motion."""

    name: str
    parameters: float
    hours: float
    """Of sound."""
    steps_per_s: float
    """Values in time of a second of sound."""
    passes: int
    hours_needed: float
    """On 32 A100 at a tenth of their peak: small networks leave most of a GPU idle."""


def others() -> list[Other]:
    """Generous guesses of the other two: even they are far below two days."""
    return [
        _other("text2speech, 27 M (FastSpeech 2) on 1,000 h, 100 passes", 27e6, 1_000, 86, 100),
        _other("audio2motion, 10 M on 100 h at 60 frames/s, 300 passes", 10e6, 100, 60, 300),
        _other("text2speech, 300 M on all of 10 TB of sound, 1 pass", 300e6, 10e12 / SOUND_BYTES_PER_S / 3600, 86, 1),
    ]


def _other(name: str, parameters: float, hours: float, steps_per_s: float, passes: int) -> Other:
    flop = 6 * parameters * hours * 3600 * steps_per_s * passes
    speed = 0.1 * GPUS["A100-80"].peak_tflops * 1e12 * FEW
    return Other(name, parameters, hours, steps_per_s, passes, flop / speed * 24 / DAY_S)
