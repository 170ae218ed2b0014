"""Her network in ONNX Runtime on the CPU: reads tokens, remembers keys and values, foretells the next token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.chat.model import config

Floats = NDArray[np.float32]

GRAPH = "decoder.onnx"
THREADS = 1
"""A token is a millisecond's work: sharing it out takes as long as it saves, and the voice needs the other core."""


class Decoder:
    """A loaded network. Safe to use from several threads: all that is remembered is in `past`."""

    def __init__(self, folder: Path, threads: int = THREADS) -> None:
        """Raises OSError and ValueError where the folder holds no network of hers."""
        import onnxruntime as ort

        self.config = config.read(folder)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Waiting actively would take the processor from the voice.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(str(folder / GRAPH), options, providers=["CPUExecutionProvider"])

    def begin(self) -> Floats:
        """Keys and values of nothing, [layers, 2, 1, kv heads, 0, size]."""
        shape = self.config
        return np.zeros((shape.layers, 2, 1, shape.kv_heads, 0, shape.size), np.float32)

    def read(self, tokens: Sequence[int], past: Floats) -> tuple[Floats, Floats]:
        """Reads on from `past`. Returns the next token's logits [vocabulary], and keys and values with the new ones."""
        given = {"tokens": np.array([tokens], np.int64), "past": past}
        logits, present = self._session.run(None, given)
        return logits[0], present
