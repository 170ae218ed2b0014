"""The styles of her own voices are kept for some lengths, and found between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.speech.natural.styles import KeptStyles, keep, write
from services.speech.natural.voices import VOICES, Floats, Styles


def tables() -> dict[str, Floats]:
    mixes = [mix for voice in VOICES.values() for mix in (voice.timbre, *(m.melody for m in voice.manners.values()))]
    random = np.random.default_rng(1)
    slope = np.linspace(0, 1, 510)[:, None]
    return {
        name: (random.standard_normal(256) + slope * random.standard_normal(256)).astype(np.float32)
        for name in sorted({name for mix in mixes for name in mix})
    }


def test_they_are_those_that_the_open_networks_voices_would_give(tmp_path: Path) -> None:
    keep(tables(), tmp_path / "styles.npz")
    for name, voice in VOICES.items():
        kept, right = KeptStyles(name, tmp_path / "styles.npz"), Styles(voice, tables())
        for melody in voice.manners:
            for symbols in (0, 1, 5, 40, 170, 510, 2_000):
                assert kept(melody, symbols) == pytest.approx(right(melody, symbols), abs=2e-3)


def test_a_single_row_is_for_every_length(tmp_path: Path) -> None:
    row: Floats = np.linspace(0, 1, 256, dtype=np.float32)[None]
    write({"somebody": {"zh": row, "en": row, "mixed": row}}, [1], tmp_path / "styles.npz")
    styles = KeptStyles("somebody", tmp_path / "styles.npz")
    assert styles("en", 1) == pytest.approx(row[0], abs=1e-3)
    assert styles("en", 300) == pytest.approx(row[0], abs=1e-3)


def test_a_voice_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    keep(tables(), tmp_path / "styles.npz")
    with pytest.raises(KeyError, match="nobody"):
        KeptStyles("nobody", tmp_path / "styles.npz")
