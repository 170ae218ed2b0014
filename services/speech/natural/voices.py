"""Her voices: mixed from the network's, so that she is one person of her own in both languages.

A style vector's first half says how a voice sounds (timbre), its second half how it moves (melody, pace). Timbre is one
mix for everything she says; melody is that of a voice that grew up with the language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TIMBRE = 128
"""Values of a style vector that say how a voice sounds."""

Melody = Literal["zh", "en", "mixed"]
Mix = Mapping[str, float]
"""Voice of the network → share; the shares sum to 1."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How she speaks one language."""

    melody: Mix
    pitch: float = 1.0
    """Factor on the melody's pitch; it brings the languages to one height."""
    pace: float = 1.0
    """Factor on the network's speed."""
    gain: float = 1.0
    """Brings speech to -18 LUFS."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One person."""

    timbre: Mix
    manners: Mapping[Melody, Manner]


VOICES: dict[str, Voice] = {
    "lydia": Voice(
        {"zf_xiaoxiao": 0.5, "af_heart": 0.5},
        {
            "zh": Manner({"zf_xiaoxiao": 1.0}, pitch=0.88, gain=1.19),
            "en": Manner({"af_heart": 1.0}, pitch=1.14, gain=1.38),
            "mixed": Manner({"zf_xiaoxiao": 0.5, "af_heart": 0.5}, gain=1.26),
        },
    ),
    "lydia-soft": Voice(
        {"zf_xiaobei": 0.5, "af_bella": 0.5},
        {
            "zh": Manner({"zf_xiaobei": 1.0}, pitch=0.8, gain=1.39),
            "en": Manner({"af_bella": 1.0}, pitch=1.08, gain=1.6),
            "mixed": Manner({"zf_xiaobei": 0.5, "af_bella": 0.5}, pitch=0.96, gain=1.55),
        },
    ),
}
DEFAULT = "lydia"


class Styles:
    """The style vectors of one of her voices."""

    def __init__(self, voice: Voice, tables: Mapping[str, Floats]) -> None:
        """`tables`: voice of the network → [rows, 256], a row for each number of symbols from 1 on."""
        timbre = _mixed(voice.timbre, tables)[:, :TIMBRE]
        self._tables = {
            name: np.concatenate((timbre, _mixed(manner.melody, tables)[:, TIMBRE:]), axis=1)
            for name, manner in voice.manners.items()
        }

    def __call__(self, melody: Melody, symbols: int) -> Floats:
        """[256] for a text of so many symbols."""
        table = self._tables[melody]
        row: Floats = table[min(max(symbols, 1), len(table)) - 1]
        return row


def _mixed(mix: Mix, tables: Mapping[str, Floats]) -> Floats:
    mixed = sum(np.float32(share) * tables[name] for name, share in mix.items())
    return np.asarray(mixed, dtype=np.float32)
