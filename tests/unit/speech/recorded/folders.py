"""Tiny folders of recordings in both formats, of an invented voice: every letter is a tone of its own."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from services.speech.natural.encoder import Floats

TEXTS = (
    "papa sees a mop",
    "a soap is sea mops",
    "mama sips pop",
    "some aim is easy",
    "pass me a mop",
    "mopes are a maze",
)
SYLLABLES = (("妈", "ma1"), ("怕", "pa4"), ("木", "mu4"), ("扑", "pu1"), ("苏", "su1"), ("米", "mi3"))


def hum(parts: Sequence[str], rate: int, voice: float) -> Floats:
    """A harmonic sound for each part, 0.11 s of it: pitch and spectrum are the part's own; silence at both ends."""
    sounds = [np.zeros(rate // 5)]
    for part in parts:
        number = sum(map(ord, part)) % 11
        time = np.arange(int(0.11 * rate)) / rate
        pitch = voice * (1 + 0.03 * number)
        if part == " ":
            sounds.append(np.zeros(len(time) // 2))
            continue
        weights = 1 / (1 + np.abs(np.arange(1, 13) - number - 1))
        sounds.append(sum(w * np.sin(2 * np.pi * k * pitch * time) for k, w in enumerate(weights, 1)) * 0.08)
    return np.concatenate([*sounds, np.zeros(rate // 5)]).astype(np.float32)


def write(path: Path, sound: Floats, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def ljspeech(folder: Path) -> Path:
    """Six sentences of one speaker at 22,050 Hz."""
    lines = []
    for number, text in enumerate(TEXTS, 1):
        write(folder / "wavs" / f"LJ{number:03d}.wav", hum(text, 22_050, 180), 22_050)
        lines.append(f"LJ{number:03d}|{text.upper()}|{text}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def aishell(folder: Path) -> Path:
    """Two speakers with three sentences each, at 44,100 Hz."""
    lines = []
    for speaker, height in (("SSB0001", 220), ("SSB0002", 120)):
        for number in range(3):
            said = [SYLLABLES[(place * (number + 1) + number) % len(SYLLABLES)] for place in range(10)]
            name = f"{speaker}{number:04d}.wav"
            sound = hum([letter for _, pinyin in said for letter in pinyin[:-1]], 44_100, height)
            write(folder / "train" / "wav" / speaker / name, sound, 44_100)
            lines.append(f"{name}\t" + " ".join(f"{hanzi} {pinyin}" for hanzi, pinyin in said))
    (folder / "train" / "content.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
