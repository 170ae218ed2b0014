"""The styles of her own voices, kept in the repository: rows for some lengths of a text, with what lies between them
found along straight lines.

`python -m services.speech.natural.styles` writes them anew from the open network's voices.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from services.places import VOICE
from services.speech.natural.files import VOICES, FilesUnavailable, check
from services.speech.natural.voices import VOICES as HER_VOICES
from services.speech.natural.voices import Floats, Melody, Styles

KEPT = Path(__file__).parent / "styles.npz"
KNOTS = (1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 85, 113, 150, 200, 280, 390, 510)
"""Numbers of symbols for which a row is kept. Close together where texts are short, for there styles change most."""
_LENGTHS = "lengths"


class KeptStyles:
    """The style vectors of a voice, from a file. Called like `Styles`."""

    def __init__(self, voice: str, path: Path = KEPT) -> None:
        """Raises OSError, ValueError, and KeyError when the file has no such voice."""
        with np.load(path) as kept:
            self._lengths = kept[_LENGTHS].astype(np.float32)
            self._rows = {melody: kept[f"{voice}/{melody}"].astype(np.float32) for melody in get_args(Melody)}

    def __call__(self, melody: Melody, symbols: int) -> Floats:
        """[256] for a text of so many symbols."""
        rows = self._rows[melody]
        at = float(np.interp(symbols, self._lengths, np.arange(len(rows))))
        below = int(at)
        above = min(below + 1, len(rows) - 1)
        row: Floats = rows[below] + np.float32(at - below) * (rows[above] - rows[below])
        return row


def keep(tables: Mapping[str, Floats], path: Path = KEPT) -> None:
    """Writes the styles of all her voices, in half precision. `tables`: see `Styles`."""
    rows: dict[str, Mapping[Melody, Floats]] = {}
    for name, voice in HER_VOICES.items():
        styles = Styles(voice, tables)
        rows[name] = {melody: np.stack([styles(melody, knot) for knot in KNOTS]) for melody in voice.manners}
    write(rows, KNOTS, path)


def write(rows: Mapping[str, Mapping[Melody, Floats]], lengths: Sequence[int], path: Path) -> None:
    """Writes a file for `KeptStyles`, in half precision. `rows`: voice → [lengths, 256] for each melody."""
    kept = {f"{name}/{melody}": table.astype(np.float16) for name, of in rows.items() for melody, table in of.items()}
    np.savez(path, **{_LENGTHS: np.array(lengths, np.int16)}, **kept)  # type: ignore[arg-type]


def main() -> int:
    """Writes the file; 0 when it is written."""
    try:
        check(VOICE, VOICES)
    except FilesUnavailable as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    with np.load(VOICE / VOICES) as voices:
        keep({name: voices[name].reshape(-1, voices[name].shape[-1]) for name in voices.files})
    sys.stdout.write(f"{KEPT.name}: {KEPT.stat().st_size / 1e3:.0f} kB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
