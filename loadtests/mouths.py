"""Mouths side by side, drawn from face values: one column for each sound of a sentence, one row for each rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from services.core.events import Phoneme
from services.motion import face
from services.motion.frames import FRAME_SAMPLES

COLUMN, ROW, TOP = 54, 74, 30
MOST = 26
"""Sounds that are drawn."""
LIPS, INSIDE, INK = "#b4465a", "#3a1420", "#333"


def picture(phonemes: Sequence[Phoneme], faces: Mapping[str, NDArray[np.float32]]) -> str:
    """An SVG. `faces`: row's name → faces [n, 61] from the phonemes' first sample on; each sound shows its middle."""
    sounds = [phoneme for phoneme in phonemes if phoneme.ipa][:MOST]
    width, height = 110 + COLUMN * len(sounds), TOP + ROW * len(faces) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="13" fill="{INK}"><rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for column, sound in enumerate(sounds):
        x = 110 + COLUMN * (column + 0.5)
        parts.append(f'<text x="{x}" y="20" text-anchor="middle">{escape(sound.ipa)}</text>')
        middle = (sound.start_sample + sound.end_sample) // (2 * FRAME_SAMPLES)
        for row, values in enumerate(faces.values()):
            parts.append(_mouth(x, TOP + ROW * (row + 0.5), values[min(middle, len(values) - 1)]))
    for row, name in enumerate(faces):
        parts.append(f'<text x="6" y="{TOP + ROW * (row + 0.5) + 5}">{escape(name)}</text>')
    return "".join([*parts, "</svg>\n"])


def _mouth(x: float, y: float, values: NDArray[np.float32]) -> str:
    """Lips about a point: drawn in by pucker and funnel, drawn wide by smile and stretch, parted by the aperture."""
    rounded = float(values[face.PUCKER] + 0.6 * values[face.FUNNEL])
    wide = float(values[list(face.SMILE)].mean() + values[face.INDEX["MouthStretchLeft"]])
    half = 17 * (1 - 0.45 * min(rounded, 1.2)) * (1 + 0.25 * min(wide, 1))
    gap = 20 * float(face.aperture(values))
    lip = 3.2 + 2.5 * min(rounded, 1.2) - 1.4 * float(values[list(face.PRESS)].mean())
    outer = f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{half + lip:.1f}" ry="{gap + lip:.1f}" fill="{LIPS}"/>'
    if gap < 0.6:
        line = f"M{x - half:.1f} {y:.1f}H{x + half:.1f}"
        return f'{outer}<path d="{line}" stroke="{INSIDE}" stroke-width="1.2"/>'
    return f'{outer}<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{half:.1f}" ry="{gap:.1f}" fill="{INSIDE}"/>'
