"""At run time: symbols → what the vocoder makes sound of. NumPy and ONNX Runtime only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from services.speech.model.text2speech.lengths import durations_of, places_of
from services.speech.natural.encoder import Features, Floats, session

SYMBOL_WEIGHTS = Path(__file__).parent / "symbols.onnx"
FRAME_WEIGHTS = Path(__file__).parent / "frames.onnx"
HERTZ, ENERGY = 100.0, 6.0
"""The units in which the network says pitch and energy."""


class OwnEncoder:
    """Lydia's own text2speech network, up to the vocoder. May be called by several threads at once."""

    def __init__(self, symbols: Path = SYMBOL_WEIGHTS, frames: Path = FRAME_WEIGHTS, *, gpu: int | None = None) -> None:
        """Raises onnxruntime's errors when a file is no such model. `gpu`: see `session`."""
        self._symbols, self._frames = session(symbols, gpu=gpu), session(frames, gpu=gpu)

    def __call__(self, tokens: Sequence[int], style: Floats, speed: float) -> Features:
        """`tokens`: symbols, PAD at both ends. `style`: [256]. `speed`: 1 is the voice's own, 0.85 to 1.2 are safe."""
        given = style.reshape(1, -1).astype(np.float32, copy=False)
        inner, long, known = self._symbols.run(None, {"tokens": np.array([tokens], dtype=np.int64), "style": given})
        durations = durations_of(long[0], speed)
        owner, places = places_of(durations)
        (said,) = self._frames.run(None, {"known": known[:, owner], "places": places[None], "style": given})
        voiced = said[0, :, 0] > 0
        return Features(
            np.ascontiguousarray(np.repeat(inner[0], durations, axis=0).T),
            np.where(voiced, np.maximum(said[0, :, 1], 0) * HERTZ, 0).astype(np.float32),
            said[0, :, 2] * np.float32(ENERGY),
            style,
            durations,
        )
