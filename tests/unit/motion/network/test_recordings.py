"""Recordings with a forced aligner's TextGrids become clips, and files that cannot be used are named."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from services.motion import lips
from services.motion.model.network import features
from services.motion.model.network.clips import VARIANTS, load
from services.motion.model.network.recordings import read
from services.speech.sound import to_s16le
from tests.unit.motion.network.speech import babble

GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.0
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1.0
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 1.0
            text = "mama"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1.0
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.4
            text = "sil"
        intervals [2]:
            xmin = 0.4
            xmax = 0.5
            text = "m"
        intervals [3]:
            xmin = 0.5
            xmax = 0.8
            text = "ˈɑ"
        intervals [4]:
            xmin = 0.8
            xmax = 1.0
            text = ""
"""


def record(path: Path, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(to_s16le(babble(1)[:rate]))


def test_a_recording_becomes_a_clip(tmp_path: Path) -> None:
    record(tmp_path / "one.wav", 16_000)
    (tmp_path / "one.TextGrid").write_text(GRID, encoding="utf-8")
    (path,) = read(tmp_path, tmp_path / "clips", seed=1)
    clip = load(path)
    assert clip.heard.shape == (VARIANTS, 60, features.WIDTH)
    assert clip.wanted[27, lips.CLOSED] == 1, "the lips are shut for the m at 0.4 s"
    assert clip.wanted[38, lips.CLOSED] == 0
    assert clip.wanted[38, lips.JAW] > 0.3
    assert np.abs(clip.wanted[5, : lips.WIDTH]).max() < 0.05, "rest, before"


def test_a_recording_without_its_alignment_is_named(tmp_path: Path) -> None:
    record(tmp_path / "one.wav", 24_000)
    with pytest.raises(ValueError, match=r"one\.TextGrid is missing"):
        read(tmp_path, tmp_path / "clips", seed=1)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no \.wav"):
        read(tmp_path, tmp_path / "clips", seed=1)
