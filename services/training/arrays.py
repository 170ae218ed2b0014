"""Files of arrays that a network learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike


def save_arrays(path: Path, **arrays: ArrayLike) -> None:
    """Writes an .npz so that a half-written one is never taken for whole; the same arrays give the same bytes."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    unfinished.replace(path)
