"""A page on which people compare voices by ear: every sentence once by each system, side by side."""

from __future__ import annotations

import hashlib
import html
import random
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from services.speech.sound import SAMPLE_RATE, Samples

LOUDNESS = 0.06
"""Root mean square that all sounds are brought to: the louder of two always seems the better one."""


class ListeningPage:
    """Collects sentences; `write` makes `index.html` beside the sounds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, text: str, voice: str, sounds: Mapping[str, Samples]) -> None:
        """One sentence. `sounds`: system → its sound at 24 kHz. Their order on the page is drawn by lot, by text."""
        stem = hashlib.sha256(f"{voice}: {text}".encode()).hexdigest()[:12]
        systems = sorted(sounds)
        random.Random(stem).shuffle(systems)
        cells = []
        for place, system in enumerate(systems):
            name = f"{stem}-{place}.wav"
            _write(self._folder / name, sounds[system])
            cells.append(
                f'<td><audio controls preload="none" src="{name}"></audio><span>{html.escape(system)}</span></td>'
            )
        self._rows.append(f"<tr><th>{html.escape(text)}<small>{html.escape(voice)}</small></th>{''.join(cells)}</tr>")

    def write(self) -> Path:
        """The page."""
        path = self._folder / "index.html"
        path.write_text(PAGE.replace("ROWS", "\n".join(self._rows)), encoding="utf-8")
        return path


def _write(path: Path, sound: Samples) -> None:
    level = float(np.sqrt(np.square(sound).mean())) or 1.0
    even = np.clip(sound * (LOUDNESS / level), -1, 1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((even * 32767).astype("<i2").tobytes())


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Lydia's voices, side by side</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
         background: #10131c; color: #e6e9f2 }
  th { text-align: left; font-weight: 400; padding: .8rem 1rem .8rem 0; max-width: 24rem }
  small { display: block; color: #8b93a8 }
  td { padding: .4rem; vertical-align: top }
  td span { display: block; text-align: center; color: #7fd7e8 }
  .blind td span { visibility: hidden }
  audio { width: 13rem }
</style>
<h1>Lydia's voices, side by side · 并排试听</h1>
<p>Each sentence by all systems, equally loud, in random order. 每句由各系统朗读，音量一致，顺序随机。
<p><label><input type="checkbox" id="blind" checked> blind: hide who speaks · 盲听</label>
<table class="blind">
ROWS
</table>
<script>
  document.getElementById("blind").onchange = ({ target }) =>
    document.querySelector("table").classList.toggle("blind", target.checked)
  for (const one of document.querySelectorAll("audio"))
    one.onplay = () => document.querySelectorAll("audio").forEach((other) => other !== one && other.pause())
</script>
</html>
"""
