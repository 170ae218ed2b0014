"""The natural voice's encoder: from symbols to what a vocoder makes sound of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FRAME_S = 0.025
"""A frame: 600 samples at 24 kHz."""
PAD = 0
"""The symbol before and after every text."""
CUDA = "CUDAExecutionProvider"
MAX_SYMBOLS = 510
"""Without the two pads."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the encoder says of a clause. A frame is 25 ms: 600 samples at 24 kHz."""

    inner: Floats
    """[512, T]"""
    f0: Floats
    """[2T] Hz; about 0 where there is no voice."""
    energy: Floats
    """[2T]"""
    style: Floats
    """[256]"""
    durations: Ints
    """[n] frames of each symbol, the pads at both ends included; their sum is T."""


class Encoder:
    """The network's part that a CPU affords: about 0.03 s for a second of sound, in the calling thread.

    May be called by several threads at once.
    """

    def __init__(self, path: Path, *, gpu: int | None = None) -> None:
        """`path`: encoder.onnx. Raises onnxruntime's errors when it is no such file. `gpu`: see `session`."""
        self._session = session(path, gpu=gpu)

    def __call__(self, tokens: Sequence[int], style: Floats, speed: float) -> Features:
        """`tokens`: symbols, PAD at both ends. `style`: [256]. `speed`: 1 is the voice's own, 0.85 to 1.2 are safe."""
        inner, f0, energy, durations = self._session.run(
            None,
            {
                "tokens": np.array([tokens], dtype=np.int64),
                "style": style.reshape(1, -1).astype(np.float32, copy=False),
                "speed": np.array([speed], dtype=np.float32),
            },
        )
        return Features(
            np.ascontiguousarray(inner[0], dtype=np.float32),
            f0.reshape(-1),
            energy.reshape(-1),
            style,
            durations.reshape(-1).astype(np.int64),
        )


def session(path: Path, *, threads: int = 1, gpu: int | None = None) -> ort.InferenceSession:
    """A graph that is run by the calling thread, and by more only when asked. None of them spins while it waits: that
    would burn the other rooms' time. With `gpu` the graph runs on that one.

    Raises RuntimeError where ONNX Runtime has no use of GPUs, and its own errors.
    """
    providers: list[Any] = ["CPUExecutionProvider"]
    if gpu is not None:
        if CUDA not in ort.get_available_providers():
            raise RuntimeError("ONNX Runtime has no CUDA. Mend: install onnxruntime-gpu, or keep the model on the CPU")
        providers.insert(0, (CUDA, {"device_id": gpu}))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without this, products of signed weights overflow on processors that have AVX2 but no instructions for products in
    # 8 bits (VNNI). Others are as fast as without.
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=providers)
